//! The demo tells nothing but the truth: it ends with 0 only if all of it happened.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

#[test]
fn the_whole_story_happens_and_fits_a_terminal() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_berth"));
    let output = command.arg("demo").env("NO_COLOR", "1").output().unwrap();
    let (out, err) = (
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8(output.stderr).unwrap(),
    );
    assert_eq!(output.status.code(), Some(0), "{out}\n{err}");
    for part in [
        "one pod with 1 GPU runs",
        "killed with kill -9",
        "no pod was made twice",
        "the refusal names the nearest sizes, 8 and 16",
        "one restart was counted",
        "attempt 2 of the same run runs",
        "a new run has replaced the old one",
        "outdated: PodDefaults",
        "its pod is gone, its ledger stays",
        "SIGTERM ended the daemon cleanly",
        "git log",
    ] {
        assert!(out.contains(part), "no `{part}` in\n{out}");
    }
    let story = out.split("$ git show").next().unwrap();
    for line in story.lines() {
        assert!(line.chars().count() <= 80, "too wide: {line}");
    }
}

fn kill(signal: &str, whom: &str) {
    let kill = Command::new("kill").args([signal, "--", whom]).status();
    assert!(kill.unwrap().success());
}

/// A demo that was started in a process group of its own, as a shell starts it, and its output.
struct Begun {
    demo: Child,
    out: BufReader<ChildStdout>,
    folder: TempDir,
}

impl Begun {
    fn with(arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut demo = Command::new(env!("CARGO_BIN_EXE_berth"))
            .arg("demo")
            .args(arguments)
            .env("NO_COLOR", "1")
            .env("TMPDIR", folder.path())
            .current_dir(folder.path())
            .process_group(0)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let out = BufReader::new(demo.stdout.take().unwrap());
        Self { demo, out, folder }
    }

    fn read_until(&mut self, words: &str) {
        let mut line = String::new();
        while !line.contains(words) {
            line.clear();
            let read = self.out.read_line(&mut line).unwrap();
            assert!(read > 0, "it ended before `{words}`");
        }
    }

    /// The processes that work in its folder, and their command lines.
    fn processes(&self) -> Vec<(PathBuf, String)> {
        let folder = self.folder.path().to_str().unwrap();
        let processes = fs::read_dir("/proc").unwrap().flatten();
        let lines = processes.filter_map(|it| {
            let line = fs::read(it.path().join("cmdline")).ok()?;
            let line = String::from_utf8_lossy(&line).replace('\0', " ");
            Some((it.path(), line))
        });
        lines.filter(|(_, line)| line.contains(folder)).collect()
    }

    fn at_work(&self) -> Vec<String> {
        let all = self.processes().into_iter();
        all.map(|(_, line)| line).collect()
    }

    /// Sends a signal to `whom` and gives the exit code and what it said last.
    fn end(&mut self, signal: &str, whom: &str) -> (Option<i32>, String) {
        kill(signal, whom);
        let mut words = String::new();
        let mut err = self.demo.stderr.take().unwrap();
        err.read_to_string(&mut words).unwrap();
        (self.demo.wait().unwrap().code(), words)
    }

    /// The folder of its daemon below `/proc`.
    fn daemon(&self) -> PathBuf {
        let mut all = self.processes().into_iter();
        let daemon = all.find(|(_, line)| line.contains(" run --repo "));
        daemon.unwrap().0
    }

    fn left(&self) -> Vec<PathBuf> {
        let files = fs::read_dir(self.folder.path()).unwrap().flatten();
        files.map(|file| file.path()).collect()
    }
}

#[test]
fn ended_in_the_middle_nothing_of_it_is_left() {
    let moments = [
        "and the daemon",
        "commit",
        "pod hello",
        "pod resnet50",
        "was killed",
    ];
    for (number, moment) in moments.into_iter().enumerate() {
        let mut begun = Begun::with(&[]);
        begun.read_until(moment);
        let id = begun.demo.id();
        // A terminal tells the whole group.
        let (code, words) = match number % 2 {
            0 => begun.end("-INT", &format!("-{id}")),
            _ => begun.end("-TERM", &id.to_string()),
        };
        assert_eq!(code, Some([130, 143][number % 2]), "{moment}: {words}");
        assert!(words.contains("its folder is gone"), "{moment}: {words}");
        assert!(begun.left().is_empty(), "{moment}: {:?}", begun.left());
        assert_eq!(begun.at_work(), [""; 0], "{moment}");
    }
}

#[test]
fn ended_in_the_middle_what_is_to_be_kept_stays_and_nothing_runs() {
    let mut begun = Begun::with(&["--keep"]);
    begun.read_until("pod hello");
    assert!(!begun.at_work().is_empty(), "the daemon runs");
    let (code, words) = begun.end("-INT", &format!("-{}", begun.demo.id()));
    assert_eq!(code, Some(130), "{words}");
    assert!(words.contains("berth-demo` is left"), "{words}");
    assert!(begun.folder.path().join("berth-demo/state/.git").is_dir());
    assert_eq!(begun.at_work(), [""; 0]);
}

/// Whether this process was sent a SIGTERM that it has not taken.
fn is_asked_to_end(process: &Path) -> bool {
    let status = fs::read_to_string(process.join("status")).unwrap();
    let pending = status.lines().find_map(|it| it.strip_prefix("ShdPnd:"));
    let pending = u64::from_str_radix(pending.unwrap().trim(), 16).unwrap();
    pending & (1 << 14) != 0
}

#[test]
fn a_second_signal_does_not_wait_for_a_daemon_that_hangs() {
    let mut begun = Begun::with(&[]);
    // The story has killed its daemon before that, and does so no more.
    begun.read_until("the refusal names the nearest sizes");
    let daemon = begun.daemon();
    let (whole, id) = (format!("-{}", begun.demo.id()), daemon.file_name().unwrap());
    kill("-STOP", id.to_str().unwrap());
    let first = Instant::now();
    kill("-INT", &whole);
    while !is_asked_to_end(&daemon) {
        std::thread::yield_now();
    }
    let (code, words) = begun.end("-INT", &whole);
    // That is how long a daemon may take.
    assert!(first.elapsed() < Duration::from_secs(15), "it waited");
    assert_eq!(code, Some(130), "{words}");
    assert!(words.contains("its folder is gone"), "{words}");
    assert!(begun.left().is_empty(), "{:?}", begun.left());
    assert_eq!(begun.at_work(), [""; 0]);
}
