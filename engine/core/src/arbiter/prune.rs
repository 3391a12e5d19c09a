//! The guard against a commit that takes too much away.

use std::collections::BTreeSet;

use crate::diagnostic::counted;
use crate::ids::UnitId;

/// The trailer that allows more deletions: a number, or `all`.
const TRAILER: &str = "Berth-Allow-Prune";

/// How many documents' live work one snapshot may end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Allowance {
    /// So many.
    Most(u32),
    /// Any number.
    All,
}

impl Allowance {
    /// The rule of the cluster, or what a trailer of the commit says if that is more.
    pub fn of(rule: u32, trailers: &[(String, String)]) -> Self {
        let mut most = rule;
        for (_, value) in trailers
            .iter()
            .filter(|(key, _)| key.eq_ignore_ascii_case(TRAILER))
        {
            match value.trim() {
                "all" => return Self::All,
                number => most = number.parse().map_or(most, |number: u32| most.max(number)),
            }
        }
        Self::Most(most)
    }
}

/// Counts the units whose live work a snapshot ends. All or none go.
#[derive(Debug, Clone)]
pub struct Guard {
    allowance: Allowance,
    pruned: BTreeSet<UnitId>,
    let_go: BTreeSet<UnitId>,
}

impl Guard {
    /// For a new snapshot. What an older one was allowed and has begun goes on; what it was not
    /// allowed counts on, if it `still` counts: that a part of it ended by itself allows no more.
    #[must_use]
    pub fn next(&self, allowance: Allowance, still: impl Fn(&UnitId) -> bool) -> Self {
        let let_go = if self.open() {
            self.pruned.union(&self.let_go).cloned().collect()
        } else {
            self.let_go.clone()
        };
        let kept = self.kept().filter(|unit| still(unit));
        Self {
            allowance,
            pruned: kept.cloned().collect(),
            let_go,
        }
    }

    /// The units whose work is kept, and those that were counted with them.
    pub fn kept(&self) -> impl Iterator<Item = &UnitId> {
        let pruned = (!self.open()).then_some(&self.pruned);
        pruned.into_iter().flatten()
    }

    /// For the first snapshot.
    pub fn new(allowance: Allowance) -> Self {
        Self {
            allowance,
            pruned: BTreeSet::new(),
            let_go: BTreeSet::new(),
        }
    }

    /// This unit loses live work (or does not any more).
    pub fn count(&mut self, unit: &UnitId, prunes: bool) {
        if !prunes {
            self.let_go.remove(unit);
        }
        // What was counted stays counted: work that went must not make room for more.
        if prunes && !self.let_go.contains(unit) {
            self.pruned.insert(unit.clone());
        }
    }

    /// Nothing of what is kept lives any more.
    pub fn forget_kept(&mut self) {
        if !self.open() {
            self.pruned.clear();
        }
    }

    /// These were counted before this daemon began.
    pub fn recall(&mut self, units: impl IntoIterator<Item = UnitId>) {
        self.pruned.extend(units);
    }

    /// A unit of the same kind and name in another queue that may not lose its live work: this one
    /// seems to be that one, moved.
    pub fn moved_from(&self, unit: &UnitId) -> Option<&UnitId> {
        let is_it =
            |it: &&UnitId| it.kind == unit.kind && it.name == unit.name && it.queue != unit.queue;
        let held = |it: &&UnitId| self.check(it).is_err();
        self.kept().filter(is_it).find(held)
    }

    /// Whether this unit may lose its live work; otherwise why not.
    pub fn check(&self, unit: &UnitId) -> Result<(), String> {
        if self.open() || self.let_go.contains(unit) {
            return Ok(());
        }
        let Allowance::Most(most) = self.allowance else {
            return Ok(());
        };
        Err(format!(
            "this commit would end the live work of {}, and the cluster's `prune.maxDeletions` is {most}: \
             push a commit with the trailer `{TRAILER}: {count}` (or `all`), or take the change back",
            counted(self.pruned.len() as u64, "document"),
            count = self.pruned.len()
        ))
    }

    fn open(&self) -> bool {
        match self.allowance {
            Allowance::All => true,
            Allowance::Most(most) => self.pruned.len() <= most as usize,
        }
    }
}

#[cfg(test)]
mod tests;
