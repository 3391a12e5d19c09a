//! What is kept in the cluster, the anchor and the spill, when it is not known what became of a write.

use super::Outcome;
use super::identity::Overtaken;
use super::spill::Spilled;
use super::state::Reconciler;
use crate::ids::Timestamp;

impl Reconciler {
    /// The anchor or the spill was not written, as far as is known. That our own write may have arrived
    /// is no reason to stop, as nothing is taken to be durable by it: it is found out by reading, and if
    /// Git is away, where both can be read. Otherwise somebody else wrote. Before the `first` anchor
    /// nothing was begun.
    pub(super) fn not_kept(&mut self, outcome: &Outcome, first: bool) {
        match outcome {
            Outcome::Unknown(_) | Outcome::Busy(..) if !first => {
                self.overtaken(Overtaken::Kept);
            }
            other => self.outside.stale |= other.may_have_moved(),
        }
    }

    /// A write of ours may have arrived unheard.
    pub(super) fn overtaken(&mut self, by: Overtaken) {
        self.outside.overtaken = self.outside.overtaken.max(by);
    }

    /// Both were read: they are what they are, whatever was heard of a write. The branch may still not
    /// be there.
    pub(super) fn hear_kept(&mut self, now: Timestamp) {
        if self.outside.overtaken != Overtaken::Kept {
            return;
        }
        let (Some(place), Some((data, version))) = (&self.outside.place, &self.outside.spill)
        else {
            return;
        };
        let anchor = place.anchor.clone();
        let Some(anchor) = anchor.filter(|it| self.identity.as_ref() == Some(&it.identity)) else {
            return;
        };
        let (units, version) = (Spilled::read(data), *version);
        self.outside.overtaken = Overtaken::Branch;
        self.book.anchor = Some(anchor.version);
        self.book.named = anchor.namespaces;
        // What waited for a namespace to be named can be made now.
        self.todo.extend(self.units.keys().cloned());
        self.anchored(anchor.status);
        match version {
            Some(version) => self.spill_answered(now, units, Outcome::Kept(version)),
            None => self.spill_gone(now, Outcome::Absent),
        }
    }
}
