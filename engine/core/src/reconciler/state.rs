//! All state of the loop.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use super::book::Book;
use super::flight::Flights;
use super::identity::{Halt, Outside};
use super::lineage::Lineage;
use super::retry::{Fight, Retry};
use super::{Counters, DriftEntry, Identity, Options, Role, WatchKey, What};
use crate::arbiter::{Guard, QueueRules};
use crate::desired::Desired;
use crate::ids::{Name, ObjectKey, ObjectKind, ResourceVersion, Timestamp, UnitId};
use crate::kinds::{AttemptKey, Grant, Want};
use crate::ledger::{Known, UnitStatus};
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
    /// When `want` asked to be looked at again.
    pub due: Option<Timestamp>,
    /// Why deletions wait.
    pub held: Option<String>,
    /// Refused corrections and foreign objects in the way, in a sentence.
    pub trouble: BTreeMap<ObjectKey, String>,
    /// What the snapshot's findings say of it.
    pub findings: Vec<String>,
}

/// The reconciler of one cluster. See the module's documentation for what it guarantees.
pub struct Reconciler {
    pub(super) options: Options,
    pub(super) observed: Observed,
    pub(super) desired: Option<Arc<Desired>>,
    pub(super) lineage: Lineage,
    pub(super) guard: Option<Guard>,
    pub(super) queues: BTreeMap<Name, QueueRules>,
    pub(super) outside: Outside,
    pub(super) identity: Option<Identity>,
    pub(super) halt: Option<Halt>,
    pub(super) role: Option<Role>,
    pub(super) units: BTreeMap<UnitId, UnitState>,
    pub(super) dirty: BTreeSet<UnitId>,
    pub(super) todo: BTreeSet<UnitId>,
    pub(super) wakes: BTreeSet<(Timestamp, UnitId)>,
    pub(super) asking: BTreeSet<UnitId>,
    pub(super) pruning: BTreeSet<UnitId>,
    pub(super) reanchored: bool,
    pub(super) unproven: BTreeSet<UnitId>,
    pub(super) grants: BTreeMap<UnitId, BTreeMap<AttemptKey, Grant>>,
    pub(super) capacity_moved: bool,
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
            lineage: Lineage::default(),
            guard: None,
            queues: BTreeMap::new(),
            outside: Outside::default(),
            identity: None,
            halt: None,
            role: None,
            units: BTreeMap::new(),
            dirty: BTreeSet::new(),
            todo: BTreeSet::new(),
            wakes: BTreeSet::new(),
            asking: BTreeSet::new(),
            pruning: BTreeSet::new(),
            reanchored: false,
            unproven: BTreeSet::new(),
            grants: BTreeMap::new(),
            capacity_moved: false,
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

    /// The watches that are needed now; none until it is known who we are in the cluster.
    pub fn watches(&self) -> BTreeSet<WatchKey> {
        if self.identity.is_none() || self.halt.is_some() {
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
        self.halt.as_ref()
    }

    /// What was done since the start.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// The snapshot in force.
    pub fn desired(&self) -> Option<&Desired> {
        self.desired.as_deref()
    }

    /// What the watches say.
    pub fn observed(&self) -> &Observed {
        &self.observed
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
        self.desired.is_some()
            && self.identity.is_some()
            && self.outside.accepted
            && self.watches().iter().all(settled)
    }

    pub(super) fn may_write(&self, now: Timestamp) -> bool {
        self.leads(now) && self.halt.is_none()
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
        let words = self.held.iter().chain(self.trouble.values()).next();
        if let Some(words) = words {
            status.message = Some(words.clone());
        }
        if self.held.is_some() {
            status.state = "Held".into();
        }
        status
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
