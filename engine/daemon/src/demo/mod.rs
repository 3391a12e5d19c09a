//! `berth demo`: the main job on the embedded sandbox, told step by step, checked at each.

mod api;
mod example;
mod narrator;
mod repository;
mod signals;
mod stage;
mod status;
mod story;
mod world;

use std::path::PathBuf;

use crate::error::CommandError;

pub use story::tell;

/// Why the demo did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// Something that the story tells did not happen.
    #[error("{what}")]
    Untrue {
        /// What should have been.
        what: String,
        /// The last lines of the daemon's log.
        log: String,
    },
    /// There is no git program.
    #[error("the git program cannot be run")]
    NoGit(#[source] std::io::Error),
    /// The git program failed.
    #[error("`git {doing}` failed: {words}")]
    Git {
        /// Its arguments.
        doing: String,
        /// What it said.
        words: String,
    },
    /// The state repository cannot be watched.
    #[error("the state repository cannot be watched")]
    Watch(#[from] berth_git::GitError),
    /// Its end was asked for.
    #[error("the demo was ended by {} before all of it was told", signal.name)]
    Ended {
        /// How.
        signal: signals::Came,
        /// Where everything was left, if it was.
        kept: Option<PathBuf>,
    },
    /// Files or sockets.
    #[error("the demo's files or sockets failed")]
    Io(#[from] std::io::Error),
}

impl DemoError {
    fn untrue(what: impl Into<String>) -> Self {
        Self::Untrue {
            what: what.into(),
            log: String::new(),
        }
    }
}

impl From<DemoError> for CommandError {
    fn from(error: DemoError) -> Self {
        match error {
            DemoError::Untrue { ref log, .. } if !log.is_empty() => {
                let log = log.clone();
                let told = Self::environment(error).hint("the daemon's last words are below");
                told.quoting(log)
            }
            DemoError::NoGit(_) => {
                Self::environment(error).hint("install git and put it on the PATH")
            }
            DemoError::Ended { signal, ref kept } => {
                let left = kept
                    .as_ref()
                    .map_or("its folder is gone".to_owned(), |folder| {
                        format!("`{}` is left, as `--keep` says", folder.display())
                    });
                let hint = format!("its daemon and its sandbox have ended, and {left}");
                Self::ended(signal.exit, error).hint(hint)
            }
            other => Self::environment(other),
        }
    }
}

/// How the demo is run.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where to leave everything; `None` takes it away at the end.
    pub keep: Option<PathBuf>,
}
