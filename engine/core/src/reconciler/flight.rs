//! What was given out and is not answered yet.

use std::collections::{BTreeMap, BTreeSet};

use super::EffectId;
use super::spill::Spilled;
use crate::ids::{CommitId, Digest, ObjectKey, ResourceVersion, Uid, UnitId};

/// What an effect was about, as far as its answer needs it.
#[derive(Debug, Clone)]
pub(super) enum Aim {
    Create { digest: Digest },
    Compare { version: ResourceVersion },
    Inspect { version: ResourceVersion },
    Apply { uid: Uid },
    Delete { uid: Uid },
    Release { uid: Uid },
    Mark { uid: Uid },
}

#[derive(Debug, Clone)]
pub(super) enum Flight {
    Object {
        unit: UnitId,
        key: ObjectKey,
        aim: Aim,
    },
    Tell,
    Record(Batch),
    Reload,
    Anchor {
        status: Option<CommitId>,
        namespaces: BTreeSet<String>,
        first: bool,
    },
    Spill(BTreeMap<UnitId, Spilled>),
    SpillGone,
}

impl Flight {
    /// Whether it counts among the calls that may be under way at once.
    const fn is_call(&self) -> bool {
        matches!(self, Self::Object { .. } | Self::Tell)
    }
}

/// What one status commit carries.
#[derive(Debug, Clone, Default)]
pub(super) struct Batch {
    /// Units and their revision in it.
    pub units: BTreeMap<UnitId, u64>,
    /// The files and their digest; `None`: deleted.
    pub files: BTreeMap<String, Option<Digest>>,
}

/// Everything under way: one effect an object.
#[derive(Debug, Default)]
pub(super) struct Flights {
    all: BTreeMap<EffectId, Flight>,
    busy: BTreeMap<ObjectKey, EffectId>,
    /// How many of all call the cluster for objects.
    calls: usize,
    next: u64,
}

impl Flights {
    /// Takes off; gives the name for the answer.
    pub(super) fn start(&mut self, flight: Flight) -> EffectId {
        self.next += 1;
        let id = EffectId(self.next);
        if let Flight::Object { key, .. } = &flight {
            self.busy.insert(key.clone(), id);
        }
        self.calls += usize::from(flight.is_call());
        self.all.insert(id, flight);
        id
    }

    /// Lands; `None` for an answer that was given before.
    pub(super) fn land(&mut self, id: EffectId) -> Option<Flight> {
        let flight = self.all.remove(&id)?;
        if let Flight::Object { key, .. } = &flight {
            self.busy.remove(key);
        }
        self.calls -= usize::from(flight.is_call());
        Some(flight)
    }

    /// Whether an effect on this object is under way.
    pub(super) fn busy(&self, key: &ObjectKey) -> bool {
        self.busy.contains_key(key)
    }

    /// Calls to the cluster under way.
    pub(super) fn count(&self) -> usize {
        self.calls
    }

    /// Readings of what is kept outside are over: a late answer does not matter any more.
    pub(super) fn drop_reload(&mut self) {
        self.all
            .retain(|_, flight| !matches!(flight, Flight::Reload));
    }

    /// Whether a flight of this sort is under way.
    pub(super) fn any(&self, sort: impl Fn(&Flight) -> bool) -> bool {
        self.all.values().any(sort)
    }
}
