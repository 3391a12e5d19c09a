//! The entries of a ledger file. `ledger:` is versioned and the only part that is read back.

use std::collections::BTreeMap;

use crate::ids::{BlobId, CommitId, Digest, Name, Timestamp, Uid};
use crate::observed::PodEnd;

/// The form of a document that was applied last.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Applied {
    /// The commit.
    pub commit: CommitId,
    /// The file in it.
    pub path: String,
    /// The blob of the file.
    pub blob: BlobId,
}

/// All that is known of one unit.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UnitLedger {
    /// Order of arrival in the cluster.
    pub sequence: u64,
    /// When it was seen first.
    pub first_seen: Timestamp,
    /// The form that is in force.
    pub applied: Applied,
    /// The document is not in the repository any more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub withdrawn: bool,
    /// Its runs, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub runs: Vec<Run>,
}

impl UnitLedger {
    /// How the pod of this uid ended, if that is recorded.
    pub fn end_of(&self, pod: &Uid) -> Option<&PodEnd> {
        let mut ranks = self.attempts().flat_map(|(.., attempt)| &attempt.ranks);
        let record = ranks.find(|record| record.uid.as_deref() == Some(&*pod.0))?;
        record.end.as_ref()
    }

    /// Every attempt that is known, oldest run first.
    pub fn attempts(&self) -> impl Iterator<Item = (&Run, &Trial, &Attempt)> {
        let trials = self
            .runs
            .iter()
            .flat_map(|run| run.trials.iter().map(move |trial| (run, trial)));
        trials.flat_map(|(run, trial)| {
            let attempts = trial.attempts.iter();
            attempts.map(move |attempt| (run, trial, attempt))
        })
    }
}

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum RunState {
    /// Not finished: it runs, waits, is paused, replaced or withdrawn, and can go on.
    Open,
    /// Every trial did what it should.
    Completed,
    /// A trial failed for good.
    Failed,
    /// The user canceled it.
    Canceled,
    /// Its history cannot be proven; held until `run` is raised.
    Unknown,
}

/// One execution of an experiment.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Run {
    /// The digest of the identity fields.
    pub identity: Digest,
    /// The commit that it began with.
    pub commit: CommitId,
    /// When it began.
    pub began: Timestamp,
    /// How far it is.
    pub state: RunState,
    /// Why it is in a final state, one line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When it reached a final state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished: Option<Timestamp>,
    /// Its trials.
    pub trials: Vec<Trial>,
}

/// One trial of a run.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Trial {
    /// Counted from 1.
    pub number: u32,
    /// Failures of the program so far.
    pub restarts: u32,
    /// Interruptions in a row, uncounted, capped.
    #[serde(default)]
    pub interruptions: u32,
    /// The prefix of `BERTH_CHECKPOINT_URI`, since the first attempt that had one: the next one finds
    /// what the last one left, whatever the documents say by then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoints: Option<String>,
    /// The last attempts, oldest first; older ones are dropped.
    pub attempts: Vec<Attempt>,
}

/// Why an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AttemptEnd {
    /// When.
    pub at: Timestamp,
    /// `Completed`, `Failed`, `Interrupted`.
    pub result: AttemptResult,
    /// One line for people, such as `rank 1 exited with 137 (OOMKilled)`.
    pub reason: String,
}

/// How an attempt counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum AttemptResult {
    /// The trial is done.
    Completed,
    /// The program failed: counted as a restart.
    Failed,
    /// Somebody or something stopped it: not counted.
    Interrupted,
}

/// One attempt of a trial.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Attempt {
    /// Counted from 1, never used again.
    pub number: u32,
    /// How many pods it has.
    pub pods: u32,
    /// Slots of each pod.
    pub slots: u32,
    /// The namespace of its objects; they stay there though the queue names another one later.
    /// Where the ledger does not say it, the pods tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<Name>,
    /// The commit that its pods were made for, if it is not that of its run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<CommitId>,
    /// When it was let go.
    pub began: Timestamp,
    /// When all its pods were seen on nodes, by Berth's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub placed: Option<Timestamp>,
    /// When its first pod ran.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started: Option<Timestamp>,
    /// What its pods were rendered from, for `outdated`: short digests by layer. Empty if it is
    /// not known (the attempt was found again by its pods, and they are rendered otherwise now).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub layers: BTreeMap<String, String>,
    /// Its decided end; its pods may still be going.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<AttemptEnd>,
    /// What is known of its pods, by rank; a rank without a record was never seen.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ranks: Vec<RankRecord>,
}

/// What is known of one pod: made when it is seen first, completed when it ended. A pod that was
/// seen is never made again, whatever becomes of it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RankRecord {
    /// Which pod.
    pub rank: u32,
    /// The life of it that this is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<String>,
    /// What could be changed on it as it was seen first (`PodFact::baseline`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline: Option<String>,
    /// The node that it ran on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// How it ended; `None` while it lives, and if it vanished.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<PodEnd>,
    /// It went away without an outcome (a finalizer taken off by hand).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub vanished: bool,
}

impl Run {
    /// The commit that the pods of one of its attempts were made for.
    pub fn commit_of(&self, attempt: &Attempt) -> CommitId {
        attempt.commit.unwrap_or(self.commit)
    }
}

impl RankRecord {
    /// Whether the pod may live: nothing says how it ended, or that it is gone.
    pub const fn may_live(&self) -> bool {
        self.end.is_none() && !self.vanished
    }
}

/// What people see of a unit: written beside the ledger, never read back.
#[derive(Debug, Clone, PartialEq, Default, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UnitStatus {
    /// `Running`, `Waiting`, `Completed`, `Failed`, `Paused`, `Canceled`, `Invalid`, `Held` ...
    pub state: String,
    /// One line: what it waits for, or why it is so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The run that the document asks for, begun or not, as the names of its pods have it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
    /// What takes effect only at the next attempt, such as `PodDefaults`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub outdated: Vec<String>,
    /// Findings: `path:line:column: code: cause; help (author)`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<String>,
    /// The pods of the attempt in force, by name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub pods: Vec<String>,
}
