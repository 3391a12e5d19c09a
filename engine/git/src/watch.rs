//! Wakes the daemon when a reference of a local repository moves.

use std::path::Path;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use notify::event::ModifyKind;
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};

use crate::error::GitError;
use crate::store;

/// A burst is over when nothing came for this long.
const QUIET: Duration = Duration::from_millis(5);
/// A burst is cut after this long.
const BURST: Duration = Duration::from_millis(25);

/// Calls back within 50 ms of a change to any reference of a local repository: loose and packed
/// ones, HEAD, reftables; also for a linked worktree. Drop it to stop.
///
/// It may call back when nothing changed, so the callback is to look at the reference, not to
/// conclude anything. One burst of changes is one call. If the folder of references itself is
/// replaced, the watch sees that it goes, and then no more: poll slowly beside it.
pub struct LocalWatch {
    _watcher: RecommendedWatcher,
}

impl LocalWatch {
    /// Watches the repository at this path (a work tree, a linked one, or a bare repository).
    pub fn start(path: &Path, callback: impl FnMut() + Send + 'static) -> Result<Self, GitError> {
        let repo = store::open(path)?;
        let (send, receive) = mpsc::channel();
        let hear = move |event: notify::Result<Event>| {
            if matters(&event) {
                // Nobody listens any more when the watch is being dropped.
                let _ = send.send(());
            }
        };
        let mut watcher = notify::recommended_watcher(hear).map_err(failed)?;
        for (folder, mode) in folders(repo.git_dir(), repo.common_dir()) {
            watcher.watch(&folder, mode).map_err(failed)?;
        }
        thread::spawn(move || settle(&receive, callback));
        Ok(Self { _watcher: watcher })
    }
}

fn failed(source: notify::Error) -> GitError {
    GitError::Watch {
        source: source.into(),
    }
}

fn folders(own: &Path, common: &Path) -> Vec<(std::path::PathBuf, RecursiveMode)> {
    let mut folders = vec![(common.to_owned(), RecursiveMode::NonRecursive)];
    if own != common {
        folders.push((own.to_owned(), RecursiveMode::NonRecursive));
    }
    let deep = ["refs", "reftable"].map(|name| common.join(name));
    folders.extend(
        deep.into_iter()
            .filter(|path| path.is_dir())
            .map(|path| (path, RecursiveMode::Recursive)),
    );
    folders
}

/// Whether an event can mean that a reference moved. Reading is none: the callback reads.
fn matters(event: &notify::Result<Event>) -> bool {
    let Ok(event) = event else { return true };
    let moved = match event.kind {
        EventKind::Access(_) | EventKind::Modify(ModifyKind::Metadata(_)) => false,
        EventKind::Any
        | EventKind::Create(_)
        | EventKind::Modify(_)
        | EventKind::Remove(_)
        | EventKind::Other => true,
    };
    moved && (event.paths.is_empty() || event.paths.iter().any(|path| is_reference(path)))
}

fn is_reference(path: &Path) -> bool {
    let inside = path.iter().any(|part| part == "refs" || part == "reftable");
    let named = path
        .file_name()
        .is_some_and(|name| name == "HEAD" || name == "packed-refs");
    (inside || named) && path.extension().is_none_or(|extension| extension != "lock")
}

/// Makes one call of a burst, until the watcher is gone.
fn settle(events: &Receiver<()>, mut callback: impl FnMut()) {
    while events.recv().is_ok() {
        let until = Instant::now() + BURST;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            match events.recv_timeout(QUIET.min(left)) {
                Ok(()) if Instant::now() < until => {}
                Ok(()) | Err(RecvTimeoutError::Timeout) => break,
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
        callback();
    }
}
