//! What a unit should have. A kind writes no action: it says what it wants.

use std::sync::Arc;
use std::time::Duration;

use crate::ids::{CommitId, Digest, Name, ObjectKey, Timestamp, Uid};
use crate::ledger::{Stop, UnitLedger, UnitStatus};
use crate::observed::{SlotRequest, Taint};

/// How an object is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Upkeep {
    /// `POST`ed once, never diffed, never corrected: pods.
    Frozen,
    /// Applied whenever it differs.
    Converged,
}

/// One wanted object. Its body is rendered only when it is sent.
#[derive(Clone)]
pub struct Recipe {
    /// Which object.
    pub key: ObjectKey,
    /// Digest of the desired form.
    pub digest: Digest,
    /// How it is kept.
    pub upkeep: Upkeep,
    /// It is created only once these are there.
    pub after: Vec<ObjectKey>,
    /// Path and value hashes of the desired leaves, for converged kinds; as in `Fact::leaves`.
    pub leaves: Arc<[(u64, u64)]>,
    /// Whether a frozen one is not as it was when it was made: somebody changed it. `None` if that
    /// cannot be told.
    pub suspect: Option<bool>,
    /// Makes the body, without the labels and annotations that the reconciler stamps.
    pub body: Arc<dyn Fn() -> serde_json::Value + Send + Sync>,
}

/// A request to the arbiter: may this attempt start?
#[derive(Debug, Clone, PartialEq)]
pub struct Ask {
    /// Which attempt: run, trial, attempt.
    pub attempt: (Box<str>, u32, u32),
    /// The queue.
    pub queue: Name,
    /// How many pods.
    pub pods: u32,
    /// What each pod takes; `None` for pods without slots.
    pub each: Option<SlotRequest>,
    /// Slots in all, for the quota.
    pub slots: u32,
    /// Larger goes first.
    pub priority: i64,
    /// Order of arrival; smaller goes first.
    pub sequence: u64,
    /// The pods' node selector.
    pub node_selector: Vec<(Box<str>, Box<str>)>,
    /// The taints that the pods tolerate.
    pub tolerations: Vec<Toleration>,
    /// It already started: it holds its slots, whatever the arbiter thinks.
    pub holds: bool,
    /// When all its pods ran, if they do.
    pub started: Option<Timestamp>,
    /// It ends at the latest so long after that.
    pub length: Option<Duration>,
}

/// Taints that a pod tolerates (`core/v1`, Toleration).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Toleration {
    /// Empty: all keys.
    pub key: Box<str>,
    /// `None`: all values, the operator `Exists`.
    pub value: Option<Box<str>>,
    /// Empty: all effects.
    pub effect: Box<str>,
}

impl Toleration {
    /// Whether it is of this taint.
    pub fn covers(&self, taint: &Taint) -> bool {
        let fits = |own: &str, theirs: &str| own.is_empty() || own == theirs;
        fits(&self.key, &taint.key)
            && self
                .value
                .as_ref()
                .is_none_or(|value| *value == taint.value)
            && fits(&self.effect, &taint.effect)
    }
}

/// What the arbiter says of an ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Grant {
    /// Go.
    Granted,
    /// Wait; the words say for what.
    Waiting(String),
}

/// A pod that the ledger knows by its uid, that may run, and that does not carry all its marks, or
/// not its finalizer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// Its name.
    pub key: ObjectKey,
    /// Which life of it.
    pub uid: Uid,
    /// The kind's own labels by which it is known.
    pub labels: Vec<(&'static str, String)>,
    /// It is seen as what it is, and lacks only what it says of its making, or its finalizer.
    pub seen: bool,
    /// It lacks its finalizer, and nobody asked it to go.
    pub bare: bool,
    /// The commit to put on it, if it lacks one.
    pub commit: Option<CommitId>,
    /// The digest of what it was rendered from to put on it, if it lacks one and that is known.
    pub digest: Option<Digest>,
}

/// What a unit should have now.
#[derive(Clone, Default)]
pub struct Want {
    /// Objects that should exist. What is ours, of this unit, and not here, goes.
    pub objects: Vec<Recipe>,
    /// What the ledger should say of this unit; `None` leaves it as it is.
    pub ledger: Option<UnitLedger>,
    /// Live pods whose outcome is in `ledger` above: once that is durable, their finalizer comes off.
    pub release: Vec<ObjectKey>,
    /// Pods that get their marks back, or are proven gone.
    pub missing: Vec<Missing>,
    /// Requests to the arbiter.
    pub asks: Vec<Ask>,
    /// When to look again though nothing happened.
    pub due: Option<Timestamp>,
    /// For people.
    pub status: UnitStatus,
    /// Why the open attempts of the run that is asked for, or of all if none is, should not go on.
    pub stop: Option<Stop>,
    /// It begins nothing, as what it seems to be moved from is kept (`View::moved_from`).
    pub kept_back: bool,
    /// Objects going away are live work of a document that was removed or replaced: the prune
    /// guard counts them.
    pub prunes: bool,
}
