//! One life of the daemon: a reconciler, its watches, and the calls that are under way.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use berth_cluster::wire::{Answer, Call, Caller, Ended, Next, Watcher};
use berth_core::desired::Loader;
use berth_core::ids::{CommitId, Name, ResourceVersion, Timestamp, Uid, UnitId};
use berth_core::ledger::Applied;
use berth_core::reconciler::{
    Anchor, Effect, Input, Options, Outcome, Reconciler, Role, WatchEvent, WatchKey, What,
    anchor_name, spill_name,
};
use berth_sandbox::{Body, Response, WatchId, WatchPoll};

use super::random::Random;
use super::repository::{Experiment, Repository};
use super::world::{Planted, World, bytes, plant, retry_after};

/// How likely things go wrong between the daemon and the world, in thousandths.
#[derive(Debug, Clone, Copy, Default)]
pub struct Losses {
    /// Git: the push is lost before or after it was carried out, each.
    pub git: usize,
    /// An answer is given twice.
    pub twice: usize,
}

/// A call that is under way: the answers that it has got so far.
#[derive(Debug)]
pub struct Pending {
    effect: Effect,
    answers: Vec<Response>,
    /// Carried out; the outcome is on its way back.
    outcome: Option<Outcome>,
}

#[derive(Debug)]
struct Feed {
    watcher: Watcher,
    open: Option<WatchId>,
    not_before: i64,
}

/// One life of the daemon.
pub struct Daemon {
    /// The reconciler.
    pub reconciler: Reconciler,
    loader: Loader,
    told: Option<CommitId>,
    wanted: BTreeMap<String, Experiment>,
    forms: BTreeMap<UnitId, Applied>,
    /// Calls under way.
    pub pending: Vec<Pending>,
    feeds: BTreeMap<WatchKey, Feed>,
    number: u64,
    /// Its clock is so far ahead of the world's, in milliseconds.
    pub skew: i64,
    planted: Option<Planted>,
}

impl Daemon {
    /// Starts one; `None` while it cannot read the status branch or the snapshot.
    pub fn start(
        world: &World,
        repository: &Repository,
        number: u64,
        planted: Option<Planted>,
    ) -> Option<Self> {
        let ledger = (!world.git_away).then(|| world.branch.read())?;
        let forms = ledger.ok()?.forms();
        let options = Options {
            status_interval: Some(Duration::from_secs(if number.is_multiple_of(2) {
                0
            } else {
                10
            })),
            seed: number,
            in_flight: 8,
            ..Options::new(name()?)
        };
        let mut new = Self {
            reconciler: Reconciler::new(options),
            loader: Loader::new(),
            told: None,
            wanted: BTreeMap::new(),
            forms,
            pending: Vec::new(),
            feeds: BTreeMap::new(),
            number,
            skew: 0,
            planted,
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
        let told = self.told;
        if let Ok(desired) = repository.load(&mut self.loader, told, &self.forms) {
            self.told = Some(repository.tip());
            self.wanted.clone_from(&repository.experiments);
            let now = self.now(world);
            self.reconciler
                .input(now, Input::Snapshot(Arc::new(desired)));
        }
    }

    /// Lets it decide. Gives how many effects came out.
    pub fn step(&mut self, world: &mut World) -> usize {
        let now = self.now(world);
        let until = now.plus(Duration::from_hours(1));
        self.reconciler
            .input(now, Input::Role(Role::Leader { until }));
        let effects = self.reconciler.step(now);
        for finding in self.reconciler.audit(now) {
            world.accuse(format!("audit: {finding}"));
        }
        let count = effects.len();
        for mut effect in effects {
            world.judge_effect(&effect.what, &self.wanted);
            plant(self.planted, &mut effect);
            self.pending.push(Pending {
                effect,
                answers: Vec::new(),
                outcome: None,
            });
        }
        count
    }

    /// Moves one call a step on its way.
    pub fn advance(
        &mut self,
        index: usize,
        world: &mut World,
        random: &mut Random,
        losses: Losses,
    ) {
        let now = self.now(world);
        let mut pending = self.pending.swap_remove(index);
        if let Some(outcome) = pending.outcome.take() {
            world.say(format!(
                "answer {:?}: {}",
                pending.effect.id.0,
                brief(&outcome)
            ));
            let id = pending.effect.id;
            self.reconciler.input(now, Input::Done(id, outcome.clone()));
            if random.chance(losses.twice) {
                self.reconciler.input(now, Input::Done(id, outcome));
            }
            return;
        }
        if matches!(pending.effect.what, What::Reload) {
            return self.reload(&pending.effect, world, now);
        }
        pending.outcome = self.carry(&mut pending, world, random, losses, now);
        self.pending.push(pending);
    }

    fn carry(
        &self,
        pending: &mut Pending,
        world: &mut World,
        random: &mut Random,
        losses: Losses,
        now: Timestamp,
    ) -> Option<Outcome> {
        if let What::Record { base, files, .. } = &pending.effect.what {
            if world.git_away {
                return Some(Outcome::Unreachable("no route".into()));
            }
            if random.chance(losses.git) {
                return Some(Outcome::Unknown("the connection broke".into()));
            }
            let pushed = world.branch.push(*base, files);
            world.say(format!(
                "push {:?}: {}",
                files.keys().collect::<Vec<_>>(),
                pushed.is_some()
            ));
            if random.chance(losses.git) {
                return Some(Outcome::Unknown("the connection broke".into()));
            }
            return Some(pushed.map_or(Outcome::Outpaced, Outcome::Recorded));
        }
        let caller = self.caller();
        match replay(&caller, now, &pending.effect, &pending.answers) {
            Ok(outcome) => Some(outcome),
            Err(waits) => {
                let response = world.berth(&waits.request);
                if matches!(response.body, Body::Lost) {
                    return Some(waits.lost);
                }
                pending.answers.push(response);
                replay(&caller, now, &pending.effect, &pending.answers).ok()
            }
        }
    }

    fn caller(&self) -> Caller {
        let identity = self.reconciler.identity();
        Caller {
            instance: identity.map_or(String::new(), |identity| identity.instance.clone()),
            namespace: "berth".into(),
        }
    }

    fn reload(&mut self, effect: &Effect, world: &mut World, now: Timestamp) {
        if world.git_away {
            let away = Outcome::Unreachable("no route".into());
            return self.reconciler.input(now, Input::Done(effect.id, away));
        }
        let Some(cluster) = name() else { return };
        let anchor = kept(world, &anchor_name(&cluster))
            .and_then(|(data, uid, version)| Anchor::read(&data, uid, version).ok());
        let anchor_in_branch = anchor
            .as_ref()
            .is_none_or(|anchor| anchor.is_in(|commit| world.branch.contains(commit)));
        let (data, version) = match kept(world, &spill_name(&cluster)) {
            Some((data, _, version)) => (data, Some(version)),
            None => (BTreeMap::new(), None),
        };
        self.reconciler.input(now, Input::Spill { data, version });
        self.reconciler.input(
            now,
            Input::Identity {
                cluster_uid: "the-cluster".into(),
                anchor,
                anchor_in_branch,
                fresh_instance: format!("instance{}", self.number),
            },
        );
        self.reconciler
            .input(now, Input::Ledger(world.branch.read()));
        world.say("reload".into());
    }

    /// Opens watches that are wanted, and reads some of what they have to say. Gives how many
    /// messages came and watches began or ended.
    pub fn listen(&mut self, world: &mut World, random: &mut Random, all: bool) -> usize {
        for key in self.reconciler.watches() {
            let instance = self.caller().instance;
            self.feeds.entry(key.clone()).or_insert_with(|| Feed {
                watcher: Watcher::new(key, instance, 7),
                open: None,
                not_before: 0,
            });
        }
        let keys: Vec<WatchKey> = self.feeds.keys().cloned().collect();
        let mut count = 0;
        for key in keys {
            if !all && random.chance(600) {
                continue;
            }
            let Some(feed) = self.feeds.get_mut(&key) else {
                continue;
            };
            let before = feed.open;
            let events = feed.listen(world);
            count += events.len() + usize::from(feed.open != before);
            let now = self.now(world);
            for event in events {
                self.reconciler.input(now, Input::Watch(key.clone(), event));
            }
        }
        count
    }

    /// When a watch may be opened next.
    pub fn listens_at(&self) -> Option<i64> {
        let closed = self.feeds.values().filter(|feed| feed.open.is_none());
        closed.map(|feed| feed.not_before).min()
    }

    /// A key that a create is on its way to, to take its name before it.
    pub fn about_to_create(&self) -> Option<berth_core::ids::ObjectKey> {
        self.pending
            .iter()
            .find_map(|pending| match &pending.effect.what {
                What::Create { key, .. }
                    if pending.answers.is_empty() && pending.outcome.is_none() =>
                {
                    Some(key.clone())
                }
                _ => None,
            })
    }

    /// Ends it: its requests may still arrive, and nobody hears the answers.
    pub fn stop(self, world: &mut World) -> Vec<(Caller, Effect)> {
        for feed in self.feeds.values() {
            if let Some(open) = feed.open {
                world.server.close_watch(open);
            }
        }
        let caller = self.caller();
        self.pending
            .into_iter()
            .filter(|pending| pending.outcome.is_none() && pending.answers.is_empty())
            .map(|pending| (caller.clone(), pending.effect))
            .collect()
    }
}

/// A request of a daemon that is gone arrives.
pub fn ghost(world: &mut World, caller: &Caller, effect: &Effect) {
    if let What::Record { base, files, .. } = &effect.what {
        if !world.git_away {
            world.branch.push(*base, files);
        }
        return;
    }
    let now = Timestamp::from_millis(world.now);
    if let Ok((_, request)) = Call::new(caller, now, effect) {
        world.say("a ghost:".into());
        world.berth(&request);
    }
}

impl Feed {
    fn listen(&mut self, world: &mut World) -> Vec<WatchEvent> {
        if let Some(open) = self.open {
            return self.poll(world, open);
        }
        if world.now < self.not_before {
            return Vec::new();
        }
        let Ok(wish) = self.watcher.next_request() else {
            return Vec::new();
        };
        let response = world.berth(&wish.request);
        match &response.body {
            Body::Watch(open) => {
                self.open = Some(*open);
                Vec::new()
            }
            Body::Lost => self.ended(world, &Ended::Closed),
            Body::Full(body) if response.status == 200 && !wish.streams => {
                let events = self.watcher.page(body);
                self.ended(world, &Ended::Closed);
                events
            }
            Body::Full(_) => {
                let answer = answer(&response);
                self.ended(world, &Ended::Refused(answer))
            }
        }
    }

    fn poll(&mut self, world: &mut World, open: WatchId) -> Vec<WatchEvent> {
        match world.server.poll_watch(world.now, open) {
            WatchPoll::Idle => Vec::new(),
            WatchPoll::Closed => self.ended(world, &Ended::Closed),
            WatchPoll::Lines(lines) => {
                let mut events = Vec::new();
                for line in lines {
                    match self.watcher.line(&line) {
                        ControlFlow::Continue(more) => events.extend(more),
                        ControlFlow::Break(more) => {
                            events.extend(more);
                            world.server.close_watch(open);
                            events.extend(self.ended(world, &Ended::Closed));
                            break;
                        }
                    }
                }
                events
            }
        }
    }

    fn ended(&mut self, world: &World, how: &Ended<'_>) -> Vec<WatchEvent> {
        self.open = None;
        let (events, pause) = self.watcher.ended(how);
        self.not_before = world.now + i64::try_from(pause.as_millis()).unwrap_or(0);
        events
    }
}

/// The request that a call waits for, and what to say if it is lost.
struct Waits {
    request: http::Request<Vec<u8>>,
    lost: Outcome,
}

/// Plays a call up to where it stands: its outcome, or what it waits for.
fn replay(
    caller: &Caller,
    now: Timestamp,
    effect: &Effect,
    answers: &[Response],
) -> Result<Outcome, Box<Waits>> {
    let Ok((mut call, mut request)) = Call::new(caller, now, effect) else {
        return Ok(Outcome::Conflict);
    };
    for response in answers {
        match call.answered(&answer(response)) {
            Next::Outcome(outcome) => return Ok(outcome),
            Next::Ask(next, again) => (call, request) = (next, again),
        }
    }
    let lost = call.lost("the connection broke");
    Err(Box::new(Waits { request, lost }))
}

fn answer(response: &Response) -> Answer<'_> {
    Answer {
        status: response.status,
        retry_after: retry_after(response),
        body: bytes(response).unwrap_or_default(),
    }
}

fn kept(world: &World, name: &str) -> Option<(BTreeMap<String, String>, Uid, ResourceVersion)> {
    let object = world.server.object("configmaps", "berth", name)?;
    let data = serde_json::from_value(object["data"].clone()).unwrap_or_default();
    let uid = Uid(object["metadata"]["uid"].as_str()?.into());
    let version = object["metadata"]["resourceVersion"]
        .as_str()?
        .parse()
        .ok()?;
    Some((data, uid, version))
}

fn name() -> Option<Name> {
    Name::new("lab").ok()
}

fn brief(outcome: &Outcome) -> String {
    format!("{outcome:?}").chars().take(60).collect()
}
