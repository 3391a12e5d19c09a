//! What the edges feed in and carry out. The edges decide nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::ids::{CommitId, Digest, Name, ObjectKey, ResourceVersion, Timestamp, Uid, UnitId};
use crate::observed::{Fact, NodeFact, Occupant};

/// What a watch watches. One watch a (kind, namespace, selector).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WatchKey {
    /// Our objects of one kind in one namespace, by the label `berth.dev/instance`.
    Ours(crate::ids::ObjectKind, Box<str>),
    /// All nodes.
    Nodes,
    /// All pods of all namespaces, slim: whatever takes slots and does not carry our instance label.
    Occupants,
}

/// One message of a watch.
#[derive(Debug, Clone, PartialEq)]
pub enum WatchEvent {
    /// A (new) listing begins: until `Complete` the view is not complete.
    Started,
    /// An object as it is now.
    Object(Box<Fact>),
    /// An object went away.
    ObjectGone(ObjectKey, ResourceVersion),
    /// A node as it is now.
    Node(NodeFact, ResourceVersion),
    /// A node went away.
    NodeGone(Box<str>, ResourceVersion),
    /// A foreign pod that takes slots, by namespace and name.
    Occupant((Box<str>, Box<str>), Occupant),
    /// It went away or ended.
    OccupantGone((Box<str>, Box<str>)),
    /// Everything up to this version has been told; what was not told since `Started` is gone.
    Complete(ResourceVersion),
    /// The watch has passed this version (a bookmark).
    Passed(ResourceVersion),
    /// The server does not let us see this, in its words.
    Unreadable(String),
}

/// Who writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Role {
    /// This daemon holds the Lease until then.
    Leader {
        /// Writes stop at this time unless the Lease is renewed.
        until: Timestamp,
    },
    /// Another one does.
    Follower {
        /// Its identity.
        holder: String,
    },
}

/// Who we are in the cluster, as both sides know it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Identity {
    /// The cluster document's name.
    pub cluster: Name,
    /// Random, made once.
    pub instance: String,
    /// The uid of the namespace kube-system.
    pub cluster_uid: String,
}

/// What the cluster's anchor, the ConfigMap `berth-<cluster>`, says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Anchor {
    /// The identity that it carries.
    pub identity: Identity,
    /// The last status commit that was pushed.
    pub status: Option<CommitId>,
    /// The root commit that a compaction is about to put, or has put, in its place.
    pub next: Option<CommitId>,
    /// The namespaces in which anything may have been made: what a daemon made and could not record
    /// is found there.
    pub namespaces: BTreeSet<String>,
    /// Its uid and version, for preconditions.
    pub uid: Uid,
    /// Its version.
    pub version: ResourceVersion,
}

/// Names one effect, for its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EffectId(pub u64);

/// One call to carry out. Effects of one step may be carried out in any order and side by side:
/// whatever must come first has been answered before the next one is given.
#[derive(Debug, Clone, PartialEq)]
pub struct Effect {
    /// For the answer.
    pub id: EffectId,
    /// The unit that it serves; `None` for what serves the whole cluster.
    pub unit: Option<UnitId>,
    /// Why, for plans, logs and events.
    pub why: String,
    /// What to do.
    pub what: What,
}

/// What an effect does.
#[derive(Debug, Clone, PartialEq)]
pub enum What {
    /// POST, strict field validation, field manager `berth`.
    Create {
        /// The object.
        key: ObjectKey,
        /// Its digest, to tell our own object apart when it exists already.
        digest: Digest,
        /// The whole body.
        body: serde_json::Value,
    },
    /// Server-side apply with force to an object that is known to be ours; the uid is in the body.
    /// With `dry_run` the answer is `Compared`.
    Apply {
        /// The object.
        key: ObjectKey,
        /// Which life of it.
        uid: Uid,
        /// The whole body.
        body: serde_json::Value,
        /// Only ask.
        dry_run: bool,
    },
    /// Read a pod that somebody changed, and say what: it is never corrected. The answer is
    /// `Compared`.
    Inspect {
        /// The object.
        key: ObjectKey,
        /// What it was made from; null if that is not known any more.
        body: serde_json::Value,
    },
    /// DELETE with preconditions.
    Delete {
        /// The object.
        key: ObjectKey,
        /// Only this life of it.
        uid: Uid,
        /// Only this state of it.
        version: ResourceVersion,
    },
    /// Take the finalizer `berth.dev/outcome` off, if uid and version are these.
    Release {
        /// The object.
        key: ObjectKey,
        /// Only this life of it.
        uid: Uid,
        /// Only this state of it.
        version: ResourceVersion,
    },
    /// Put the marks back by which a pod is found, if its uid is this. `Absent` proves that this life
    /// of it is over.
    Mark {
        /// The pod.
        key: ObjectKey,
        /// Only this life of it.
        uid: Uid,
        /// Labels to set.
        labels: BTreeMap<String, String>,
        /// Annotations to set.
        annotations: BTreeMap<String, String>,
        /// Whether its finalizer is to be there: only on one that nobody asked to go.
        finalizer: bool,
    },
    /// One commit on the status branch on top of `base`, pushed; `None` deletes a file.
    Record {
        /// The tip that it goes on top of; `None` for the first one.
        base: Option<CommitId>,
        /// Path to new content.
        files: BTreeMap<String, Option<String>>,
        /// The commit message with its trailers.
        message: String,
        /// The commit's time.
        when: Timestamp,
    },
    /// Read again what is kept outside: answered by `Input::Identity`, `Input::Spill` and
    /// `Input::Ledger`, in any order; or by those that could be read and then by an outcome that says
    /// why not all could. Given at the start and whenever another writer may have been at work.
    Reload,
    /// Write ConfigMap data of Berth's own, in its own namespace: the anchor or the spill.
    Keep {
        /// Its name.
        name: String,
        /// All of its data; `None` deletes it.
        data: Option<BTreeMap<String, String>>,
        /// The version that it replaces; `None` creates it.
        version: Option<ResourceVersion>,
    },
    /// An Event for people, on an object.
    Tell {
        /// The object.
        key: ObjectKey,
        /// Which life of it; `None` for one that could not be made.
        uid: Option<Uid>,
        /// `Normal` or `Warning`.
        warning: bool,
        /// CamelCase.
        reason: String,
        /// A sentence.
        note: String,
    },
}

/// The server's own words on why it refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerWords {
    /// The HTTP status, 0 for Git.
    pub code: u16,
    /// `Forbidden`, `Invalid`, `NotFound` ...
    pub reason: String,
    /// The message.
    pub message: String,
}

/// One field that differs between the live object and what would be applied.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct FieldDrift {
    /// Such as `spec.selector`.
    pub path: String,
    /// What is live, cut for people; `None` if absent.
    pub live: Option<String>,
    /// What Berth would set; `None` if nothing.
    pub desired: Option<String>,
    /// What it was made with is not known any more, as it was made from layers of another day.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub forgotten: bool,
    /// The manager that changed it, if managedFields tell.
    pub manager: Option<String>,
    /// When, if managedFields tell.
    pub when: Option<String>,
}

/// What became of an effect.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// Carried out; for objects, what they are now (absent after a delete that finished at once).
    Done(Option<Box<Fact>>),
    /// Create: there is one of this name; this is it.
    Exists(Box<Fact>),
    /// Dry run or inspection: these fields differ; none means in sync.
    Compared(Vec<FieldDrift>, Box<Fact>),
    /// A precondition did not hold, or the object is not there any more.
    Conflict,
    /// The object does not exist (404).
    Absent,
    /// Refused for good, in the server's words.
    Refused(ServerWords),
    /// Told to wait; not carried out.
    Throttled(Duration),
    /// Told to wait by a server that may have carried it out, and in which words.
    Busy(Duration, String),
    /// Certainly not carried out: no answer could have been made.
    Unreachable(String),
    /// The answer was lost; it may have been carried out.
    Unknown(String),
    /// Record: pushed; the new tip.
    Recorded(CommitId),
    /// Record: somebody else pushed first.
    Outpaced,
    /// Keep: the version now.
    Kept(ResourceVersion),
}

impl Outcome {
    /// Of an effect that was not sent, as the time in which it might have been was over.
    pub fn too_late() -> Self {
        Self::Unreachable("the Lease ran out before it was sent".into())
    }

    /// Whether what was to be kept may be another one by now: somebody else wrote it, or our own
    /// write went through unheard.
    pub(super) fn may_have_moved(&self) -> bool {
        matches!(
            self,
            Self::Conflict | Self::Absent | Self::Exists(_) | Self::Unknown(_) | Self::Busy(..)
        )
    }
}

/// A commit of the state repository that makes no snapshot: what was in force stays.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Unusable {
    /// Its id.
    pub commit: CommitId,
    /// Why, a line each; never empty.
    pub errors: Vec<String>,
}

/// One commit of the state repository, as far as the reconciler cares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitFacts {
    /// Its id.
    pub id: CommitId,
    /// Its first line.
    pub subject: String,
    /// `Key: value` lines at its end.
    pub trailers: Vec<(String, String)>,
    /// The commit told before this one, if this one descends from it. Without it the branch was
    /// rewritten or rolled back (or this is the first one told).
    pub after: Option<CommitId>,
    /// With `after`: what came since then, itself included. Without: all its ancestors, bounded,
    /// itself included.
    pub new_ancestors: Vec<CommitId>,
    /// There are older ones that should be told, and are not, as they are too many.
    pub older_left_out: bool,
}
