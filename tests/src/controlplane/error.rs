//! Why a control plane does not run.

use std::path::PathBuf;

/// Why a control plane does not start or does not stay.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A program is not there.
    #[error("{} is missing: run `make controlplane` first (needs Go)", program.display())]
    NotBuilt {
        /// Where it would be.
        program: PathBuf,
    },
    /// The machine lacks something.
    #[error("{words}")]
    Lacks {
        /// What, and how to get it.
        words: String,
    },
    /// A program ended by itself.
    #[error("{program} ended ({status}); its last words:\n{words}")]
    Ended {
        /// Its name.
        program: String,
        /// How.
        status: String,
        /// The end of its log.
        words: String,
    },
    /// Something did not come in time.
    #[error("the control plane has no {what} after a long wait")]
    Late {
        /// What.
        what: &'static str,
    },
    /// The client cannot be made.
    #[error("no client: {0}")]
    Client(String),
    /// A file, a port or a process cannot be had.
    #[error("the control plane cannot be started")]
    Io(#[from] std::io::Error),
}
