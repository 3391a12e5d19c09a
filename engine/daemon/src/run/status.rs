//! The status branch, for the loop: `Record` and `Reload`.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::source::follow::chain;
use berth_core::ids::{CommitId, Timestamp};
use berth_core::ledger::{Ledger, LedgerError};
use berth_core::reconciler::{Anchor, Outcome, ServerWords};
use berth_git::{GitError, Person, PushError, RemoteError, StatusBranch, Stop};

/// The branch, shared by tasks; one at a time uses it.
#[derive(Clone)]
pub struct StatusEdge {
    branch: Arc<Mutex<StatusBranch>>,
    stop: Stop,
}

/// What goes into one commit.
pub struct Commit {
    /// The tip that it goes on top of.
    pub base: Option<CommitId>,
    /// Path to new content; `None` deletes a file.
    pub files: BTreeMap<String, Option<String>>,
    /// The message with its trailers.
    pub message: String,
    /// Its time.
    pub when: Timestamp,
}

impl StatusEdge {
    /// Shares the branch; `stop` is that of its source.
    pub fn new(branch: StatusBranch, stop: Stop) -> Self {
        Self {
            branch: Arc::new(Mutex::new(branch)),
            stop,
        }
    }

    /// Gives up what is under way, and whatever comes later: what is not pushed is not published.
    pub fn give_up(&self) {
        self.stop.stop();
    }

    /// Commits and pushes, each only if `may_send` still says so.
    pub async fn record(
        &self,
        commit: Commit,
        may_send: impl Fn() -> bool + Send + 'static,
    ) -> Outcome {
        self.blocking(move |branch| record(branch, &commit, may_send))
            .await
            .unwrap_or_else(Outcome::Unknown)
    }

    /// Reads the branch. The outer error is Git's, and passing; the inner one is the content's.
    pub async fn load(&self) -> Result<Result<Ledger, LedgerError>, String> {
        self.blocking(|branch| load(branch).map_err(|error| error.to_string()))
            .await?
    }

    /// Whether the branch is the one that the anchor tells of.
    pub async fn contains(&self, anchor: Anchor) -> bool {
        let contains = move |branch: &StatusBranch| is_in(branch, &anchor);
        self.blocking(contains).await.unwrap_or(false)
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&StatusBranch) -> T + Send + 'static,
    ) -> Result<T, String> {
        let shared = Arc::clone(&self.branch);
        let done = tokio::task::spawn_blocking(move || {
            work(&shared.lock().unwrap_or_else(PoisonError::into_inner))
        });
        done.await.map_err(|error| error.to_string())
    }
}

/// Whether the branch, as it was read last, is the one that the anchor tells of.
pub fn is_in(branch: &StatusBranch, anchor: &Anchor) -> bool {
    let tip = branch.tip().ok().flatten();
    anchor.is_in(|commit| tip.is_some_and(|tip| branch.is_ancestor(commit, tip).unwrap_or(false)))
}

/// Who commits.
pub fn author() -> Person {
    Person {
        name: "Berth".into(),
        email: "berth@localhost".into(),
    }
}

/// Reads the branch as it is published.
pub fn load(branch: &StatusBranch) -> Result<Result<Ledger, LedgerError>, GitError> {
    Ok(match branch.load()? {
        Some(read) => Ledger::read(Some(read.tip), &read.files),
        None => Ledger::read(None, &[]),
    })
}

fn record(branch: &StatusBranch, commit: &Commit, may_send: impl Fn() -> bool) -> Outcome {
    let who = author();
    let files: Vec<_> = commit
        .files
        .iter()
        .map(|(path, text)| {
            (
                path.clone(),
                text.as_ref().map(|text| text.clone().into_bytes()),
            )
        })
        .collect();
    let when = commit.when.millis();
    // In a local repository the commit publishes it.
    if !may_send() {
        return Outcome::too_late();
    }
    match branch.commit(commit.base, &files, &commit.message, when, &who) {
        // What is only in the mirror is forgotten by the next commit.
        Ok(_) if branch.is_remote() && !may_send() => Outcome::too_late(),
        Ok(tip) => match branch.push(commit.base, tip) {
            Ok(()) => Outcome::Recorded(tip),
            Err(error) => not_pushed(error),
        },
        Err(GitError::Moved { .. }) => Outcome::Outpaced,
        Err(error) => not_carried(&error),
    }
}

fn not_pushed(error: PushError) -> Outcome {
    tracing::warn!(reason = error.reason(), %error, help = error.help(), "the status was not pushed");
    match error {
        PushError::Rejected => Outcome::Outpaced,
        PushError::Refused { words } => Outcome::Refused(ServerWords {
            code: 0,
            reason: "PushRefused".into(),
            message: words,
        }),
        error if error.is_unknown() => Outcome::Unknown(error.to_string()),
        PushError::Failed(error) => Outcome::Unreachable(error.to_string()),
    }
}

fn not_carried(error: &GitError) -> Outcome {
    let words = chain(error);
    tracing::warn!(
        reason = error.reason(),
        error = words,
        help = error.help(),
        "the status was not committed"
    );
    match error {
        GitError::Remote(RemoteError::Timeout { .. }) => Outcome::Unknown(words),
        _ => Outcome::Unreachable(words),
    }
}
