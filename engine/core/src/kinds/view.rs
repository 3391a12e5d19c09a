//! What a kind sees of the cluster and of its own past when it decides.

use super::{Grant, Recipe};
use crate::ids::{Name, ObjectKey, Uid, UnitId};
use crate::ledger::UnitLedger;
use crate::observed::{Fact, PodFact};

/// Names an attempt towards the arbiter: run, trial, attempt; as in [`Ask::attempt`](super::Ask).
pub type AttemptKey = (Box<str>, u32, u32);

/// What is known of a node that a pod is bound to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NodeState {
    /// It is there and ready.
    Live,
    /// It was deleted or tainted out-of-service after the pod was bound: nothing of it runs any
    /// more.
    Gone,
    /// It is there, but does not answer, or says that it is not ready: something may still run
    /// there.
    Silent,
    /// Nodes cannot be read, or are being read: something may run there.
    Unknown,
}

/// All that a unit may look at. The same view and time give the same want.
pub struct View<'a> {
    /// This Berth's instance id, as in the label `berth.dev/instance`.
    pub instance: &'a str,
    /// The cluster document's name.
    pub cluster_name: &'a Name,
    /// What already happened; `None` if the unit is seen for the first time.
    pub ledger: Option<&'a UnitLedger>,
    /// The order of arrival to use if the unit is seen for the first time.
    pub sequence: u64,
    /// Our objects of this unit, sorted by key.
    pub objects: &'a [&'a Fact],
    /// The watches of the unit's namespace are complete: what is not in `objects` does not
    /// carry our marks, or is not there, but for what `unheard` says.
    pub complete: bool,
    /// What of the unit's namespace the server does not let us see, in its words: the view stays
    /// incomplete until somebody grants the right.
    pub unreadable: Option<String>,
    /// What the arbiter said of an attempt; `None` if it was not asked yet.
    pub grant: &'a dyn Fn(&AttemptKey) -> Option<Grant>,
    /// What is known of the node that a pod is bound to, if it is bound.
    pub node: &'a dyn Fn(&PodFact) -> Option<NodeState>,
    /// A pod of the unit whose create is not answered, or whose answer was lost: it may exist
    /// though the watch does not show it, of whatever attempt it is.
    pub unheard: Option<&'a ObjectKey>,
    /// Whether this life of an object is proven to be over. That a watch does not show it is no
    /// proof: whoever takes its label off hides it.
    pub gone: &'a dyn Fn(&ObjectKey, &Uid) -> bool,
    /// The document that this one seems to have been before it was moved to another queue, and whose
    /// live work the prune rule keeps: nothing is begun beside it.
    pub moved_from: &'a dyn Fn() -> Option<UnitId>,
    /// Its runs are doubted since `berth reanchor`: what its document asks for is noted at once, and
    /// not only once all is seen, as it may ask for something else by then.
    pub unproven: bool,
    /// The server refused to create this object, in its words.
    pub refused: &'a dyn Fn(&ObjectKey) -> Option<String>,
    /// The recipe of an object as it was worked out before from this very unit.
    pub made: &'a dyn Fn(&ObjectKey) -> Option<Recipe>,
}
