//! The spill: what is known and not pushed is kept in the cluster while Git is away.

use std::collections::BTreeMap;
use std::time::Duration;

use super::flight::Flight;
use super::state::Reconciler;
use super::{Effect, Outcome, What};
use crate::ids::{Timestamp, UnitId};
use crate::ledger::{Known, UnitFile, UnitStatus, unit_path};

/// After so long without Git, outcomes go into the cluster, so that pods need not wait.
pub(super) const SPILL_AFTER: Duration = Duration::from_mins(1);
/// When nothing fits into it any more, it is looked again so much later whether something does.
const FULL: Duration = Duration::from_secs(30);
/// A ConfigMap holds 1 MiB (Kubernetes, `MaxSecretSize` and its like); this leaves room.
pub(super) const SPILL_BYTES: usize = 900 * 1024;

/// What the spill holds of one unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Spilled {
    /// The revision of its ledger.
    pub revision: u64,
    /// The file, as the status branch would hold it.
    pub text: String,
}

impl Spilled {
    /// What is in the spill that was read.
    pub(super) fn read(data: &BTreeMap<String, String>) -> BTreeMap<UnitId, Self> {
        let file = |(name, text): (&String, &String)| {
            let file = UnitFile::read(name, text.as_bytes()).ok()?;
            let revision = file.revision;
            let text = text.clone();
            Some((file.unit, Self { revision, text }))
        };
        data.iter().filter_map(file).collect()
    }
}

/// The name of a unit's file in the spill.
fn file_name(id: &UnitId) -> String {
    unit_path(id).replace('/', ".")
}

impl Reconciler {
    /// Writes what is known and not pushed into the cluster, if Git was away for too long and a
    /// pod waits for it.
    pub(super) fn spill(&mut self, now: Timestamp) -> Option<Effect> {
        let long = self
            .book
            .failing
            .is_some_and(|since| now.since(since) >= SPILL_AFTER);
        let under_way = self
            .flights
            .any(|one| matches!(one, Flight::Spill(_) | Flight::SpillGone));
        if under_way || now < self.book.spill_not_before {
            return None;
        }
        if !long {
            return self.drop_spill();
        }
        if self.losable.is_empty() {
            return None;
        }
        let Some(units) = self.to_spill() else {
            self.book.spill_not_before = now.plus(FULL);
            return None;
        };
        let file = |(id, one): (&UnitId, &Spilled)| (file_name(id), one.text.clone());
        let data = units.iter().map(file).collect();
        let id = self.flights.start(Flight::Spill(units));
        let what = What::Keep {
            name: self.spill_name(),
            data: Some(data),
            version: self.book.spill,
        };
        Some(Effect {
            id,
            unit: None,
            why: "Git is away: outcomes are kept in the cluster".into(),
            what,
        })
    }

    /// What the spill should hold: all that it holds already, as it is replaced as a whole and pods
    /// were let go for it, and of the outcomes that are pending those that fit. `None` if none does.
    fn to_spill(&self) -> Option<BTreeMap<UnitId, Spilled>> {
        let mut units = self.book.spilled.clone();
        let mut room = units
            .values()
            .fold(SPILL_BYTES, |room, one| room.saturating_sub(one.text.len()));
        let mut grows = false;
        for id in &self.losable {
            let Some(new) = self.spilled(id) else {
                continue;
            };
            let free = room + units.get(id).map_or(0, |old| old.text.len());
            if let Some(left) = free.checked_sub(new.text.len()) {
                room = left;
                grows = true;
                units.insert(id.clone(), new);
            }
        }
        grows.then_some(units)
    }

    /// What is known of a unit, as the spill holds it.
    fn spilled(&self, id: &UnitId) -> Option<Spilled> {
        let Known { revision, ledger } = self.unit_ledger(id)?;
        let text = UnitFile::write(id, *revision, ledger, &UnitStatus::default());
        Some(Spilled {
            revision: *revision,
            text: text.ok()?,
        })
    }

    /// What the spill held is pushed now.
    fn drop_spill(&mut self) -> Option<Effect> {
        if self.book.spill.is_none() || !self.book.spilled.is_empty() || self.to_record() {
            return None;
        }
        let id = self.flights.start(Flight::SpillGone);
        let what = What::Keep {
            name: self.spill_name(),
            data: None,
            version: self.book.spill,
        };
        Some(Effect {
            id,
            unit: None,
            why: "what was kept in the cluster is pushed".into(),
            what,
        })
    }

    pub(super) fn spill_answered(
        &mut self,
        now: Timestamp,
        mut units: BTreeMap<UnitId, Spilled>,
        outcome: Outcome,
    ) {
        match outcome {
            Outcome::Kept(version) => {
                self.book.spill = Some(version);
                // What was pushed meanwhile needs it no more.
                units.retain(|id, one| {
                    let durable = self.units.get(id).map_or(0, |state| state.durable);
                    durable < one.revision || self.book.spilled.contains_key(id)
                });
                for (id, one) in &units {
                    if let Some(state) = self.units.get_mut(id) {
                        state.durable = state.durable.max(one.revision);
                    }
                    self.weigh_outcomes(id);
                    self.todo.insert(id.clone());
                }
                self.book.spilled = units;
            }
            other => self.keep_failed(now, &other),
        }
    }

    pub(super) fn spill_gone(&mut self, now: Timestamp, outcome: Outcome) {
        match outcome {
            Outcome::Kept(_) | Outcome::Done(_) | Outcome::Absent => self.book.spill = None,
            other => self.keep_failed(now, &other),
        }
    }

    fn keep_failed(&mut self, now: Timestamp, outcome: &Outcome) {
        self.book.spill_not_before = now.plus(Duration::from_secs(2));
        self.not_kept(outcome, false);
    }
}
