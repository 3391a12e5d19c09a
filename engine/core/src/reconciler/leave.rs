//! Namespaces that no queue has any more.

use super::absorb::namespaces;
use super::book::Doubts;
use super::state::{Reconciler, UnitState};
use crate::ledger::RankRecord;

impl Reconciler {
    /// Lets go of namespaces that no queue has any more, once it is certain that nothing of ours is
    /// left in them: nobody has to keep the right to see them, or the namespace itself.
    pub(super) fn leave_namespaces(&mut self) {
        let Some(desired) = &self.desired else {
            return;
        };
        let queues = namespaces(desired);
        let all = self.book.progress.namespaces.iter();
        let left: Vec<String> = all
            .filter(|one| !queues.contains(one.as_str()) && self.is_over_in(one))
            .cloned()
            .collect();
        if left.is_empty() || self.book.doubts != Doubts::None || !self.ready() {
            return;
        }
        for namespace in left {
            self.book.progress.namespaces.remove(&namespace);
            self.left.insert(namespace);
        }
        self.book.general = true;
    }

    /// Where a namespace is used again that was left, its watches may have ended since, and what they
    /// told is old: all is listed anew.
    pub(super) fn come_back(&mut self) {
        let left = self.left.len();
        let used = &self.book.progress.namespaces;
        self.left.retain(|one| !used.contains(one));
        if self.left.len() < left {
            self.list_anew();
        }
    }

    /// Nothing of ours is there, nor on its way, and no pod is known that may be there unseen.
    fn is_over_in(&self, namespace: &str) -> bool {
        self.observed.is_empty_in(namespace)
            && !self.units.values().any(|unit| may_live_in(unit, namespace))
    }
}

fn may_live_in(unit: &UnitState, namespace: &str) -> bool {
    let attempts = unit.known.iter().flat_map(|known| known.ledger.attempts());
    let mut there = attempts.filter(|(_, _, attempt)| {
        let own = attempt.namespace.as_ref();
        own.is_none_or(|own| own.as_str() == namespace)
    });
    there.any(|(_, _, attempt)| {
        attempt.end.is_none() || attempt.ranks.iter().any(RankRecord::may_live)
    })
}
