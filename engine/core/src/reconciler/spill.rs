//! The spill: what is known and not pushed is kept in the cluster while Git is away.

use std::collections::BTreeMap;
use std::time::Duration;

use super::flight::Flight;
use super::state::Reconciler;
use super::{Effect, Outcome, What};
use crate::ids::{Timestamp, UnitId};
use crate::ledger::{UnitFile, unit_path};

/// After so long without Git, outcomes go into the cluster, so that pods need not wait.
pub(super) const SPILL_AFTER: Duration = Duration::from_mins(1);
/// A ConfigMap holds 1 MiB (Kubernetes, `MaxSecretSize` and its like); this leaves room.
const SPILL_BYTES: usize = 900 * 1024;

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
        let (units, data) = self.spill_data();
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

    /// Outcomes that are pending, and all that the spill holds already: it is replaced as a whole.
    fn spill_data(&self) -> (BTreeMap<UnitId, u64>, BTreeMap<String, String>) {
        let mut units = BTreeMap::new();
        let mut data = BTreeMap::new();
        let mut room = SPILL_BYTES;
        let spilled = &self.book.spilled;
        let new = self.losable.iter().filter(|id| !spilled.contains_key(id));
        for id in spilled.keys().chain(new) {
            let Some(known) = self.unit_ledger(id) else {
                continue;
            };
            let text = UnitFile::write(
                id,
                known.revision,
                &known.ledger,
                &crate::ledger::UnitStatus::default(),
            );
            let Ok(text) = text else {
                continue;
            };
            if text.len() > room {
                continue;
            }
            room -= text.len();
            data.insert(unit_path(id).replace('/', "."), text);
            units.insert(id.clone(), known.revision);
        }
        (units, data)
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
        units: BTreeMap<UnitId, u64>,
        outcome: Outcome,
    ) {
        match outcome {
            Outcome::Kept(version) => {
                self.book.spill = Some(version);
                for (id, revision) in &units {
                    if let Some(state) = self.units.get_mut(id) {
                        state.durable = state.durable.max(*revision);
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
