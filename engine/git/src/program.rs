//! Runs the git program: no shell, no terminal, no inherited `GIT_*`, bounded output, a deadline.

use std::io::Read;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

use crate::error::RemoteError;

/// Bytes that are kept of each stream; the rest is read and dropped.
const MAX_OUTPUT: u64 = 1 << 20;

/// What git is given to remove its locks.
const GRACE: Duration = Duration::from_millis(200);

/// What a program that ended left.
#[derive(Debug)]
pub(crate) struct Output {
    pub(crate) success: bool,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// The git program without anything inherited that could steer it or ask a person.
pub(crate) fn git() -> Command {
    let mut command = Command::new("git");
    for (name, _) in std::env::vars_os() {
        if name.as_encoded_bytes().starts_with(b"GIT_") {
            command.env_remove(name);
        }
    }
    command
        .env_remove("SSH_ASKPASS")
        .env("LC_ALL", "C")
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("GIT_ASKPASS", "")
        .env("GIT_OPTIONAL_LOCKS", "0");
    command
}

/// What a run may take.
#[derive(Debug, Clone)]
pub(crate) struct Bounds {
    pub(crate) timeout: Duration,
    /// Bytes of any file that it writes, such as a pack that a remote sends.
    pub(crate) file: u64,
}

/// Runs the command in its own process group; ends the whole group when the time is over.
pub(crate) fn run(mut command: Command, bounds: &Bounds) -> Result<Output, RemoteError> {
    let deadline = Instant::now() + bounds.timeout;
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0);
    let mut child = command.spawn().map_err(|error| RemoteError::Program {
        words: error.to_string(),
    })?;
    bound_files(&child, bounds.file);
    let (stdout, stderr) = (drain(child.stdout.take()), drain(child.stderr.take()));
    let output = receive(&stdout, deadline).zip(receive(&stderr, deadline));
    // The leader is not reaped before the group is killed, so its number cannot be another's yet.
    if let Some((stdout, stderr)) = output
        && let Some(status) = ended(&mut child, deadline)
    {
        return Ok(Output {
            success: status.success(),
            stdout,
            stderr,
        });
    }
    kill(&mut child);
    Err(RemoteError::Timeout {
        after: bounds.timeout,
    })
}

/// Limits the size of files; set before git has spoken to anybody, and inherited by what it starts.
#[cfg(target_os = "linux")]
fn bound_files(child: &Child, bytes: u64) {
    use rustix::process::{Resource, Rlimit, prlimit};
    let limit = Rlimit {
        current: Some(bytes),
        maximum: Some(bytes),
    };
    // It fails if the child has ended, or if the limit is lower already.
    let _ = prlimit(group(child), Resource::Fsize, limit);
}

#[cfg(not(target_os = "linux"))]
fn bound_files(_child: &Child, _bytes: u64) {}

/// Reads a stream to its end on a thread of its own.
fn drain(stream: Option<impl Read + Send + 'static>) -> Receiver<String> {
    let (send, receive) = mpsc::channel();
    thread::spawn(move || {
        let mut kept = Vec::new();
        if let Some(mut stream) = stream {
            // A stream that breaks has ended.
            let _ = stream.by_ref().take(MAX_OUTPUT).read_to_end(&mut kept);
            let _ = std::io::copy(&mut stream, &mut std::io::sink());
        }
        let _ = send.send(String::from_utf8_lossy(&kept).into_owned());
    });
    receive
}

fn receive(stream: &Receiver<String>, deadline: Instant) -> Option<String> {
    stream
        .recv_timeout(deadline.saturating_duration_since(Instant::now()))
        .ok()
}

/// Waits for the end of a child that has closed its streams: it is all but there.
fn ended(child: &mut Child, deadline: Instant) -> Option<ExitStatus> {
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Some(status),
            Ok(None) if Instant::now() < deadline => thread::sleep(Duration::from_millis(1)),
            Ok(None) | Err(_) => return None,
        }
    }
}

/// Asks the group to end, so that git removes its locks, and then ends it.
fn kill(child: &mut Child) {
    for (signal, grace) in [(Signal::TERM, GRACE), (Signal::KILL, Duration::ZERO)] {
        if let Some(group) = group(child) {
            // It may have ended by itself in between.
            let _ = kill_process_group(group, signal);
        }
        thread::sleep(grace);
    }
    let _ = child.wait();
}

/// The child's number, which is its group's too.
fn group(child: &Child) -> Option<Pid> {
    i32::try_from(child.id()).ok().and_then(Pid::from_raw)
}
