//! The facts that a body is turned into before it is dropped.

use std::sync::Arc;

use crate::ids::{CommitId, Digest, ObjectKey, ResourceVersion, Timestamp, Uid, UnitId};

/// Whose an object is. Ours: the instance label is this instance's, the annotation `berth.dev/id`
/// equals the object's own key (controllers copy labels), and it has no controller owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ownership {
    /// Made by this Berth, for this unit.
    Ours(UnitId),
    /// Anybody else's; the words say why it is not taken for ours.
    Foreign(Box<str>),
}

/// What Berth remembers of one live object of a kind that it makes.
#[derive(Debug, Clone, PartialEq)]
pub struct Fact {
    /// Which object.
    pub key: ObjectKey,
    /// Which life of it.
    pub uid: Uid,
    /// Which state of it.
    pub version: ResourceVersion,
    /// Whose it is.
    pub ownership: Ownership,
    /// The digest of the desired form that was applied last (annotation `berth.dev/digest`).
    pub digest: Option<Digest>,
    /// The commit that it was made or last changed for (annotation `berth.dev/commit`).
    pub commit: Option<CommitId>,
    /// When somebody asked it to go, by the server's clock: not when its grace ends.
    pub deleting: Option<Timestamp>,
    /// It carries the finalizer `berth.dev/outcome`.
    pub finalizer: bool,
    /// The annotation `berth.dev/hold` is there: nothing touches it.
    pub hold: bool,
    /// When it was made.
    pub created: Timestamp,
    /// For converged kinds: path hash and value hash of every live leaf, sorted by path hash.
    /// Desired leaves that are all here, equal, are in sync.
    pub leaves: Option<Arc<[(u64, u64)]>>,
    /// For pods only.
    pub pod: Option<Box<PodFact>>,
}

/// Which pod of which attempt a pod is, by its labels.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PodRole {
    /// The run's short digest (label `berth.dev/run`).
    pub run: Box<str>,
    /// Counted from 1.
    pub trial: u32,
    /// Counted from 1.
    pub attempt: u32,
    /// Counted from 0.
    pub rank: u32,
}

/// Where a pod is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PodPhase {
    /// Not running yet.
    Pending,
    /// Running.
    Running,
    /// Ended well, as the server sees it.
    Succeeded,
    /// Ended badly.
    Failed,
    /// The node does not answer.
    Unknown,
}

/// Slots that a pod asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlotRequest {
    /// The resource, such as `nvidia.com/gpu` or `cpu`.
    pub resource: Box<str>,
    /// In thousandths.
    pub millis: u64,
}

/// How the task container of a pod ended.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PodEnd {
    /// The exit code of the task container; absent when it never ran or the kubelet did not say.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub exit_code: Option<i32>,
    /// `Completed`, `Error`, `OOMKilled`, `Evicted`, `DeadlineExceeded` ...
    pub reason: String,
    /// Somebody asked it to stop: a `deletionTimestamp`, `DisruptionTarget`, an eviction.
    pub asked: bool,
    /// The program wrote the completion marker to its termination message.
    pub marker: bool,
    /// The pod's phase was Succeeded.
    pub succeeded: bool,
    /// When the container finished, as the kubelet says.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub finished: Option<Timestamp>,
    /// The end of its termination message, or of its log. It is the program's own text, and may hold
    /// anything: it goes to the ledger only where the Cluster says so.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub last_words: Option<Box<str>>,
}

/// What Berth remembers of a live pod.
#[derive(Debug, Clone, PartialEq)]
pub struct PodFact {
    /// `None` for pods that are not of an attempt.
    pub role: Option<PodRole>,
    /// Where it is in its life.
    pub phase: PodPhase,
    /// The node that it is bound to.
    pub node: Option<Box<str>>,
    /// The first state of it that is known to be bound: the node was there not long before.
    pub bound: Option<ResourceVersion>,
    /// Slots that it asks for.
    pub requests: Vec<SlotRequest>,
    /// When the task container started.
    pub started: Option<Timestamp>,
    /// Set once the phase is terminal.
    pub end: Option<PodEnd>,
    /// Why a container waits (`ImagePullBackOff: ...`), in the server's words.
    pub waiting: Option<Box<str>>,
    /// Why the scheduler does not place it, in its words.
    pub unschedulable: Option<Box<str>>,
    /// A hash of what can be changed on a live pod and is nobody's business but Berth's; it differs
    /// from the baseline when somebody changed the pod.
    pub changeable: u64,
}

impl PodFact {
    /// The present state of what can be changed, as the ledger keeps it. Another version of the
    /// hash has another beginning, and compares with nothing.
    pub fn baseline(&self) -> String {
        format!("{BASELINE}{:016x}", self.changeable)
    }

    /// What could be changed when that was written; `None` if another version of the hash wrote it.
    pub fn changeable_of(baseline: &str) -> Option<u64> {
        u64::from_str_radix(baseline.strip_prefix(BASELINE)?, 16).ok()
    }

    /// Whether the pod differs from what it was when that was written; `None` if it cannot be told.
    pub fn differs(&self, baseline: &str) -> Option<bool> {
        let known = baseline.starts_with(BASELINE);
        known.then(|| baseline != self.baseline())
    }
}

const BASELINE: &str = "v2-";

/// A taint that keeps pods away (`NoSchedule`, `NoExecute`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taint {
    /// Its key.
    pub key: Box<str>,
    /// Its value.
    pub value: Box<str>,
    /// Its effect.
    pub effect: Box<str>,
}

/// What Berth remembers of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeFact {
    /// Its name.
    pub name: Box<str>,
    /// Its condition Ready is True.
    pub ready: bool,
    /// It is not cordoned.
    pub schedulable: bool,
    /// It carries the taint `node.kubernetes.io/out-of-service`: its pods are truly gone.
    pub out_of_service: bool,
    /// Its taints.
    pub taints: Vec<Taint>,
    /// Its labels, sorted.
    pub labels: Vec<(Box<str>, Box<str>)>,
    /// What it can give, in thousandths, for the slot resources of the cluster.
    pub allocatable: Vec<SlotRequest>,
}

/// Anybody's non-terminal pod that takes slots, for `capacity: observed`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Occupant {
    /// Its node; a pod without one takes nothing yet.
    pub node: Option<Box<str>>,
    /// What it takes.
    pub requests: Vec<SlotRequest>,
}
