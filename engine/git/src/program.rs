//! Runs the git program: no shell, no terminal, no inherited `GIT_*`, bounded output, a deadline.

use std::io::Read;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

use crate::error::RemoteError;
use crate::stop::Stop;

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

/// The git program without anything inherited that could steer it or ask a person. Berth's own
/// settings do not concern it, and one may hold a password.
pub(crate) fn git() -> Command {
    let mut command = Command::new("git");
    for (name, _) in std::env::vars_os() {
        let text = name.as_encoded_bytes();
        if text.starts_with(b"GIT_") || text.starts_with(b"BERTH_") {
            command.env_remove(name);
        }
    }
    command
        .env_remove("SSH_ASKPASS")
        .env_remove("SSH_ASKPASS_REQUIRE")
        .env("LC_ALL", "C")
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("GIT_ASKPASS", "")
        .env("GCM_INTERACTIVE", "never")
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

/// What happens to a run.
#[derive(Debug)]
pub(crate) enum Event {
    /// All of its standard output.
    Stdout(String),
    /// All of its standard error.
    Stderr(String),
    /// The program ended; what it started may still hold its streams.
    Ended,
    /// It is to be given up.
    Stopped,
}

/// Runs the command in its own process group; ends the whole group when the time is over or `stop`
/// says so.
pub(crate) fn run(
    mut command: Command,
    bounds: &Bounds,
    stop: &Stop,
) -> Result<Output, RemoteError> {
    let deadline = Instant::now() + bounds.timeout;
    let (send, events) = mpsc::channel();
    let Some(_listening) = stop.listen(send.clone()) else {
        return Err(RemoteError::Stopped);
    };
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0);
    let mut child = command.spawn().map_err(|error| RemoteError::Program {
        words: error.to_string(),
    })?;
    bound_files(&child, bounds.file);
    drain(child.stdout.take(), send.clone(), Event::Stdout);
    drain(child.stderr.take(), send.clone(), Event::Stderr);
    // It is not reaped there, so its number cannot be another's before its group is killed here.
    tell_end(&child, send);
    let gathered = gather(&events, deadline);
    if gathered.is_err() {
        end(&child, &events);
    }
    let status = child.wait();
    let (stdout, stderr) = gathered.map_err(|why| match why {
        GivenUp::Late => RemoteError::Timeout {
            after: bounds.timeout,
        },
        GivenUp::Stopped => RemoteError::Stopped,
    })?;
    Ok(Output {
        success: status.is_ok_and(|status| status.success()),
        stdout,
        stderr,
    })
}

/// Why a run did not come to its end.
enum GivenUp {
    Late,
    Stopped,
}

/// Waits for both streams and for the end.
fn gather(events: &Receiver<Event>, deadline: Instant) -> Result<(String, String), GivenUp> {
    let (mut stdout, mut stderr, mut ended) = (None, None, false);
    loop {
        match (stdout.take(), stderr.take(), ended) {
            (Some(stdout), Some(stderr), true) => return Ok((stdout, stderr)),
            (one, other, _) => (stdout, stderr) = (one, other),
        }
        let left = deadline.saturating_duration_since(Instant::now());
        match events.recv_timeout(left) {
            Ok(Event::Stdout(text)) => stdout = Some(text),
            Ok(Event::Stderr(text)) => stderr = Some(text),
            Ok(Event::Ended) => ended = true,
            Ok(Event::Stopped) => return Err(GivenUp::Stopped),
            Err(_) => return Err(GivenUp::Late),
        }
    }
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
    let _ = prlimit(number(child), Resource::Fsize, limit);
}

#[cfg(not(target_os = "linux"))]
fn bound_files(_child: &Child, _bytes: u64) {}

/// Reads a stream to its end on a thread of its own.
fn drain(
    stream: Option<impl Read + Send + 'static>,
    send: Sender<Event>,
    event: impl FnOnce(String) -> Event + Send + 'static,
) {
    thread::spawn(move || {
        let mut kept = Vec::new();
        if let Some(mut stream) = stream {
            // A stream that breaks has ended.
            let _ = stream.by_ref().take(MAX_OUTPUT).read_to_end(&mut kept);
            let _ = std::io::copy(&mut stream, &mut std::io::sink());
        }
        // Nobody listens any more to a run that was given up.
        let _ = send.send(event(String::from_utf8_lossy(&kept).into_owned()));
    });
}

/// Tells the end of the child, and leaves it to be reaped.
fn tell_end(child: &Child, send: Sender<Event>) {
    let number = number(child);
    thread::spawn(move || {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        // Any error but an interruption says that it was reaped.
        while let Some(number) = number
            && waitid(WaitId::Pid(number), options).err() == Some(Errno::INTR)
        {}
        let _ = send.send(Event::Ended);
    });
}

/// Asks the group to end, so that git removes its locks, and then ends it.
fn end(child: &Child, events: &Receiver<Event>) {
    let Some(group) = number(child) else { return };
    // It may have ended by itself in between.
    let _ = kill_process_group(group, Signal::TERM);
    let until = Instant::now() + GRACE;
    loop {
        let left = until.saturating_duration_since(Instant::now());
        match events.recv_timeout(left) {
            Ok(Event::Ended) | Err(_) => break,
            Ok(_) => {}
        }
    }
    let _ = kill_process_group(group, Signal::KILL);
}

/// The child's number, which is its group's too.
fn number(child: &Child) -> Option<Pid> {
    i32::try_from(child.id()).ok().and_then(Pid::from_raw)
}
