//! Pods that lost the marks by which they are found.

use super::flight::Aim;
use super::state::Reconciler;
use super::{Effect, Outcome, What, stamp};
use crate::ids::{ObjectKey, Timestamp, Uid, UnitId};
use crate::kinds::Missing;
use crate::observed::{Ownership, marks};

impl Reconciler {
    /// Pods that may run and do not carry their marks get them back, or turn out to be gone.
    pub(super) fn find_again(
        &mut self,
        id: &UnitId,
        now: Timestamp,
        room: usize,
        out: &mut Vec<Effect>,
    ) {
        let Some(state) = self.units.get(id).filter(|_| !self.suspended()) else {
            return;
        };
        for missing in state.want.missing.clone().into_iter().take(room) {
            let key = &missing.key;
            let held = self.observed.get(key).is_some_and(|fact| fact.hold);
            if held || self.flights.busy(key) || self.backs_off(key, now) {
                continue;
            }
            out.extend(self.mark(id, missing));
        }
    }

    /// How all pods are found that the ledger knows, that may run and that do not carry their marks:
    /// also those of what stands still, and while nothing is changed. For whoever takes Berth away.
    pub fn find_unmarked(&mut self, now: Timestamp) -> Vec<Effect> {
        let all = self.units.keys().filter(|id| id.kind.has_queue());
        let missing = |id: &UnitId| (id.clone(), self.want_with(id, now, &|_| None).missing);
        let all: Vec<_> = all.map(missing).collect();
        let of = |(id, missing): (UnitId, Vec<Missing>)| {
            let unseen = missing.into_iter().filter(|it| !it.seen);
            let marks = unseen.map(|it| self.mark(&id, it));
            marks.collect::<Vec<_>>()
        };
        all.into_iter().flat_map(of).flatten().collect()
    }

    fn mark(&mut self, id: &UnitId, missing: Missing) -> Option<Effect> {
        let Missing {
            key,
            uid,
            commit,
            digest,
            ..
        } = missing;
        let instance = &self.identity.as_ref()?.instance;
        let [mut labels, mut annotations] = stamp::marks_of(instance, id, &key);
        let own = missing.labels.into_iter();
        labels.extend(own.map(|(name, value)| (name.to_owned(), value)));
        let commit = commit.map(|commit| (marks::COMMIT.to_owned(), commit.to_string()));
        annotations.extend(commit);
        let digest = digest.map(|digest| (marks::DIGEST.to_owned(), digest.to_string()));
        annotations.extend(digest);
        let why = if missing.bare {
            format!("{key} may run, and nothing keeps its end: it gets its finalizer")
        } else {
            format!("{key} may run, and is not seen with its marks: it gets them, or is gone")
        };
        let aim = Aim::Mark { uid: uid.clone() };
        let what = What::Mark {
            key: key.clone(),
            uid,
            labels,
            annotations,
            finalizer: missing.bare,
        };
        Some(self.give(id, &key, aim, why, what))
    }

    /// A pod has its marks again, or is proven gone.
    pub(super) fn mark_answered(
        &mut self,
        now: Timestamp,
        unit: &UnitId,
        key: &ObjectKey,
        uid: &Uid,
        outcome: Outcome,
    ) {
        match outcome {
            Outcome::Done(Some(fact)) => {
                let words = match &fact.ownership {
                    Ownership::Ours(owner) if owner == unit => None,
                    Ownership::Ours(owner) => Some(format!("{key} belongs to {owner}")),
                    Ownership::Foreign(why) => {
                        Some(format!("{key} is not Berth's any more: {why}"))
                    }
                };
                self.learn(*fact);
                match words {
                    None => {
                        self.fine(unit, key);
                        self.tell_marked(unit, key, uid);
                        if self.fights.entry(key.clone()).or_default().correct(now) {
                            let words = format!("the marks of {key} are taken off again and again");
                            self.wait_a_minute(now, unit, key, words);
                        }
                    }
                    Some(words) => self.wait_for_name(now, unit, key, words),
                }
            }
            Outcome::Absent => {
                self.fine(unit, key);
                self.depart(key, uid);
            }
            other => self.failed(now, unit, key, &other),
        }
    }

    fn tell_marked(&mut self, unit: &UnitId, key: &ObjectKey, uid: &Uid) {
        let tell = What::Tell {
            key: key.clone(),
            uid: Some(uid.clone()),
            warning: true,
            reason: "Marked".into(),
            note: format!(
                "{unit}: somebody took labels, annotations or the finalizer of Berth's off this pod; they are there again"
            ),
        };
        self.queue_tell(unit, tell);
    }
}
