//! What proves, after `berth reanchor`, that a run is still open.

use super::book::Doubts;
use super::state::Reconciler;
use crate::ids::{Timestamp, UnitId};
use crate::ledger::{Attempt, Run, RunState, UnitLedger};
use crate::observed::Fact;

impl Reconciler {
    /// After a reanchor the runs of all documents are unproven, until each was looked at: also of
    /// those that are not valid now, and of those that come until that is pushed, as a document may come
    /// back that was finished before. Of those in a file that cannot be parsed not even the names are
    /// known, and of those that wait for a faulty Cluster nothing is told: whatever comes up until that
    /// is mended is unproven too.
    pub(super) fn doubt(&mut self) {
        let Some(desired) = self.desired.as_ref().filter(|_| self.is_judged()) else {
            return;
        };
        let all = self.book.doubts == Doubts::Raised;
        if self.book.doubts == Doubts::None && !self.book.progress.hidden {
            return;
        }
        let known = |id: &UnitId| self.units.get(id).is_some_and(|unit| unit.known.is_some());
        let found = desired.findings().iter();
        let found = found.filter_map(|finding| finding.unit.as_ref());
        let runs = self.units.keys().chain(found);
        let runs = runs.filter(|id| id.kind.has_queue() && (all || !known(id)));
        self.book.progress.unproven.extend(runs.cloned());
        if all {
            self.book.doubts = Doubts::Unpushed;
        }
        self.book.progress.hidden = desired.hides_documents();
        self.book.general = true;
    }

    /// A unit is heard of by its objects. If the ledger knows nothing of it, `berth reanchor` may have
    /// lost what it knew: its document may be hidden, or have come back since. Once all doubts are
    /// pushed, what a document asks for and the ledger does not know was just begun.
    pub(super) fn doubt_newcomer(&mut self, unit: &UnitId) {
        let progress = &self.book.progress;
        let desired = self.desired.as_ref();
        let removed = desired.is_some_and(|desired| desired.unit(unit).is_none());
        let doubts = self.book.doubts != Doubts::None
            || progress.hidden
            || !progress.unproven.is_empty() && removed;
        let known = self.units.get(unit).and_then(|state| state.known.as_ref());
        if doubts && known.is_none() && unit.kind.has_queue() {
            self.book.progress.unproven.insert(unit.clone());
        }
    }

    /// Of documents that are gone, and of which there is neither a run nor an object, there is nothing
    /// to doubt.
    pub(super) fn end_empty_doubts(&mut self) {
        let pushed = self.book.doubts == Doubts::None;
        if !pushed || self.book.progress.unproven.is_empty() || !self.sees(None) {
            return;
        }
        let Some(desired) = self.desired.as_ref() else {
            return;
        };
        let (units, observed) = (&self.units, &self.observed);
        let has_runs = |id: &UnitId| {
            let known = units.get(id).and_then(|state| state.known.as_ref());
            known.is_some_and(|known| !known.ledger.runs.is_empty())
        };
        let unproven = &mut self.book.progress.unproven;
        let before = unproven.len();
        unproven.retain(|id| {
            let gone = desired.unit(id).is_none() && desired.tells_of(id);
            !gone || has_runs(id) || !observed.of_unit(id).is_empty()
        });
        self.book.general |= unproven.len() < before;
    }

    /// The entry of a unit whose open runs need a proof since `berth reanchor`, with those marked
    /// that have none; `None` if none needs one, or if it cannot be told yet: only a complete view
    /// tells. While an older form of the document is in force, or none, the run that it will ask for
    /// once it is mended is not known: the unit is doubted on, and each run looked at once.
    pub(super) fn prove(
        &mut self,
        id: &UnitId,
        wanted: Option<&UnitLedger>,
        now: Timestamp,
    ) -> Option<UnitLedger> {
        let desired = self.desired.as_ref();
        let unit = desired.and_then(|desired| desired.unit(id));
        let queue = unit.and_then(|unit| unit.scope.queue.as_ref());
        let namespace = queue.map(|queue| queue.spec.namespace.as_str());
        if !self.book.progress.unproven.contains(id) || !self.sees(namespace) {
            return None;
        }
        let known = self.units.get(id).and_then(|state| state.known.as_ref());
        let known = known.map(|known| &known.ledger);
        let clear = desired.is_some_and(|desired| desired.tells_of(id));
        // A unit that the ledger does not know gets its run in a later round.
        let entry = wanted.or(known).filter(|entry| !entry.runs.is_empty())?;
        let looked_at = &mut self.book.looked_at;
        let is_new = |run: &Run| !looked_at.contains(&(id.clone(), run.identity.short()));
        let marked = mark_unproven(entry, &self.observed.of_unit(id), now, is_new);
        if clear {
            looked_at.retain(|(unit, _)| unit != id);
            self.book.progress.unproven.remove(id);
            self.book.general = true;
        } else {
            let runs = marked.runs.iter();
            looked_at.extend(runs.map(|run| (id.clone(), run.identity.short())));
        }
        Some(marked)
    }
}

/// Open runs that nothing proves are unknown, of those that are `doubted`. What ended may be all that
/// is left of a run that was finished, and so may what is going.
fn mark_unproven(
    ledger: &UnitLedger,
    objects: &[&Fact],
    now: Timestamp,
    doubted: impl Fn(&Run) -> bool,
) -> UnitLedger {
    let mut ledger = ledger.clone();
    let unproven =
        |run: &&mut Run| run.state == RunState::Open && doubted(run) && !is_proven(run, objects);
    for run in ledger.runs.iter_mut().filter(unproven) {
        run.state = RunState::Unknown;
        run.finished = Some(now);
        run.reason = Some("its history cannot be proven since `berth reanchor`".into());
    }
    ledger
}

/// Whether an attempt of the run goes on: it has not ended, all its pods were seen, and nobody
/// asked one of them to stop. Berth itself does so when a run is over.
fn is_proven(run: &Run, objects: &[&Fact]) -> bool {
    let last = run.trials.iter().filter_map(|trial| trial.attempts.last());
    let mut open = last.filter(|attempt| attempt.end.is_none());
    open.any(|attempt| is_whole(attempt, objects))
}

fn is_whole(attempt: &Attempt, objects: &[&Fact]) -> bool {
    let records = || attempt.ranks.iter();
    let lives = |uid: &str| {
        let fact = objects.iter().find(|fact| *fact.uid.0 == *uid);
        fact.is_some_and(|fact| fact.deleting.is_none())
    };
    let runs = |uid: &Option<String>| uid.as_deref().is_some_and(lives);
    let seen = (0..attempt.pods).all(|rank| records().any(|record| record.rank == rank));
    seen && records().all(|record| record.end.is_some() || runs(&record.uid))
        && records().any(|record| record.end.is_none())
}

#[cfg(test)]
mod tests;
