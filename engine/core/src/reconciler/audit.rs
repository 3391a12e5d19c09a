//! Incremental equals from scratch.

use std::collections::BTreeMap;

use super::state::Reconciler;
use crate::ids::{Name, Timestamp, UnitId};
use crate::kinds::{Ask, Want};

impl Reconciler {
    /// Works everything out again and compares; gives a line for every difference. Units that are
    /// due to be looked at anyway are left out. For tests: it costs a look at everything.
    pub fn audit(&self, now: Timestamp) -> Vec<String> {
        if self.identity.is_none() || !self.outside.accepted || !self.is_judged() {
            return Vec::new();
        }
        let now = now.max(self.latest);
        let mut found: Vec<String> = self
            .units
            .keys()
            .filter(|id| {
                !self.dirty.contains(*id) && !self.is_due(id, now) && self.frozen(id).is_none()
            })
            .filter_map(|id| self.audit_unit(id, now))
            .collect();
        found.extend(self.audit_grants());
        found.extend(self.audit_capacity());
        let desired = self.desired.iter().flat_map(|desired| desired.units());
        let unknown = desired.filter(|unit| !self.units.contains_key(&unit.id));
        found.extend(unknown.map(|unit| format!("{}: never looked at", unit.id)));
        found
    }

    fn is_due(&self, id: &UnitId, now: Timestamp) -> bool {
        let due = |at: Option<Timestamp>| at.is_some_and(|at| at <= now);
        due(self.units.get(id).and_then(|state| state.due))
            || self
                .wakes
                .iter()
                .take_while(|(at, _)| *at <= now)
                .any(|(_, unit)| unit == id)
            || self.observed.settles().is_some_and(|at| at <= now)
    }

    fn audit_unit(&self, id: &UnitId, now: Timestamp) -> Option<String> {
        let state = self.units.get(id)?;
        let fresh = self.want_with(id, now, &|_| None);
        let ledger = fresh.ledger.as_ref();
        let known = state.known.as_ref().map(|known| &known.ledger);
        if ledger.is_some() && ledger != known {
            return Some(format!("{id}: the ledger would change"));
        }
        let (old, new) = (describe(&state.want), describe(&fresh));
        (old != new).then(|| format!("{id}: was\n{old}\nand is\n{new}"))
    }

    fn audit_grants(&self) -> Option<String> {
        if self.capacity_moved {
            return None;
        }
        let asks: Vec<(&UnitId, &Ask)> = self
            .units
            .iter()
            .flat_map(|(id, state)| state.want.asks.iter().map(move |ask| (id, ask)))
            .collect();
        if asks.iter().any(|(id, _)| !self.asking.contains(*id)) {
            return Some("an ask was forgotten".into());
        }
        let answers = self.answers(&asks);
        let differs = asks.iter().zip(&answers).find(|((id, ask), grant)| {
            let old = self.grants.get(*id).and_then(|all| all.get(&ask.attempt));
            old.is_some_and(|old| old != *grant)
        });
        differs.map(|((id, ask), grant)| format!("{id} {:?}: would be {grant:?}", ask.attempt))
    }

    /// What is taken of nodes and held by units is what it is when all is summed up anew.
    fn audit_capacity(&self) -> Option<String> {
        if *self.observed.taken() != self.observed.taken_anew() {
            return Some("what is taken of the nodes was summed up wrongly".into());
        }
        let mut used: BTreeMap<Name, u64> = BTreeMap::new();
        for id in self.units.keys() {
            let known = self.holders.of(id).cloned().unwrap_or_default();
            let settled = !self.dirty.contains(id) && !self.asked_anew.contains(id);
            if settled && known != self.held_by(id) {
                return Some(format!("{id}: holds {known:?}, as it is known"));
            }
            for (queue, slots) in known.slots {
                *used.entry(queue).or_default() += slots;
            }
        }
        let known = self.holders.used().iter();
        let wrong = known
            .map(|(queue, slots)| (queue, *slots))
            .find(|(queue, slots)| used.remove(*queue).unwrap_or(0) != *slots);
        let forgotten = used.into_values().any(|slots| slots > 0);
        (wrong.is_some() || forgotten).then(|| "slots in use were summed up wrongly".into())
    }
}

fn describe(want: &Want) -> String {
    let objects: Vec<String> = want
        .objects
        .iter()
        .map(|recipe| format!("{} {}", recipe.key, recipe.digest.short()))
        .collect();
    format!(
        "objects {objects:?}\nrelease {:?}\nasks {:?}\nprunes {}\nstatus {:?}",
        want.release, want.asks, want.prunes, want.status
    )
}
