//! Publishing a commit on a remote, by compare-and-swap.

use berth_core::ids::CommitId;
use std::path::Path;

use crate::error::{GitError, RemoteError};
use crate::program::Output;
use crate::wire::Wire;
use crate::words;

/// Why a commit was not published.
#[derive(Debug, thiserror::Error)]
pub enum PushError {
    /// The branch is not where it was expected: somebody else moved, made or deleted it. Load it
    /// again and plan anew.
    #[error("the remote branch was moved by another writer")]
    Rejected,
    /// The server refuses the push: a hook, or a rule of the forge.
    #[error("the remote refuses the push: {words}")]
    Refused {
        /// Its own words, bounded and without credentials.
        words: String,
    },
    /// The push could not be tried, or its answer was lost.
    #[error(transparent)]
    Failed(#[from] GitError),
}

impl PushError {
    /// A stable word for metrics and status.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Rejected => "PushRejected",
            Self::Refused { .. } => "PushRefused",
            Self::Failed(error) => error.reason(),
        }
    }

    /// The next thing to do, as one sentence.
    pub fn help(&self) -> String {
        match self {
            Self::Rejected => {
                "only one daemon may write a cluster's status; look who pushed".into()
            }
            Self::Refused { .. } => {
                "let Berth push to berth/status/* without reviews and checks".into()
            }
            Self::Failed(error) => error.help(),
        }
    }

    /// Whether the commit may have arrived all the same, because only the answer was lost.
    pub const fn is_unknown(&self) -> bool {
        matches!(
            self,
            Self::Failed(GitError::Remote(
                RemoteError::Timeout { .. }
                    | RemoteError::Unreachable { .. }
                    | RemoteError::Stopped
            ))
        )
    }
}

/// Moves the remote's reference from `old` (none is absence) to `new`, whose objects are sent.
pub(crate) fn push(
    wire: &Wire,
    mirror: &Path,
    reference: &str,
    old: Option<CommitId>,
    new: CommitId,
) -> Result<(), PushError> {
    let old = old.map(|id| id.to_string()).unwrap_or_default();
    let lease = format!("--force-with-lease={reference}:{old}");
    let options = [
        "push",
        "--porcelain",
        "--no-verify",
        "--no-follow-tags",
        "--recurse-submodules=no",
        &lease,
    ];
    judge(&wire.run(mirror, &options, &[&format!("{new}:{reference}")])?)
}

/// What the porcelain lines say: `!<tab>source:target<tab>[rejected] (why)`.
fn judge(output: &Output) -> Result<(), PushError> {
    if output.success {
        return Ok(());
    }
    let line = output
        .stdout
        .lines()
        .find_map(|line| line.strip_prefix("!\t"));
    let Some((_, verdict)) = line.and_then(|line| line.split_once('\t')) else {
        return Err(PushError::Failed(words::failure(&output.stderr).into()));
    };
    if verdict.starts_with("[rejected]") || lost_race(verdict) {
        return Err(PushError::Rejected);
    }
    if verdict.starts_with("[remote rejected]") {
        return Err(PushError::Refused {
            words: refusal(verdict, &output.stderr),
        });
    }
    Err(PushError::Failed(words::failure(&output.stderr).into()))
}

/// Whether the server says that the reference moved between its greeting and its answer.
fn lost_race(verdict: &str) -> bool {
    let signs = [
        "failed to update ref",
        "cannot lock ref",
        "failed to lock",
        "incorrect old value",
    ];
    signs.iter().any(|sign| verdict.contains(sign))
}

/// The verdict and what a hook wrote.
fn refusal(verdict: &str, stderr: &str) -> String {
    let hook = stderr
        .lines()
        .filter_map(|line| line.strip_prefix("remote: "));
    let lines: Vec<_> = std::iter::once(verdict)
        .chain(hook.map(str::trim))
        .collect();
    words::excerpt(&lines.join("\n"))
}
