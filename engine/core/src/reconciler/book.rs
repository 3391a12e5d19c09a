//! What is to be recorded, and what is recorded.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::spill::Spilled;
use crate::ids::{CommitId, Digest, ResourceVersion, Timestamp, UnitId};
use crate::ledger::Progress;

/// The state of the status branch, the anchor and the spill.
#[derive(Debug, Default)]
pub(super) struct Book {
    /// The tip that the next commit goes on top of.
    pub tip: Option<CommitId>,
    /// The digest of every file at the tip.
    pub content: BTreeMap<String, Digest>,
    /// Units whose file may differ from the tip's.
    pub pending: BTreeSet<UnitId>,
    /// Something of the whole cluster changed.
    pub general: bool,
    /// Drift was found, or is over, since it was written last.
    pub drift: bool,
    /// Of when the drift is that the branch tells of.
    pub told: Told,
    /// What `applied.yaml` should say.
    pub progress: Progress,
    /// When the last commit was pushed.
    pub last: Option<Timestamp>,
    /// How long the next one waits after that, as far as the interval allows.
    pub pause: Duration,
    /// The ledger was read, and not everything that lives was seen since: what would be said now of
    /// units would be half of the truth.
    pub unseen: Option<Unseen>,
    /// A push may have gone through whose answer was lost.
    pub unheard: bool,
    /// Since when pushing fails.
    pub failing: Option<Timestamp>,
    pub tries: u32,
    pub not_before: Timestamp,
    /// The anchor's version, if there is one.
    pub anchor: Option<ResourceVersion>,
    /// The status commit that the anchor names.
    pub anchored: Option<CommitId>,
    /// The namespaces that it names: nothing is made in any other.
    pub named: BTreeSet<String>,
    /// What was pushed since: each tip with its units and their revision, oldest first.
    pub unanchored: Vec<(CommitId, BTreeMap<UnitId, u64>)>,
    /// Whether `berth reanchor` doubts runs.
    pub doubts: Doubts,
    /// Runs of doubted units that were looked at, by the short digest of their identity: the unit
    /// is doubted on until its snapshot tells for certain what it asks for.
    pub looked_at: BTreeSet<(UnitId, String)>,
    pub anchor_tries: u32,
    pub anchor_not_before: Timestamp,
    /// The spill's version, if there is one.
    pub spill: Option<ResourceVersion>,
    /// What the spill holds.
    pub spilled: BTreeMap<UnitId, Spilled>,
    pub spill_not_before: Timestamp,
}

impl Book {
    /// Whether the anchor is to name another tip or other namespaces than it does.
    pub fn is_behind(&self) -> bool {
        let names_all = self.progress.namespaces == self.named;
        self.doubts == Doubts::None && !(names_all && self.anchored == self.tip)
    }
}

/// Of when the drift is that the branch tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Told {
    /// Of the life of this daemon.
    #[default]
    Now,
    /// Of the one before, and not all of it was put right: it may still be there.
    Before,
    /// Of the one before, which put all of it right.
    Corrected,
}

/// How long it is waited for a whole view before anything is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unseen {
    /// Not looked yet.
    New,
    /// Until then at the latest.
    Until(Timestamp),
}

/// How far `berth reanchor` is with the runs that it doubts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Doubts {
    /// There is nothing to doubt, or it is pushed.
    #[default]
    None,
    /// They are doubted once there is a snapshot.
    Raised,
    /// That is not pushed yet: until then the anchor does not move, or nobody would know of it any
    /// more.
    Unpushed,
}
