//! Taking inputs in: they change what is known and say what is dirty; nothing is decided here.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::book::{Told, Unseen};
use super::identity::Place;
use super::spill::Spilled;
use super::state::{Reconciler, UnitState};
use super::{Input, Role};
use crate::arbiter::{Allowance, Guard, QueueRules};
use crate::desired::{Desired, Unit};
use crate::diagnostic::Diagnostic;
use crate::ids::{DocumentKind, Name, ResourceVersion, Timestamp, UnitId};
use crate::kinds::Document;
use crate::kinds::queue::Capacity;
use crate::ledger::Ledger;
use crate::observed::Touched;

impl Reconciler {
    /// Takes one input in. Repeated and late inputs do no harm.
    pub fn input(&mut self, now: Timestamp, input: Input) {
        match input {
            Input::Snapshot(desired) => self.snapshot(now, &desired),
            Input::Unusable(commit) => {
                self.unusable = Some(commit);
                self.book.general = true;
            }
            Input::Tip(tip) => self.tip_is(tip),
            Input::Ledger(ledger) => {
                self.outside.ledger = Some(ledger);
                self.accept_outside(now);
            }
            Input::Identity {
                cluster_uid,
                anchor,
                anchor_in_branch,
                others,
                fresh_instance,
            } => {
                self.outside.place = Some(Place {
                    cluster_uid,
                    anchor,
                    anchor_in_branch,
                    others,
                    fresh_instance,
                });
                self.accept_outside(now);
            }
            Input::Spill { data, version } => {
                self.outside.spill = Some((data, version));
                self.accept_outside(now);
            }
            Input::Watch(key, event) => {
                let touched = self.observed.watch(&key, event);
                self.touch(touched);
            }
            Input::Done(id, outcome) => self.answered(now, id, outcome),
            Input::Role(role) => self.role(now, role),
        }
    }

    /// Another one may have written while this one did not hold the Lease.
    fn role(&mut self, now: Timestamp, role: Role) {
        let leads = |role: &Role| matches!(role, Role::Leader { until } if now < *until);
        let led = self.role.as_ref().is_none_or(leads);
        if leads(&role) && !led {
            self.outside.stale = true;
            self.doubt_forms();
            self.list_anew();
        }
        self.role = Some(role);
    }

    /// Nothing that was seen counts until all watches have listed again.
    pub(super) fn list_anew(&mut self) {
        self.observed.doubt();
        self.tenure += 1;
        self.capacity_moved = true;
        self.dirty.extend(self.units.keys().cloned());
    }

    pub(super) fn touch(&mut self, touched: Vec<Touched>) {
        for one in touched {
            match one {
                Touched::Unit(unit) => {
                    self.doubt_newcomer(&unit);
                    self.units.entry(unit.clone()).or_default();
                    self.dirty.insert(unit);
                }
                Touched::Foreign(_) => {}
                Touched::Namespace(_) => {
                    self.capacity_moved = true;
                    self.dirty.extend(self.units.keys().cloned());
                    self.end_empty_doubts();
                }
                Touched::Capacity => self.capacity_moved = true,
            }
        }
    }

    fn snapshot(&mut self, now: Timestamp, desired: &Arc<Desired>) {
        self.lineage.tell(desired.commit());
        self.stay(&desired.cluster().spec.namespace);
        self.unusable = None;
        let was_suspended = self.suspended();
        let old = self.desired.replace(Arc::clone(desired));
        for (before, unit) in desired.differences(old.as_deref()) {
            match (before, unit) {
                (Some(before), Some(unit)) if !changed(before, unit) => {}
                (Some(either), _) | (None, Some(either)) => self.superseded(&either.id),
                (None, None) => {}
            }
        }
        self.dirty.extend(desired.frozen().keys().cloned());
        if let Some(old) = &old {
            self.dirty.extend(old.frozen().keys().cloned());
        }
        // What stood still goes on: also that of documents that are gone. A namespace that a queue
        // has or has no more is one that all wait for, or do not.
        let moved = |old: &Arc<Desired>| namespaces(old) != namespaces(desired);
        if old.as_ref().is_none_or(moved) || was_suspended != self.suspended() {
            self.dirty.extend(self.units.keys().cloned());
        }
        self.findings(desired);
        self.queues = queues(desired);
        self.capacity_moved = true;
        self.guard_anew();
        if self.weigh(desired) {
            self.recall_kept();
        }
        self.doubt();
        self.end_empty_doubts();
        self.follow(now);
    }

    /// A newer commit supersedes: what failed for the old one, creations and deletions, is tried at
    /// once.
    fn superseded(&mut self, unit: &UnitId) {
        let state = self.units.entry(unit.clone()).or_default();
        let wanted = state.want.objects.iter().map(|recipe| &recipe.key);
        let there = self.observed.of_unit(unit).into_iter();
        for key in wanted.chain(there.map(|fact| &fact.key)) {
            self.retries.remove(key);
            self.in_sync.remove(key);
        }
        state.trouble.clear();
        self.dirty.insert(unit.clone());
    }

    fn findings(&mut self, desired: &Desired) {
        let mut by_unit: BTreeMap<UnitId, Vec<String>> = BTreeMap::new();
        for finding in desired.findings() {
            if let Some(unit) = &finding.unit {
                by_unit
                    .entry(unit.clone())
                    .or_default()
                    .push(line(desired, finding));
            }
        }
        // Only what something was said of, or is said of now, can change.
        let now: BTreeSet<UnitId> = by_unit.keys().cloned().collect();
        for id in self.found.union(&now) {
            let Some(state) = self.units.get_mut(id) else {
                continue;
            };
            let findings = by_unit.remove(id).unwrap_or_default();
            if state.findings != findings {
                state.findings = findings;
                self.dirty.insert(id.clone());
                self.book.pending.insert(id.clone());
            }
        }
        self.found = now;
        self.book.general = true;
    }

    /// Compares the snapshot's history with the last applied commit, once both are known.
    fn follow(&mut self, now: Timestamp) {
        let Some(desired) = self.desired.clone() else {
            return;
        };
        for namespace in namespaces(&desired) {
            self.book.general |= self.book.progress.namespaces.insert(namespace.to_owned());
        }
        self.come_back();
        if !self.outside.accepted || !self.is_judged() {
            return;
        }
        let commit = desired.commit();
        let progress = &mut self.book.progress;
        if self.lineage.follow(progress.commit, commit, now) {
            progress.commit = Some(commit.id);
            self.book.general = true;
        }
        progress.rewrite = self.lineage.rewrite;
        progress.home.clone_from(&self.home);
        self.dirty.extend(self.held.iter().cloned());
        self.dirty.extend(self.pruning.iter().cloned());
    }

    /// Once everything that lives is seen: what was there when a rewrite was allowed is known only now.
    pub(super) fn cover_early(&mut self) {
        if self.lineage.is_early() && self.ready() {
            self.lineage.cover(self.observed.newest());
            self.book.progress.rewrite = self.lineage.rewrite;
            self.book.general = true;
            self.todo.extend(self.held.iter().cloned());
        }
    }

    fn guard_anew(&mut self) {
        let Some(desired) = &self.desired else {
            return;
        };
        let rule = desired.cluster().spec.prune.max_deletions;
        let allowance = Allowance::of(rule, &desired.commit().trailers);
        let mut guard = match &self.guard {
            Some(old) => old.next(allowance, |unit| {
                self.pruning.contains(unit) || desired.unit(unit).is_none()
            }),
            None => Guard::new(allowance),
        };
        for unit in &self.pruning {
            guard.count(unit, true);
            self.dirty.insert(unit.clone());
        }
        self.guard = Some(guard);
        self.dirty.extend(self.kept_back.iter().cloned());
    }

    /// Once nothing lives any more of what the guard keeps, there is nothing to keep: what was moved
    /// begins, and what another commit takes away is counted anew.
    pub(super) fn forget_kept(&mut self) {
        let lives = |unit: &UnitId| self.pruning.contains(unit);
        let kept = self.guard.as_ref().map(Guard::kept);
        let over = kept.is_some_and(|mut kept| {
            let first = kept.next();
            first.is_some_and(|first| !lives(first)) && !kept.any(lives)
        });
        if over && self.ready() {
            self.guard.iter_mut().for_each(Guard::forget_kept);
            self.dirty.extend(self.kept_back.iter().cloned());
        }
    }

    /// What the guard keeps is kept on, whoever goes on with it.
    pub(super) fn note_kept(&mut self) {
        let Some(guard) = &self.guard else {
            return;
        };
        if !guard.kept().eq(&self.book.progress.kept) {
            self.book.progress.kept = guard.kept().cloned().collect();
            self.book.general = true;
        }
    }

    fn recall_kept(&mut self) {
        if !self.is_judged() {
            return;
        }
        let (Some(guard), Some(desired)) = (&mut self.guard, &self.desired) else {
            return;
        };
        let progress = &self.book.progress;
        let same = progress.commit == Some(desired.commit().id);
        let still = |unit: &&UnitId| same || desired.unit(unit).is_none();
        guard.recall(progress.kept.iter().filter(still).cloned());
    }

    pub(super) fn land_reload(&mut self) {
        self.outside.tries = 0;
        self.flights.drop_reload();
    }

    /// Puts what was read in force. What was known and not pushed is forgotten: it is found again
    /// by what lives in the cluster, as after a restart.
    pub(super) fn take_ledger(
        &mut self,
        branch: &Ledger,
        ledger: Ledger,
        spill: &BTreeMap<String, String>,
        version: Option<ResourceVersion>,
        now: Timestamp,
    ) {
        for state in self.units.values_mut() {
            state.known = None;
            state.outcomes.clear();
            state.durable = 0;
        }
        self.losable.clear();
        self.book.looked_at.clear();
        self.weigh_snapshot(&ledger, self.book.tip);
        let book = &mut self.book;
        book.tip = ledger.tip;
        book.content = ledger.content;
        book.told = match ledger.drifts {
            // What this daemon found goes over what is there.
            _ if !self.drift.is_empty() => Told::Now,
            true => Told::Before,
            false => Told::Corrected,
        };
        book.pending.clear();
        book.general = true;
        book.unseen = Some(Unseen::New);
        let namespaces = std::mem::take(&mut book.progress.namespaces);
        book.progress = ledger.progress;
        book.progress.namespaces.extend(namespaces);
        self.lineage.rewrite = book.progress.rewrite;
        self.recall_kept();
        let book = &mut self.book;
        book.spill = version;
        book.spilled = Spilled::read(spill);
        book.unheard = false;
        self.book.unanchored.clear();
        let mut pushed = BTreeMap::new();
        for (id, known) in ledger.units {
            self.sequence = self.sequence.max(known.ledger.sequence + 1);
            let state: &mut UnitState = self.units.entry(id.clone()).or_default();
            if branch.units.get(&id) == Some(&known) {
                pushed.insert(id, known.revision);
            } else {
                // The spill knew more.
                state.durable = known.revision;
                self.book.pending.insert(id);
            }
            state.known = Some(known);
        }
        self.pushed(pushed);
        let all: Vec<UnitId> = self.units.keys().cloned().collect();
        for id in &all {
            self.count(id);
        }
        self.dirty.extend(all);
        self.doubt();
        self.capacity_moved = true;
        self.follow(now);
    }
}

/// The namespaces of all queues.
pub(super) fn namespaces(desired: &Desired) -> BTreeSet<&str> {
    let queues = desired.units_of(DocumentKind::Queue);
    queues
        .filter_map(|unit| match &unit.document {
            Document::Queue(queue) => Some(queue.spec.namespace.as_str()),
            _ => None,
        })
        .collect()
}

fn changed(old: &Unit, new: &Unit) -> bool {
    old.input != new.input || old.held != new.held || old.applied != new.applied
}

fn queues(desired: &Desired) -> BTreeMap<Name, QueueRules> {
    let queue = |unit: &Unit| match &unit.document {
        Document::Queue(queue) => Some((
            queue.name().clone(),
            QueueRules {
                quota: queue.spec.quota,
                observed: queue.spec.capacity == Capacity::Observed,
            },
        )),
        _ => None,
    };
    desired
        .units_of(DocumentKind::Queue)
        .filter_map(queue)
        .collect()
}

/// `path:line:column: code: cause; help (author)`
pub(crate) fn line(desired: &Desired, finding: &Diagnostic) -> String {
    let place = finding.place.and_then(|place| {
        let source = desired.sources().get(place.source)?;
        Some(format!(
            "{}:{}:{}: ",
            source.path, place.span.line, place.span.column
        ))
    });
    let help = finding.help.as_deref().map(|help| format!("; {help}"));
    let source = finding.place.map(|place| place.source);
    let author = source.and_then(|source| desired.author(source));
    let author = author.map(|author| format!(" ({author})"));
    format!(
        "{}{}: {}{}{}",
        place.unwrap_or_default(),
        finding.code,
        finding.cause,
        help.unwrap_or_default(),
        author.unwrap_or_default()
    )
}
