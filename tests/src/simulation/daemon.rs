//! One life of the daemon: a reconciler, its watches, the Lease, and the calls that are under way.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use berth_cluster::wire::{Caller, Elector};
use berth_core::desired::Loader;
use berth_core::ids::{CommitId, Name, ObjectKey, ResourceVersion, Timestamp};
use berth_core::ledger::Forms;
use berth_core::observed::Coverage;
use berth_core::reconciler::{
    Effect, EffectId, Input, Options, Outcome, Reconciler, Role, WatchEvent, WatchKey, What,
};
use berth_sandbox::Body;

use super::experiment::Experiment;
use super::feed::{Feed, Feeds, hasten};
use super::pending::Pending;
use super::planted::Planted;
use super::random::Random;
use super::repository::Repository;
use super::rules::{QUEUE_NAMESPACES, Rules};
use super::wire::answer;
use super::world::{World, daemon_name};

/// How likely things go wrong between the daemon and the world, in thousandths.
#[derive(Debug, Clone, Copy, Default)]
pub struct Losses {
    /// Git: the push is lost before or after it was carried out, each.
    pub git: usize,
    /// An answer is given twice; half of them much later.
    pub twice: usize,
}

/// How a life begins.
#[derive(Debug, Clone, Copy)]
pub struct Birth {
    /// Which life it is.
    pub number: u64,
    /// Its clock is so far ahead of the world's, in milliseconds.
    pub skew: i64,
    /// It is `berth reanchor`.
    pub reanchor: bool,
    /// A fault of ours.
    pub planted: Option<Planted>,
}

/// One life of the daemon.
pub struct Daemon {
    /// The reconciler.
    pub reconciler: Reconciler,
    /// How it began.
    pub birth: Birth,
    /// Its clock is so far ahead of the world's, in milliseconds.
    pub skew: i64,
    /// It is stopped by a signal, or its machine sleeps.
    pub asleep: bool,
    /// It does not reach the Lease.
    pub cut_off: bool,
    /// This watch of its lags behind the others.
    pub late: Option<WatchKey>,
    /// It read a status branch that was not its own; nothing may be written until it reads again.
    pub(super) misled: bool,
    /// Calls under way.
    pub(super) pending: Vec<Pending>,
    /// Answers that come once more, much later.
    pub(super) echoes: Vec<(EffectId, Outcome)>,
    loader: Loader,
    told: Option<CommitId>,
    /// What it tried to make: a create whose answer was lost is repeated, whatever is seen.
    tried: BTreeSet<ObjectKey>,
    wanted: BTreeMap<String, Experiment>,
    /// What the experiments said at the commit that it was told and before, the newest first.
    history: Vec<(CommitId, BTreeMap<String, Experiment>)>,
    rules: Rules,
    forms: Arc<Forms>,
    feeds: Feeds,
    /// The reconciler's when they were opened.
    tenure: u64,
    elector: Option<Elector>,
}

impl Daemon {
    /// Starts one; `None` while it cannot read the status branch or the snapshot.
    pub fn start(world: &World, repository: &Repository, birth: Birth) -> Option<Self> {
        let ledger = (!world.git_away).then(|| world.branch.read())?;
        let forms = Arc::new(ledger.ok()?.forms());
        let interval = if birth.number.is_multiple_of(2) {
            0
        } else {
            10
        };
        let options = Options {
            status_interval: Some(Duration::from_secs(interval)),
            seed: birth.number,
            in_flight: 8,
            reanchor: birth.reanchor,
            ..Options::new(cluster()?)
        };
        let name = daemon_name(birth.number);
        let mut new = Self {
            reconciler: Reconciler::new(options),
            birth,
            skew: birth.skew,
            asleep: false,
            cut_off: false,
            late: None,
            misled: false,
            pending: Vec::new(),
            echoes: Vec::new(),
            loader: Loader::new(),
            told: None,
            tried: BTreeSet::new(),
            wanted: BTreeMap::new(),
            history: Vec::new(),
            rules: Rules::default(),
            forms,
            feeds: BTreeMap::new(),
            tenure: 0,
            elector: world.elects.then(|| Elector::new("lab", "berth", &name)),
        };
        new.fetch(world, repository);
        Some(new)
    }

    /// The time on its clock.
    pub fn now(&self, world: &World) -> Timestamp {
        Timestamp::from_millis(world.now + self.skew)
    }

    /// Reads the tip of the state repository; what cannot be used leaves the last one in force.
    pub fn fetch(&mut self, world: &World, repository: &Repository) {
        if world.git_away || self.told == Some(repository.tip()) {
            return;
        }
        self.take(repository.tip(), world, repository);
    }

    fn take(&mut self, commit: CommitId, world: &World, repository: &Repository) {
        let told = self.told;
        if let Ok(desired) = repository.load(commit, &mut self.loader, told, &self.forms) {
            self.told = Some(commit);
            self.history = repository.history(commit);
            let said = self.history.first();
            self.wanted = said.map(|(_, said)| said.clone()).unwrap_or_default();
            self.rules = repository.rules_at(commit).unwrap_or_default();
            let now = self.now(world);
            self.reconciler
                .input(now, Input::Snapshot(Arc::new(desired)));
        }
    }

    /// Judges what it was told anew, if something else is in force; true if it did.
    pub fn judge_anew(&mut self, world: &World, repository: &Repository) -> bool {
        let by = self.reconciler.judge_by();
        let Some(forms) = by.filter(|by| !Arc::ptr_eq(by, &self.forms)).cloned() else {
            return false;
        };
        let told = self.told.filter(|told| {
            let history = repository.history(*told);
            let has = |commit| history.iter().any(|(id, _)| *id == commit);
            forms.commit.is_none_or(has)
        });
        // What it was told is older than what was applied: it looks for the tip.
        if told.is_none() && world.git_away {
            return false;
        }
        self.loader.forget();
        self.forms = forms;
        self.take(told.unwrap_or(repository.tip()), world, repository);
        true
    }

    /// Takes part in the election.
    pub fn elect(&mut self, world: &mut World) {
        let now = self.now(world);
        let Some(elector) = &mut self.elector else {
            return;
        };
        // What it reads tells it to write at once; more than a few turns are none.
        for _ in 0..4 {
            let Ok(Some(request)) = elector.next_request(now) else {
                return;
            };
            if self.cut_off {
                elector.lost();
                continue;
            }
            let response = world.lease(self.birth.number, &request);
            match response.body {
                Body::Lost => elector.lost(),
                Body::Full(_) | Body::Watch(_) => elector.answered(now, &answer(&response)),
            }
        }
    }

    /// When it wants to take part next, by the world's clock.
    pub fn elects_at(&self) -> Option<i64> {
        let due = self.elector.as_ref()?.due();
        Some(due.millis() - self.skew)
    }

    /// Whether it was elected, and its time is not over.
    pub fn is_elected(&self, world: &World) -> bool {
        let role = self.elector.as_ref().map(|it| it.role(self.now(world)));
        matches!(role, Some(Role::Leader { .. }))
    }

    /// Who writes, as it knows.
    pub fn role(&self, now: Timestamp) -> Role {
        match &self.elector {
            Some(elector) if self.birth.planted != Some(Planted::WritesWithoutLease) => {
                elector.role(now)
            }
            _ => Role::Leader {
                until: now.plus(Duration::from_hours(1)),
            },
        }
    }

    /// Whether it may write.
    pub fn leads(&self, world: &World) -> bool {
        let now = self.now(world);
        matches!(self.role(now), Role::Leader { until } if now < until)
    }

    /// Lets it decide. Gives how many effects came out.
    pub fn step(&mut self, world: &mut World) -> usize {
        let now = self.now(world);
        let role = self.role(now);
        self.reconciler.input(now, Input::Role(role));
        let effects = self.reconciler.step(now);
        let count = effects.len();
        for mut effect in effects {
            self.judge(world, &effect);
            if let Some(planted) = self.birth.planted {
                planted.spoil(&mut effect);
            }
            self.pending.push(Pending::new(effect));
        }
        count
    }

    fn judge(&mut self, world: &mut World, effect: &Effect) {
        world.judge_effect(&effect.what, &self.wanted, &self.history);
        if self.misled && !matches!(effect.what, What::Reload) {
            world.accuse(format!(
                "it goes on though the status branch is not its own: {}",
                effect.why
            ));
        }
        if self.rules.suspended && self.rules.are_sound() && changes_work(&effect.what) {
            world.accuse(format!("the cluster is suspended, and {}", effect.why));
        }
        let done = match &effect.what {
            What::Delete { key, .. } => Some((key, "deleted")),
            What::Create { key, .. } if self.tried.insert(key.clone()) => Some((key, "made")),
            _ => None,
        };
        if let Some((key, done)) = done.filter(|(key, _)| !self.sees(key)) {
            world.accuse(format!("{key} is {done} and not all was seen"));
        }
    }

    /// Whether all objects beside this one were told.
    fn sees(&self, key: &ObjectKey) -> bool {
        let watch = WatchKey::Ours(key.kind, key.namespace.clone());
        let feed = self.feeds.get(&watch);
        feed.is_some_and(|feed| feed.complete && feed.late.is_empty())
    }

    /// Works everything out from scratch and compares.
    pub fn audit(&self, world: &mut World) {
        for finding in self.reconciler.audit(self.now(world)) {
            world.accuse(format!("audit: {finding}"));
        }
    }

    /// Opens watches that are wanted, and reads some of what they have to say. Gives how many
    /// messages came and watches began or ended.
    pub fn listen(&mut self, world: &mut World, random: &mut Random, all: bool) -> usize {
        let instance = self.caller().instance;
        if self.tenure != self.reconciler.tenure() {
            self.tenure = self.reconciler.tenure();
            for feed in self.feeds.values_mut() {
                feed.close(world);
            }
            self.feeds.clear();
        }
        for key in self.reconciler.watches() {
            let feed = |key: &WatchKey| Feed::new(key.clone(), instance.clone());
            if !self.feeds.contains_key(&key) {
                self.feeds.insert(key.clone(), feed(&key));
            }
        }
        let now = self.now(world);
        let mut count = 0;
        for (key, feed) in &mut self.feeds {
            let lags = self.late.as_ref() == Some(key);
            if !all && (random.chance(600) || lags) {
                continue;
            }
            let (mut events, turned) = feed.listen(self.birth.number, world);
            count += events.len() + usize::from(turned);
            if self.birth.planted == Some(Planted::HastyListing) {
                let late = feed.late.drain(..);
                let (said, later) = hasten(late.chain(events).collect());
                (events, feed.late) = (said, later);
            }
            if self.birth.planted == Some(Planted::HastyNodes) && *key == WatchKey::Nodes {
                events.push(WatchEvent::Passed(ResourceVersion(u64::MAX)));
            }
            for event in events {
                self.reconciler.input(now, Input::Watch(key.clone(), event));
            }
        }
        count
    }

    /// When a watch may be opened next.
    pub fn listens_at(&self) -> Option<i64> {
        self.feeds.values().filter_map(Feed::opens_at).min()
    }

    /// Which views are not complete, for people.
    pub fn blind_spots(&self) -> Vec<String> {
        let watches = self.reconciler.watches();
        let spots = watches.iter().filter_map(|watch| {
            let coverage = self.reconciler.observed().coverage(watch);
            (*coverage != Coverage::Complete).then(|| format!("{watch:?} is {coverage:?}"))
        });
        spots.collect()
    }

    /// Whether nothing is left that it does not know of and acts upon.
    pub fn sees_everything(&self, world: &World) -> bool {
        let broken = self.wanted.values().any(|one| one.broken);
        let ready = self.reconciler.ready() && self.blind_spots().is_empty();
        ready && !broken && self.leads(world)
    }

    /// A key that a create is on its way to, to take its name before it.
    pub fn about_to_create(&self) -> Option<ObjectKey> {
        self.pending.iter().find_map(Pending::about_to_create)
    }

    pub(super) fn caller(&self) -> Caller {
        let identity = self.reconciler.identity();
        Caller {
            instance: identity.map_or(String::new(), |identity| identity.instance.clone()),
            namespace: "berth".into(),
        }
    }

    /// Ends it: its requests may still arrive, and nobody hears the answers.
    pub fn stop(mut self, world: &mut World) -> Vec<(Caller, Effect)> {
        for feed in self.feeds.values_mut() {
            feed.close(world);
        }
        // Without unexpired time nothing of it is on its way.
        if !self.leads(world) {
            return Vec::new();
        }
        let caller = self.caller();
        let sent = self.pending.into_iter().filter_map(Pending::unanswered);
        sent.map(|effect| (caller.clone(), effect)).collect()
    }
}

/// Whether an effect begins, changes or ends work of people's.
fn changes_work(what: &What) -> bool {
    let (What::Create { key, .. } | What::Apply { key, .. } | What::Delete { key, .. }) = what
    else {
        return false;
    };
    QUEUE_NAMESPACES.contains(&&*key.namespace)
}

/// The cluster's name.
pub fn cluster() -> Option<Name> {
    Name::new("lab").ok()
}
