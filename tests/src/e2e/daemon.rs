//! The daemon as a child process.

use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};

use super::wake::Wake;

/// How a daemon is started.
#[derive(Debug, Clone)]
pub struct Flags {
    /// `--repo`.
    pub repository: String,
    /// `--ref`.
    pub reference: String,
    /// `--cluster`; none if it is empty.
    pub cluster: String,
    /// `--kubeconfig`.
    pub kubeconfig: PathBuf,
    /// `--identity`.
    pub identity: String,
    /// `BERTH_CRASH`.
    pub crash: Option<String>,
    /// More arguments.
    pub more: Vec<String>,
    /// The variables of a pod, which name the API server in place of `--kubeconfig`.
    pub pod: Option<Vec<(String, String)>>,
}

#[derive(Debug, Default)]
struct Shared {
    log: Vec<String>,
    ended: Option<ExitStatus>,
}

/// A running daemon. Dropped, it is killed.
#[derive(Debug)]
pub struct Daemon {
    pid: Pid,
    shared: Arc<Mutex<Shared>>,
}

impl Daemon {
    /// Starts it; each line of its log and its end ring.
    pub fn start(flags: &Flags, wake: &Wake) -> Self {
        let mut command = super::command();
        command
            .args(["run", "--repo", &flags.repository])
            .arg(format!("--ref={}", flags.reference))
            .args(["--identity", &flags.identity])
            .args(["--log-format", "json"])
            .args(&flags.more)
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        if !flags.cluster.is_empty() {
            command.args(["--cluster", &flags.cluster]);
        }
        match &flags.pod {
            Some(variables) => command.envs(variables.iter().cloned()),
            None => command.arg("--kubeconfig").arg(&flags.kubeconfig),
        };
        if let Some(crash) = &flags.crash {
            command.env("BERTH_CRASH", crash);
        }
        let mut child = tokio::process::Command::from(command)
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let pid = Pid::from_raw(i32::try_from(child.id().unwrap()).unwrap()).unwrap();
        let shared = Arc::<Mutex<Shared>>::default();
        let (theirs, wake) = (Arc::clone(&shared), wake.clone());
        tokio::spawn(async move {
            read(child.stderr.take().unwrap(), &theirs, &wake).await;
            let ended = child.wait().await.unwrap();
            lock(&theirs).ended = Some(ended);
            wake.ring();
        });
        Self { pid, shared }
    }

    /// How it ended; `None` while it lives.
    pub fn ended(&self) -> Option<ExitStatus> {
        lock(&self.shared).ended
    }

    /// All lines that it has logged.
    pub fn log(&self) -> Vec<String> {
        lock(&self.shared).log.clone()
    }

    /// Whether a line of its log holds all of these words.
    pub fn says(&self, words: &[&str]) -> bool {
        let shared = lock(&self.shared);
        shared
            .log
            .iter()
            .any(|line| words.iter().all(|word| line.contains(word)))
    }

    /// The effects that it has carried out: kind, outcome, object.
    pub fn effects(&self) -> Vec<(String, String, String)> {
        let shared = lock(&self.shared);
        let lines = shared.log.iter();
        let effect = |line: &String| {
            let line: Value = serde_json::from_str(line).ok()?;
            let text = |key: &str| line[key].as_str().unwrap_or_default().to_owned();
            let kind = line["effect"].as_str()?.to_owned();
            Some((kind, text("outcome"), text("object")))
        };
        lines.filter_map(effect).collect()
    }

    /// Sends a signal; without effect once it has ended.
    pub fn signal(&self, signal: Signal) {
        if self.ended().is_none() {
            // It may end at this very moment.
            let _ = kill_process(self.pid, signal);
        }
    }

    /// kill -9.
    pub fn kill(&self) {
        self.signal(Signal::KILL);
    }

    /// SIGTERM.
    pub fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// SIGSTOP.
    pub fn pause(&self) {
        self.signal(Signal::STOP);
    }

    /// SIGCONT.
    pub fn wake(&self) {
        self.signal(Signal::CONT);
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.kill();
    }
}

async fn read(stderr: impl AsyncRead + Unpin, shared: &Mutex<Shared>, wake: &Wake) {
    let mut lines = BufReader::new(stderr).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        lock(shared).log.push(line);
        wake.ring();
    }
}

fn lock(shared: &Mutex<Shared>) -> std::sync::MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
