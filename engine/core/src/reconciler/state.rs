//! All state of the loop.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use super::book::Book;
use super::flight::Flights;
use super::identity::{Halt, Outside};
use super::judged::Judged;
use super::lineage::Lineage;
use super::retry::{Fight, Retry};
use super::{Counters, DriftEntry, Identity, Options, Role, Unusable, WatchKey, What};
use crate::arbiter::{Guard, Holders, QueueRules};
use crate::desired::{Desired, Unit};
use crate::ids::{Name, ObjectKey, ObjectKind, ResourceVersion, Timestamp, UnitId};
use crate::kinds::{AttemptKey, Grant, Want};
use crate::ledger::{Known, UnitStatus};
use crate::observed::marks::hold_words;
use crate::observed::{Coverage, Observed};

/// What is known of one unit beside its facts.
#[derive(Default)]
pub(super) struct UnitState {
    /// The ledger's entries as they should be now.
    pub known: Option<Known>,
    /// The revision that is pushed or spilled.
    pub durable: u64,
    /// The revision at which a pod's outcome came into the ledger.
    pub outcomes: BTreeMap<ObjectKey, u64>,
    /// What it should have, as it was worked out last.
    pub want: Want,
    /// The unit that it was worked out from.
    pub made_of: Option<Arc<Unit>>,
    /// When `want` asked to be looked at again.
    pub due: Option<Timestamp>,
    /// Why deletions wait.
    pub held: Option<String>,
    /// Objects whose annotation stops all work on them.
    pub on_hold: Vec<ObjectKey>,
    /// Refused corrections and foreign objects in the way, in a sentence.
    pub trouble: BTreeMap<ObjectKey, String>,
    /// What the snapshot's findings say of it.
    pub findings: Vec<String>,
    /// The state in which it is counted.
    counted: Option<String>,
}

/// The reconciler of one cluster. See the module's documentation for what it guarantees.
pub struct Reconciler {
    pub(super) options: Options,
    pub(super) observed: Observed,
    pub(super) desired: Option<Arc<Desired>>,
    /// The newest commit, if it could not take the place of that.
    pub(super) unusable: Option<Unusable>,
    /// By what `desired` was judged.
    pub(super) judged: Judged,
    pub(super) lineage: Lineage,
    pub(super) guard: Option<Guard>,
    pub(super) queues: BTreeMap<Name, QueueRules>,
    pub(super) outside: Outside,
    pub(super) identity: Option<Identity>,
    pub(super) halt: Option<Halt>,
    /// Berth's own namespace; it stays as it was at the start.
    pub(super) home: Option<Name>,
    /// The snapshot names another namespace than that.
    pub(super) moved: Option<Halt>,
    pub(super) role: Option<Role>,
    pub(super) tenure: u64,
    /// Namespaces that were left: their watches may have ended.
    pub(super) left: BTreeSet<String>,
    pub(super) units: BTreeMap<UnitId, UnitState>,
    pub(super) dirty: BTreeSet<UnitId>,
    pub(super) todo: BTreeSet<UnitId>,
    pub(super) wakes: BTreeSet<(Timestamp, UnitId)>,
    /// Units with asks.
    pub(super) asking: BTreeSet<UnitId>,
    /// Those of them whose asks changed since the arbiter looked.
    pub(super) asked_anew: BTreeSet<UnitId>,
    /// Those of them with an ask that neither holds nor was granted.
    pub(super) waiting: BTreeSet<UnitId>,
    pub(super) pruning: BTreeSet<UnitId>,
    /// Units that begin nothing, as what they seem to be moved from is kept by the guard.
    pub(super) kept_back: BTreeSet<UnitId>,
    pub(super) grants: BTreeMap<UnitId, BTreeMap<AttemptKey, Grant>>,
    /// What has its slots.
    pub(super) holders: Holders,
    pub(super) capacity_moved: bool,
    /// Units of which the snapshot's findings say something.
    pub(super) found: BTreeSet<UnitId>,
    /// Units whose deletions wait.
    pub(super) held: BTreeSet<UnitId>,
    /// Units with an outcome that is neither pushed nor spilled.
    pub(super) losable: BTreeSet<UnitId>,
    /// How many units are in each state.
    states: BTreeMap<String, u32>,
    /// The latest time at which something was worked out; clocks jump back.
    pub(super) latest: Timestamp,
    pub(super) flights: Flights,
    pub(super) retries: BTreeMap<ObjectKey, Retry>,
    pub(super) fights: BTreeMap<ObjectKey, Fight>,
    pub(super) in_sync: BTreeMap<ObjectKey, ResourceVersion>,
    pub(super) drifted: BTreeSet<ObjectKey>,
    pub(super) drift: BTreeMap<ObjectKey, DriftEntry>,
    pub(super) throttled: Option<Timestamp>,
    pub(super) tells: VecDeque<(UnitId, What)>,
    pub(super) book: Book,
    pub(super) sequence: u64,
    pub(super) counters: Counters,
}

impl Reconciler {
    /// One that knows nothing yet.
    pub fn new(options: Options) -> Self {
        Self {
            options,
            observed: Observed::default(),
            desired: None,
            unusable: None,
            judged: Judged::default(),
            lineage: Lineage::default(),
            guard: None,
            queues: BTreeMap::new(),
            outside: Outside::default(),
            identity: None,
            halt: None,
            home: None,
            moved: None,
            role: None,
            tenure: 0,
            left: BTreeSet::new(),
            units: BTreeMap::new(),
            dirty: BTreeSet::new(),
            todo: BTreeSet::new(),
            wakes: BTreeSet::new(),
            asking: BTreeSet::new(),
            asked_anew: BTreeSet::new(),
            waiting: BTreeSet::new(),
            pruning: BTreeSet::new(),
            kept_back: BTreeSet::new(),
            grants: BTreeMap::new(),
            holders: Holders::default(),
            capacity_moved: false,
            found: BTreeSet::new(),
            held: BTreeSet::new(),
            losable: BTreeSet::new(),
            states: BTreeMap::new(),
            latest: Timestamp::default(),
            flights: Flights::default(),
            retries: BTreeMap::new(),
            fights: BTreeMap::new(),
            in_sync: BTreeMap::new(),
            drifted: BTreeSet::new(),
            drift: BTreeMap::new(),
            throttled: None,
            tells: VecDeque::new(),
            book: Book::default(),
            sequence: 1,
            counters: Counters::default(),
        }
    }

    /// Counts how often the Lease was won back, or a namespace used again. Watches that were opened
    /// before the last time may lag behind what happened meanwhile: they are closed, nothing more of
    /// them is fed, and all are opened anew, which list again.
    pub fn tenure(&self) -> u64 {
        self.tenure
    }

    /// The watches that are needed now; none until it is known who we are in the cluster.
    pub fn watches(&self) -> BTreeSet<WatchKey> {
        if self.identity.is_none() || self.halted().is_some() {
            return BTreeSet::new();
        }
        let mut watches: BTreeSet<WatchKey> = BTreeSet::from([WatchKey::Nodes]);
        if self.queues.values().any(|rules| rules.observed) {
            watches.insert(WatchKey::Occupants);
        }
        for namespace in &self.book.progress.namespaces {
            let ours = |kind| WatchKey::Ours(kind, namespace.as_str().into());
            watches.extend(ObjectKind::ALL.into_iter().map(ours));
        }
        watches
    }

    /// Who we are in the cluster, once that is settled.
    pub fn identity(&self) -> Option<&Identity> {
        self.identity.as_ref()
    }

    /// Why every write stopped, and what to do.
    pub fn halted(&self) -> Option<&Halt> {
        self.moved.as_ref().or(self.halt.as_ref())
    }

    /// When a halted one looks again whether it may go on; `None` if only a commit can mend it.
    pub fn looks_again(&self) -> Option<Timestamp> {
        self.halt.as_ref().map(|_| self.outside.not_before)
    }

    /// What was done since the start.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// The snapshot in force.
    pub fn desired(&self) -> Option<&Desired> {
        self.desired.as_deref()
    }

    /// The newest commit, if it is not that one: it makes no snapshot.
    pub fn unusable(&self) -> Option<&Unusable> {
        self.unusable.as_ref()
    }

    /// What the watches say.
    pub fn observed(&self) -> &Observed {
        &self.observed
    }

    /// Units whose deletions wait, or that stand still, and why.
    pub fn held(&self) -> impl Iterator<Item = (&UnitId, &str)> {
        self.held
            .iter()
            .filter_map(|id| Some((id, self.units.get(id)?.held.as_deref()?)))
    }

    /// Units with objects whose annotation stops all work on them, and those.
    pub fn on_hold(&self) -> impl Iterator<Item = (&UnitId, &[ObjectKey])> {
        let units = self.units.iter();
        units
            .filter(|(_, state)| !state.on_hold.is_empty())
            .map(|(id, state)| (id, &*state.on_hold))
    }

    /// Units with objects that were refused, or whose names somebody else has, and a sentence on each.
    pub fn refused(&self) -> impl Iterator<Item = (&UnitId, impl Iterator<Item = &str>)> {
        let units = self.units.iter();
        units
            .filter(|(_, state)| !state.trouble.is_empty())
            .map(|(id, state)| (id, state.trouble.values().map(String::as_str)))
    }

    /// Whether this object of a unit is made after one of those.
    pub fn waits_for_refused(&self, unit: &UnitId, key: &ObjectKey) -> bool {
        let troubled = self.units.get(unit);
        let troubled = troubled.filter(|state| !state.trouble.is_empty());
        troubled.is_some_and(|state| {
            let mut own = state.want.objects.iter().filter(|it| it.key == *key);
            own.any(|recipe| recipe.after.iter().any(|it| state.trouble.contains_key(it)))
        })
    }

    /// Drift that was found, by object.
    pub fn drift(&self) -> impl Iterator<Item = &DriftEntry> {
        self.drift.values()
    }

    /// Every unit that has something to tell, and what.
    pub fn statuses(&self) -> impl Iterator<Item = (&UnitId, UnitStatus)> {
        self.units
            .iter()
            .filter(|(_, state)| state.known.is_some())
            .map(|(id, state)| (id, state.status()))
    }

    /// How many units are in each state, of those that have something to tell.
    pub fn states(&self) -> &BTreeMap<String, u32> {
        &self.states
    }

    /// What is to be said of one unit.
    pub fn unit_status(&self, unit: &UnitId) -> Option<UnitStatus> {
        self.units.get(unit).map(UnitState::status)
    }

    /// What the ledger says of one unit, pushed or not.
    pub fn unit_ledger(&self, unit: &UnitId) -> Option<&Known> {
        self.units.get(unit)?.known.as_ref()
    }

    /// Whether a snapshot, the ledger and complete watches are there, so that plans mean something.
    pub fn ready(&self) -> bool {
        let settled = |watch: &WatchKey| *self.observed.coverage(watch) != Coverage::Incomplete;
        self.is_judged()
            && self.identity.is_some()
            && self.outside.accepted
            && self.watches().iter().all(settled)
    }

    pub(super) fn may_write(&self, now: Timestamp) -> bool {
        self.leads(now) && self.halted().is_none()
    }

    /// Counts a unit anew, after what is known of it, what it should have, or why it is held changed.
    pub(super) fn count(&mut self, id: &UnitId) {
        let Some(state) = self.units.get_mut(id) else {
            return;
        };
        remember(&mut self.held, id, state.held.is_some());
        let word = state.known.as_ref().map(|_| state.word());
        let word = word.filter(|word| !word.is_empty());
        if state.counted.as_deref() == word {
            return;
        }
        let word = word.map(str::to_owned);
        if let Some(word) = &word {
            *self.states.entry(word.clone()).or_default() += 1;
        }
        if let Some(old) = std::mem::replace(&mut state.counted, word)
            && let Some(count) = self.states.get_mut(&old)
        {
            *count -= 1;
            if *count == 0 {
                self.states.remove(&old);
            }
        }
    }

    /// Notes whether a unit's outcomes could still be lost, after they or what is durable changed.
    pub(super) fn weigh_outcomes(&mut self, id: &UnitId) {
        let pending = self.units.get(id).is_some_and(UnitState::outcome_pending);
        remember(&mut self.losable, id, pending);
    }

    pub(super) fn wake(&mut self, unit: &UnitId, at: Timestamp) {
        self.wakes.insert((at, unit.clone()));
    }
}

impl UnitState {
    /// The kind's status, and what the reconciler itself has to say.
    pub(super) fn status(&self) -> UnitStatus {
        let mut status = self.want.status.clone();
        status.findings.extend(self.findings.iter().cloned());
        let on_hold = self.on_hold.iter();
        status.findings.extend(on_hold.map(hold_words));
        let words = self.held.iter().chain(self.trouble.values()).next();
        if let Some(words) = words {
            status.message = Some(words.clone());
        }
        status.state = self.word().into();
        status
    }

    /// The state, in a word.
    fn word(&self) -> &str {
        match &self.held {
            Some(_) => "Held",
            None => &self.want.status.state,
        }
    }

    /// Whether this pod's outcome is pushed or spilled.
    pub(super) fn outcome_durable(&self, pod: &ObjectKey) -> bool {
        self.outcomes
            .get(pod)
            .is_some_and(|revision| *revision <= self.durable)
    }

    /// Outcomes that are known and not durable.
    pub(super) fn outcome_pending(&self) -> bool {
        self.outcomes
            .values()
            .any(|revision| *revision > self.durable)
    }
}

/// Makes a unit a member of a set, or not.
pub(super) fn remember(set: &mut BTreeSet<UnitId>, id: &UnitId, is: bool) {
    if !is {
        set.remove(id);
    } else if !set.contains(id) {
        set.insert(id.clone());
    }
}
