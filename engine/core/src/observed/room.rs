//! The nodes, whose pods are on them, and what those and everybody's take.

use std::collections::BTreeMap;

use super::{Fact, NodeFact, Occupant, Ownership, PodRole, SlotRequest, Taken};
use crate::ids::UnitId;

/// Namespace and name of a foreign pod.
type OccupantKey = (Box<str>, Box<str>);

/// What is known of the nodes and of what runs on them. Each entry carries the listing in which it
/// was told last: what an older one told and the newest does not, is gone.
#[derive(Debug, Default)]
pub(super) struct Room {
    nodes: BTreeMap<Box<str>, (u64, NodeFact)>,
    occupants: BTreeMap<OccupantKey, (u64, Occupant)>,
    units: BTreeMap<Box<str>, BTreeMap<UnitId, usize>>,
    taken: Taken,
}

impl Room {
    pub(super) fn node(&self, name: &str) -> Option<&NodeFact> {
        self.nodes.get(name).map(|(_, node)| node)
    }

    pub(super) fn nodes(&self) -> impl Iterator<Item = &NodeFact> {
        self.nodes.values().map(|(_, node)| node)
    }

    pub(super) fn occupants(&self) -> impl Iterator<Item = &Occupant> {
        self.occupants.values().map(|(_, occupant)| occupant)
    }

    pub(super) fn taken(&self) -> &Taken {
        &self.taken
    }

    /// The units that have pods on this node.
    pub(super) fn units_on(&self, node: &str) -> impl Iterator<Item = &UnitId> {
        self.units.get(node).into_iter().flat_map(BTreeMap::keys)
    }

    /// The units that have pods on any node; those on several come several times.
    pub(super) fn units(&self) -> impl Iterator<Item = &UnitId> {
        self.units.values().flat_map(BTreeMap::keys)
    }

    /// The units that have pods on nodes that are missing or out of service.
    pub(super) fn units_lost(&self) -> impl Iterator<Item = &UnitId> {
        let lost = self.units.iter().filter(|(name, _)| {
            let node = self.node(name);
            node.is_none_or(|node| node.out_of_service)
        });
        lost.flat_map(|(_, units)| units.keys())
    }

    /// Says whether that is news.
    pub(super) fn node_told(&mut self, node: &NodeFact, generation: u64) -> bool {
        let known = (generation, node.clone());
        let old = self.nodes.insert(node.name.clone(), known);
        old.is_none_or(|(_, old)| old != *node)
    }

    pub(super) fn node_gone(&mut self, name: &str) {
        self.nodes.remove(name);
    }

    /// A listing of the nodes is over: what it did not tell is gone.
    pub(super) fn nodes_told(&mut self, generation: u64) {
        self.nodes.retain(|_, (told, _)| *told >= generation);
    }

    pub(super) fn occupant_told(&mut self, key: OccupantKey, occupant: Occupant, generation: u64) {
        self.occupant_gone(&key);
        if let Some((node, requests)) = takes(&occupant) {
            self.taken.add(node, requests);
        }
        self.occupants.insert(key, (generation, occupant));
    }

    pub(super) fn occupant_gone(&mut self, key: &OccupantKey) {
        let old = self.occupants.remove(key);
        if let Some((node, requests)) = old.as_ref().and_then(|(_, old)| takes(old)) {
            self.taken.take_off(node, requests);
        }
    }

    /// A listing of the occupants is over: what it did not tell is gone.
    pub(super) fn occupants_told(&mut self, generation: u64) {
        let gone = self.occupants.iter();
        let gone = gone.filter(|(_, (told, _))| *told < generation);
        let gone: Vec<OccupantKey> = gone.map(|(key, _)| key.clone()).collect();
        for key in gone {
            self.occupant_gone(&key);
        }
    }

    /// An object of ours comes; it counts if it is a pod on a node.
    pub(super) fn comes(&mut self, fact: &Fact) {
        if let Some((node, requests)) = occupies(fact) {
            self.taken.add(node, requests);
        }
        if let (Ownership::Ours(unit), Some(node)) = (&fact.ownership, node_of(fact)) {
            let units = self.units.entry(node.into()).or_default();
            *units.entry(unit.clone()).or_default() += 1;
        }
    }

    /// The same object, as it came, goes.
    pub(super) fn goes(&mut self, fact: &Fact) {
        if let Some((node, requests)) = occupies(fact) {
            self.taken.take_off(node, requests);
        }
        if let (Ownership::Ours(unit), Some(node)) = (&fact.ownership, node_of(fact)) {
            self.leave(node, unit);
        }
    }

    fn leave(&mut self, node: &str, unit: &UnitId) {
        let Some(units) = self.units.get_mut(node) else {
            return;
        };
        if let Some(count) = units.get_mut(unit) {
            *count -= 1;
            if *count == 0 {
                units.remove(unit);
            }
        }
        if units.is_empty() {
            self.units.remove(node);
        }
    }
}

/// What the arbiter looks at of a pod that is bound or has ended.
#[derive(PartialEq)]
pub(super) struct Placed<'a> {
    owner: &'a Ownership,
    role: Option<&'a PodRole>,
    node: Option<&'a str>,
    ended: bool,
    requests: &'a [SlotRequest],
}

/// `None` for a pod that takes nothing yet, and for what is no pod.
pub(super) fn placed(fact: &Fact) -> Option<Placed<'_>> {
    let pod = fact.pod.as_ref()?;
    let ended = pod.end.is_some();
    (pod.node.is_some() || ended).then_some(Placed {
        owner: &fact.ownership,
        role: pod.role.as_ref(),
        node: pod.node.as_deref(),
        ended,
        requests: &pod.requests,
    })
}

/// The node of a pod that is bound and has not ended, and what it takes there.
pub(super) fn occupies(fact: &Fact) -> Option<(&str, &[SlotRequest])> {
    let pod = fact.pod.as_ref()?;
    let node = pod.node.as_deref()?;
    pod.end.is_none().then_some((node, &*pod.requests))
}

pub(super) fn takes(occupant: &Occupant) -> Option<(&str, &[SlotRequest])> {
    Some((occupant.node.as_deref()?, &*occupant.requests))
}

fn node_of(fact: &Fact) -> Option<&str> {
    fact.pod.as_ref()?.node.as_deref()
}
