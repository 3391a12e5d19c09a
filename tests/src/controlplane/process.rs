//! One program, from its start to its end.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use super::StartError;

/// Of the system's programs, which some parts start.
const PATH: &str = "/usr/sbin:/usr/bin:/sbin:/bin";

/// A program of ours; it is killed when it is dropped.
#[derive(Debug)]
pub(crate) struct Process {
    name: String,
    program: PathBuf,
    arguments: Vec<String>,
    folder: PathBuf,
    child: Option<Child>,
}

impl Process {
    /// Starts a program in a folder; what it says goes to `<name>.log` there.
    pub(crate) fn start(
        program: PathBuf,
        arguments: Vec<String>,
        folder: &Path,
    ) -> Result<Self, StartError> {
        let name = program.file_name().unwrap_or_default();
        let name = name.to_string_lossy().into_owned();
        Self::start_named(&name, program, arguments, folder)
    }

    /// Starts one that is called otherwise than its program.
    pub(crate) fn start_named(
        name: &str,
        program: PathBuf,
        arguments: Vec<String>,
        folder: &Path,
    ) -> Result<Self, StartError> {
        let mut process = Self {
            name: name.to_owned(),
            program,
            arguments,
            folder: folder.to_owned(),
            child: None,
        };
        process.start_again()?;
        Ok(process)
    }

    /// Starts it once more after it was killed.
    pub(crate) fn start_again(&mut self) -> Result<(), StartError> {
        self.kill();
        let log = self.log()?;
        let child = Command::new(&self.program)
            .args(&self.arguments)
            .current_dir(&self.folder)
            // Nothing of the user's: no kubeconfig, no proxy, no Go settings.
            .env_clear()
            .env("HOME", &self.folder)
            .env("PATH", PATH)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        self.child = Some(child);
        Ok(())
    }

    fn log(&self) -> io::Result<File> {
        OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.log_path())
    }

    fn log_path(&self) -> PathBuf {
        self.folder.join(format!("{}.log", self.name))
    }

    pub(crate) fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// An error if it ended by itself.
    pub(crate) fn check(&mut self) -> Result<(), StartError> {
        let Some(child) = &mut self.child else {
            return Ok(());
        };
        let Some(status) = child.try_wait()? else {
            return Ok(());
        };
        self.child = None;
        Err(StartError::Ended {
            program: self.name.clone(),
            status: status.to_string(),
            words: self.last_words(),
        })
    }

    /// Kills it by its own id and waits until it is gone.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            // Either fails only for a child that has ended, which is what is wanted.
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Kills what it runs and waits for its end, which follows: for a program that only starts
    /// another one in other namespaces.
    pub(crate) fn kill_within(&mut self) {
        let Some(mut child) = self.child.take() else {
            return;
        };
        let within = children(child.id());
        // Each fails only for one that has ended.
        for pid in &within {
            let _ = kill_process(*pid, Signal::KILL);
        }
        if within.is_empty() {
            let _ = child.kill();
        }
        let _ = child.wait();
    }

    /// The end of its log.
    pub(crate) fn last_words(&self) -> String {
        let log = std::fs::read(self.log_path()).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }
}

/// The processes that a process has started and that live.
pub(crate) fn children(pid: u32) -> Vec<Pid> {
    let listed = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
    let listed = listed.unwrap_or_default();
    let pids = listed.split_whitespace();
    pids.filter_map(|pid| Pid::from_raw(pid.parse().ok()?))
        .collect()
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}
