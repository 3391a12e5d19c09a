//! What has its slots, as far as it matters to what waits.

use std::collections::{BTreeMap, BTreeSet};

use crate::ids::{Name, UnitId};

/// Kept up to date one unit at a time, so that admission need not look at everything that runs.
#[derive(Debug, Default)]
pub struct Holders {
    by_unit: BTreeMap<UnitId, Held>,
    used: BTreeMap<Name, u64>,
    arriving: BTreeSet<UnitId>,
}

/// What one unit holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Held {
    /// Slots, by queue.
    pub slots: BTreeMap<Name, u64>,
    /// Pods of it are on their way to nodes.
    pub arriving: bool,
}

impl Holders {
    /// Puts what this unit holds now in the place of what it held.
    pub fn set(&mut self, unit: &UnitId, held: Held) {
        if self.of(unit) == Some(&held) {
            return;
        }
        for (queue, slots) in &held.slots {
            *self.used.entry(queue.clone()).or_default() += slots;
        }
        if held.arriving {
            self.arriving.insert(unit.clone());
        } else {
            self.arriving.remove(unit);
        }
        let old = if held == Held::default() {
            self.by_unit.remove(unit)
        } else {
            self.by_unit.insert(unit.clone(), held)
        };
        for (queue, slots) in old.unwrap_or_default().slots {
            if let Some(used) = self.used.get_mut(&queue) {
                *used -= slots;
            }
        }
    }

    /// What this unit holds, if it holds anything.
    pub fn of(&self, unit: &UnitId) -> Option<&Held> {
        self.by_unit.get(unit)
    }

    /// The slots that are in use, by queue.
    pub fn used(&self) -> &BTreeMap<Name, u64> {
        &self.used
    }

    /// Units with pods that are on their way.
    pub fn arriving(&self) -> &BTreeSet<UnitId> {
        &self.arriving
    }
}
