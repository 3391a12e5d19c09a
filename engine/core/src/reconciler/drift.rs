//! Differences that Berth did not make.

use super::book::Told;
use super::flight::{Aim, Flight};
use super::state::Reconciler;
use crate::ids::{ObjectKey, Timestamp, UnitId};
use crate::kinds::Recipe;
use crate::ledger::DRIFT_MD;
use crate::reconciler::FieldDrift;

/// How many objects are told of, where something changes every object that there ever is: the files
/// have to stay readable.
const DRIFTS: usize = 1000;

/// Drift of one object, as it was found last.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DriftEntry {
    /// The document that the object was made for.
    pub unit: UnitId,
    /// The object: kind, namespace and name.
    pub object: String,
    /// When it was found.
    pub found: Timestamp,
    /// The fields.
    pub fields: Vec<FieldDrift>,
    /// How often it was found since Berth started.
    pub times: u32,
    /// Somebody keeps changing it back: corrections wait.
    pub fight: bool,
    /// The annotation `berth.dev/hold` is on it: nothing is corrected.
    pub held: bool,
    /// Berth has put it right.
    pub corrected: bool,
}

impl DriftEntry {
    /// What is to be said of the object as a whole, after a comma.
    pub fn remark(&self) -> &'static str {
        match (self.held, self.fight, self.corrected) {
            (true, ..) => ", held by `berth.dev/hold`",
            (_, true, _) => ", changed back again and again",
            (_, _, true) => ", put right",
            _ => "",
        }
    }
}

impl DriftEntry {
    pub(super) fn new(
        unit: UnitId,
        key: &ObjectKey,
        found: Timestamp,
        fields: Vec<FieldDrift>,
    ) -> Self {
        Self {
            unit,
            object: key.to_string(),
            found,
            fields,
            times: 1,
            fight: false,
            held: false,
            corrected: false,
        }
    }
}

impl Reconciler {
    /// A difference was found, and is told until it is over.
    pub(super) fn report_drift(
        &mut self,
        now: Timestamp,
        unit: &UnitId,
        key: &ObjectKey,
        fields: Vec<FieldDrift>,
    ) {
        self.counters.drifted += 1;
        let times = self.drift.get(key).map_or(1, |entry| entry.times + 1);
        let entry = DriftEntry {
            times,
            held: self.observed.get(key).is_some_and(|fact| fact.hold),
            ..DriftEntry::new(unit.clone(), key, now, fields)
        };
        self.drift.insert(key.clone(), entry);
        self.bound_drift();
        (self.book.drift, self.book.told) = (true, Told::Now);
    }

    /// Of too many, the newest of what is there is told.
    fn bound_drift(&mut self) {
        while self.drift.len() > DRIFTS {
            let age = |(key, entry): (&ObjectKey, &DriftEntry)| {
                (self.observed.get(key).is_some(), entry.found, key.clone())
            };
            let Some((_, _, oldest)) = self.drift.iter().map(age).min() else {
                return;
            };
            self.drift.remove(&oldest);
        }
    }

    /// The object is as it should be again, by Berth's hand.
    pub(super) fn drift_corrected(&mut self, key: &ObjectKey) {
        if let Some(entry) = self.drift.get_mut(key).filter(|it| !it.corrected) {
            (entry.corrected, entry.fight) = (true, false);
            self.book.drift = true;
        }
    }

    /// The object does not differ any more, by somebody else's hand.
    pub(super) fn drift_over(&mut self, key: &ObjectKey) {
        if self.drift.get(key).is_some_and(|entry| !entry.corrected) {
            self.drift.remove(key);
            self.book.drift = true;
        }
    }

    /// A fight over an object ends with its life: the next one is made at once.
    pub(super) fn end_fight_of_gone(&mut self, unit: &UnitId, key: &ObjectKey) {
        let fought = self.drift.get_mut(key).filter(|entry| entry.fight);
        if let Some(entry) = fought.filter(|_| self.observed.absent(key).is_some()) {
            entry.fight = false;
            self.book.drift = true;
            self.fine(unit, key);
        }
    }

    /// Forgets what was told of objects of a unit that are gone for good.
    pub(super) fn forget_drift_of_gone(&mut self, unit: &UnitId, wanted: &[Recipe]) {
        if self.drift.is_empty() {
            return;
        }
        let before = self.drift.len();
        let observed = &self.observed;
        self.drift.retain(|key, entry| {
            let there = || observed.get(key).is_some() || !observed.complete_in(&key.namespace);
            let made_again = || wanted.iter().any(|recipe| recipe.key == *key);
            entry.unit != *unit || there() || made_again()
        });
        self.book.drift |= self.drift.len() < before;
    }

    /// Whether the branch tells of drift and there is none: what it tells is over.
    pub(super) fn drift_is_over(&self) -> bool {
        self.drift.is_empty()
            && self.book.content.contains_key(DRIFT_MD)
            && match self.book.told {
                Told::Now => true,
                Told::Before => self.all_compared(),
                Told::Corrected => false,
            }
    }

    /// Whether everything that there is was looked at for drift since the daemon began.
    fn all_compared(&self) -> bool {
        let looks = |flight: &Flight| {
            let Flight::Object { aim, .. } = flight else {
                return false;
            };
            matches!(aim, Aim::Inspect { .. } | Aim::Compare { .. })
        };
        let stands = |id: &UnitId| self.frozen(id).is_some();
        (self.dirty.is_empty() && self.todo.is_empty() && self.retries.is_empty())
            && self.ready()
            && self.sees(None)
            && !self.suspended()
            && !self.flights.any(looks)
            && !self.units.keys().any(stands)
    }
}
