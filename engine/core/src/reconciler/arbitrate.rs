//! From asks to grants.

use std::collections::{BTreeMap, BTreeSet};

use super::WatchKey;
use super::state::{Reconciler, remember};
use crate::arbiter::{Asked, Held, Supply, admit};
use crate::ids::UnitId;
use crate::kinds::{Ask, AttemptKey, Grant};
use crate::observed::{Coverage, PodFact};

impl Reconciler {
    /// Answers what is asked, if something moved that the answers hang on. What holds or was granted
    /// keeps it whatever happens.
    pub(super) fn arbitrate(&mut self) {
        if !self.capacity_moved && self.asked_anew.is_empty() {
            return;
        }
        let seen = |watch: &WatchKey| match watch {
            WatchKey::Ours(..) => *self.observed.coverage(watch) != Coverage::Incomplete,
            WatchKey::Nodes | WatchKey::Occupants => true,
        };
        // What runs must be known before anything else is let go.
        if !self.watches().iter().all(seen) {
            return;
        }
        self.capacity_moved = false;
        for id in std::mem::take(&mut self.asked_anew) {
            self.carry_grants_over(&id);
        }
        for (id, grants) in self.answered_anew() {
            let waits = grants.values().any(|grant| *grant != Grant::Granted);
            remember(&mut self.waiting, &id, waits);
            if self.grants.get(&id) != Some(&grants) {
                self.grants.insert(id.clone(), grants);
                self.take_stock(&id);
                self.dirty.insert(id);
            }
        }
    }

    /// A unit asks otherwise than before: what holds has its grant, what was granted keeps it, and
    /// what is new waits.
    fn carry_grants_over(&mut self, id: &UnitId) {
        let asks = self.units.get(id).map(|state| state.want.asks.as_slice());
        let before = self.grants.remove(id);
        let (mut grants, mut waits) = (BTreeMap::new(), false);
        for ask in asks.unwrap_or_default() {
            let old = before.as_ref().and_then(|all| all.get(&ask.attempt));
            let grant = if ask.holds {
                Some(&Grant::Granted)
            } else {
                old
            };
            waits |= grant != Some(&Grant::Granted);
            if let Some(grant) = grant {
                grants.insert(ask.attempt.clone(), grant.clone());
            }
        }
        remember(&mut self.waiting, id, waits);
        if before.unwrap_or_default() != grants {
            self.dirty.insert(id.clone());
        }
        if !grants.is_empty() {
            self.grants.insert(id.clone(), grants);
        }
        self.take_stock(id);
    }

    /// Notes what a unit holds, after its asks, its grants or its pods changed.
    pub(super) fn take_stock(&mut self, id: &UnitId) {
        let held = self.held_by(id);
        self.holders.set(id, held);
    }

    /// What a unit holds, looked up anew.
    pub(super) fn held_by(&self, id: &UnitId) -> Held {
        let mut held = Held::default();
        for ask in self.units.get(id).iter().flat_map(|it| &it.want.asks) {
            if self.holds(id, ask) {
                *held.slots.entry(ask.queue.clone()).or_default() += u64::from(ask.slots);
                held.arriving |= self.unbound(id, ask) > 0;
            }
        }
        held
    }

    /// The grants of the units that wait. Who starts hangs on slots in use and on pods that are on
    /// their way; only if somebody has to wait on, everything is looked at, to say for what.
    fn answered_anew(&self) -> BTreeMap<UnitId, BTreeMap<AttemptKey, Grant>> {
        let mut grants: BTreeMap<UnitId, BTreeMap<AttemptKey, Grant>> = BTreeMap::new();
        if self.waiting.is_empty() {
            return grants;
        }
        let few: BTreeSet<&UnitId> = self.waiting.union(self.holders.arriving()).collect();
        let mut asks = self.asks_of(few);
        let mut answers = self.answers(&asks);
        if answers.iter().any(|grant| *grant != Grant::Granted) {
            asks = self.asks_of(&self.asking);
            answers = self.answers(&asks);
        }
        for ((unit, ask), grant) in asks.into_iter().zip(answers) {
            if self.waiting.contains(unit) {
                let of_unit = grants.entry(unit.clone()).or_default();
                of_unit.insert(ask.attempt.clone(), grant);
            }
        }
        grants
    }

    fn asks_of<'a>(
        &'a self,
        units: impl IntoIterator<Item = &'a UnitId>,
    ) -> Vec<(&'a UnitId, &'a Ask)> {
        let units = units.into_iter();
        units
            .filter_map(|id| Some((id, self.units.get(id)?)))
            .flat_map(|(id, state)| state.want.asks.iter().map(move |ask| (id, ask)))
            .collect()
    }

    /// Answers these asks, among which is everything that waits or has pods on their way.
    pub(super) fn answers(&self, asks: &[(&UnitId, &Ask)]) -> Vec<Grant> {
        // The usual case costs no look at nodes.
        if asks.iter().all(|(unit, ask)| self.holds(unit, ask)) {
            return vec![Grant::Granted; asks.len()];
        }
        let asked: Vec<Asked<'_>> = asks
            .iter()
            .map(|(unit, ask)| Asked {
                unit,
                ask,
                holds: self.holds(unit, ask),
                unbound: self.unbound(unit, ask),
                on: self.nodes_of(unit, ask),
            })
            .collect();
        let used = self.holders.used().clone();
        admit(&asked, used, &self.queues, Supply::of(&self.observed))
    }

    /// Whether an ask has its slots: it started, or was granted.
    fn holds(&self, unit: &UnitId, ask: &Ask) -> bool {
        let granted = || self.grants.get(unit)?.get(&ask.attempt);
        ask.holds || granted() == Some(&Grant::Granted)
    }

    /// How many of its pods are neither bound nor have ended.
    fn unbound(&self, unit: &UnitId, ask: &Ask) -> u32 {
        let pods = self.pods_of(unit, &ask.attempt);
        let placed = pods.filter(|pod| pod.node.is_some() || pod.end.is_some());
        let placed = u32::try_from(placed.count()).unwrap_or(u32::MAX);
        ask.pods.saturating_sub(placed)
    }

    /// The nodes of its pods that are bound and have not ended, if it is known when they end.
    fn nodes_of(&self, unit: &UnitId, ask: &Ask) -> Vec<&str> {
        if ask.started.is_none() || ask.length.is_none() {
            return Vec::new();
        }
        let pods = self.pods_of(unit, &ask.attempt);
        pods.filter(|pod| pod.end.is_none())
            .filter_map(|pod| pod.node.as_deref())
            .collect()
    }

    fn pods_of(&self, unit: &UnitId, attempt: &AttemptKey) -> impl Iterator<Item = &PodFact> {
        let pods = self.observed.of_unit(unit).into_iter();
        let pods = pods.filter_map(|fact| fact.pod.as_deref());
        pods.filter(move |pod| {
            pod.role.as_ref().is_some_and(|role| {
                (&role.run, role.trial, role.attempt) == (&attempt.0, attempt.1, attempt.2)
            })
        })
    }
}
