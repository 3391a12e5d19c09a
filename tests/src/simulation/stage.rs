//! One event after the other.

use std::collections::{BTreeMap, BTreeSet};

use berth_sandbox::Faults;
use serde_json::Value;

use super::check::unit;
use super::daemon::{Birth, Daemon, Losses};
use super::end::End;
use super::pending::ghost;
use super::random::Random;
use super::repository::Repository;
use super::story::{Broken, Report, Story};
use super::world::{Excuse, World};

/// Whoever renews the Lease in time does so at least so often, in milliseconds.
const OFTEN: i64 = 4_000;

/// A story while it is played.
pub struct Stage {
    pub(super) story: Story,
    pub(super) world: World,
    pub(super) repository: Repository,
    pub(super) daemons: Vec<Daemon>,
    pub(super) losses: Losses,
    pub(super) lives: u64,
    pub(super) evictions: u32,
    pub(super) blockers: Vec<String>,
    /// Nodes that were deleted, as they were; `None` of those that never come back.
    pub(super) deleted_nodes: BTreeMap<String, Value>,
    /// Somebody runs `berth reanchor` until it is done.
    pub(super) reanchors: bool,
    /// The runs that were asked for, or that pods or the rest of the branch told of, since the history
    /// was lost for good and until their experiment was looked at.
    pub(super) unproven: Option<BTreeSet<(String, (u32, u32))>>,
    /// Not all of them were looked at.
    pub(super) doubts: bool,
    events: usize,
    audits: u64,
}

impl Stage {
    /// All is set up, and nothing happened.
    pub fn new(story: &Story) -> Self {
        let mut world = World::new(story.seed, story.traced);
        let mut random = Random::new(story.seed);
        world.elects = random.chance(400);
        // A third of the stories have good connections.
        let losses = if random.chance(330) || !story.weather {
            Losses::default()
        } else {
            world.server.options_mut().faults = Faults {
                throttled: 10,
                failed: 20,
                conflict: 20,
                lost_before: 30,
                lost_after: 30,
                cut_watch: 10,
                compacted: 100,
                ..Faults::default()
            };
            Losses { git: 40, twice: 50 }
        };
        Self {
            story: story.clone(),
            world,
            repository: Repository::new(),
            daemons: Vec::new(),
            losses,
            lives: 0,
            evictions: 0,
            blockers: Vec::new(),
            deleted_nodes: BTreeMap::new(),
            reanchors: false,
            unproven: None,
            doubts: false,
            events: 0,
            audits: 0,
        }
    }

    /// Plays it all, until something is wrong. Gives how it ended, if that can be compared.
    pub fn run(&mut self) -> Option<End> {
        for event in 0..self.story.length {
            if self.story.without.contains(&event) {
                continue;
            }
            self.events = event + 1;
            self.act(event);
            if !self.is_well() {
                return None;
            }
        }
        self.rest();
        if self.is_well() {
            self.judge_end();
        }
        (self.is_well() && self.unproven.is_none()).then(|| self.end())
    }

    /// Whether nothing is wrong so far.
    pub fn is_well(&self) -> bool {
        self.world.wrong.is_empty()
    }

    fn act(&mut self, event: usize) {
        let mut random = Random::of_event(self.story.seed, event);
        let random = &mut random;
        match random.below(1000) {
            0..16 => {
                let said = self.repository.change(random);
                if self.repository.rules().hurries() {
                    self.world.excuse.get_or_insert(Excuse::Hurried);
                }
                self.world.say(|| format!("commit: {said}"));
            }
            16..18 => {
                self.repository.roll_back();
                self.world.excuse.get_or_insert(Excuse::RolledBack);
                self.world.say(|| "the state branch is rolled back".into());
            }
            18..60 if !self.story.weather => {}
            18..48 => self.disturb(random),
            48..54 => self.crash(random),
            54..60 => self.shake_lease(random),
            60..95 => {
                if let Some(index) = self.somebody(random) {
                    self.daemons[index].fetch(&self.world, &self.repository);
                }
            }
            95..98 => self.hand_over(random),
            98..200 => {
                let millis = [50, 500, 2_000, 2_000, 5_000, 30_000][random.below(6)];
                self.pass(millis);
            }
            200..450 => {
                if let Some(index) = self.somebody(random) {
                    let daemon = &mut self.daemons[index];
                    daemon.judge_anew(&self.world, &self.repository);
                    daemon.listen(&mut self.world, random, false);
                }
            }
            _ => self.work(random),
        }
        self.step();
        self.world.truth.follow(&self.world.server);
        if random.chance(80) {
            self.audit();
        }
    }

    /// A daemon that is awake.
    fn somebody(&self, random: &mut Random) -> Option<usize> {
        let awake = |index: &usize| !self.daemons[*index].asleep;
        let awake: Vec<usize> = (0..self.daemons.len()).filter(awake).collect();
        random.one_of(&awake).copied()
    }

    /// Time passes. Who renews the Lease meanwhile does so.
    pub(super) fn pass(&mut self, millis: i64) {
        let mut left = millis;
        while left > 0 {
            let piece = if self.world.elects {
                left.min(OFTEN)
            } else {
                left
            };
            self.world.now += piece;
            left -= piece;
            self.elect();
        }
        self.world.server.tick(self.world.now);
    }

    fn elect(&mut self) {
        for daemon in self.daemons.iter_mut().filter(|daemon| !daemon.asleep) {
            daemon.elect(&mut self.world);
        }
        let elected = self.daemons.iter().filter(|it| it.is_elected(&self.world));
        if elected.count() > 1 {
            self.world.accuse("two lead at once".into());
        }
    }

    pub(super) fn step(&mut self) {
        if self.daemons.is_empty() {
            self.start();
        }
        self.elect();
        for daemon in self.daemons.iter_mut().filter(|daemon| !daemon.asleep) {
            daemon.step(&mut self.world);
        }
        self.end_reanchor();
        self.doubt();
    }

    /// Until somebody has seen everything, what is asked for or told of may be held; once `berth
    /// reanchor` is done, only of the experiments that it left to be looked at.
    fn doubt(&mut self) {
        let Some(unproven) = self.unproven.as_mut().filter(|_| self.doubts) else {
            return;
        };
        let ledger = self.world.branch.read().ok();
        let ledger = ledger.filter(|_| !self.world.branch.is_damaged());
        // What was looked at and not kept is doubted again by the next life.
        let left = ledger.map(|ledger| ledger.progress);
        let left = left.filter(|progress| !self.reanchors && !progress.hidden);
        let doubted = |name: &String| {
            let left = left.as_ref().map(|progress| &progress.unproven);
            left.is_none_or(|left| unit(name).is_some_and(|unit| left.contains(&unit)))
        };
        let told = self.repository.asked().into_iter().chain(self.world.told());
        unproven.extend(told.filter(|(name, _)| doubted(name)));
        let clear = |daemon: &Daemon| daemon.sees_everything(&self.world);
        let kept = left.is_some_and(|left| left.unproven.is_empty());
        self.doubts = !kept || !self.daemons.iter().any(clear);
    }

    /// One more life begins.
    pub(super) fn start(&mut self) {
        let mut random = Random::of_event(self.story.seed ^ 0x11fe, self.lives_begun());
        let hour: i64 = 3_600_000;
        let skew = if self.story.weather && random.chance(100) {
            [-hour, -20_000, 20_000, hour][random.below(4)]
        } else {
            0
        };
        if skew.abs() == hour {
            self.world.excuse = Some(Excuse::HourOff);
        }
        let birth = Birth {
            number: self.lives,
            skew,
            reanchor: self.reanchors,
            planted: self.story.planted,
        };
        if let Some(daemon) = Daemon::start(&self.world, &self.repository, birth) {
            self.world.say(|| format!("berth {} begins", birth.number));
            if birth.reanchor {
                self.world.forget_all_but(&self.repository);
            }
            self.daemons.push(daemon);
            self.lives += 1;
        }
    }

    fn lives_begun(&self) -> usize {
        usize::try_from(self.lives).unwrap_or(0)
    }

    /// `berth reanchor` ends once all is known and nothing is left to do.
    fn end_reanchor(&mut self) {
        let done = |daemon: &Daemon| {
            let known = daemon.reconciler.ready() && daemon.reconciler.is_anchored();
            daemon.birth.reanchor && known && daemon.pending.is_empty()
        };
        if self.reanchors && self.daemons.iter().any(done) {
            self.reanchors = false;
            self.world.say(|| "`berth reanchor` is done".into());
            for daemon in std::mem::take(&mut self.daemons) {
                daemon.stop(&mut self.world);
            }
        }
    }

    fn work(&mut self, random: &mut Random) {
        if let Some(index) = self.somebody(random) {
            let daemon = &mut self.daemons[index];
            if random.chance(50) {
                daemon.echo(&self.world);
            }
            if !daemon.pending.is_empty() {
                let call = random.below(daemon.pending.len());
                daemon.advance(call, &mut self.world, random, self.losses);
            }
        }
        self.world.server.tick(self.world.now);
    }

    fn crash(&mut self, random: &mut Random) {
        if self.daemons.is_empty() {
            return;
        }
        let daemon = self.daemons.swap_remove(random.below(self.daemons.len()));
        let number = daemon.birth.number;
        self.world.say(|| format!("berth {number} is killed"));
        let ghosts = daemon.stop(&mut self.world);
        // What was sent arrives before another one begins, or never.
        for (caller, effect) in ghosts {
            if random.chance(300) {
                ghost(&mut self.world, number, &caller, &effect);
            }
        }
        // While another one works, it would be damage that it can tell of.
        if self.daemons.is_empty() && random.chance(300) {
            self.forget_unanchored();
        }
    }

    /// Somebody rolls the status branch back to the commit that the anchor names: nobody can tell,
    /// so nothing may have relied on what came after it.
    fn forget_unanchored(&mut self) {
        let anchor = self.world.server.object("configmaps", "berth", "berth-lab");
        let named = anchor.and_then(|anchor| anchor["data"]["status"].as_str()?.parse().ok());
        let Some(named) = named else {
            return;
        };
        if self.world.branch.is_damaged() || !self.world.branch.contains(named) {
            return;
        }
        let lost = self.world.branch.roll_back(Some(named));
        self.world
            .say(|| format!("the status branch loses {lost} commits"));
    }

    /// Compares what was worked out bit by bit with all of it from scratch.
    pub(super) fn audit(&mut self) {
        for daemon in &self.daemons {
            self.audits += 1;
            daemon.audit(&mut self.world);
        }
    }

    /// What happened.
    pub fn report(&self) -> Report {
        Report {
            stories: 1,
            calls: self.world.calls,
            pods: self.world.made.len() as u64,
            commits: self.world.branch.count(),
            lives: self.lives,
            spills: self.world.spills,
            audits: self.audits,
            compared: 0,
        }
    }

    /// What went wrong.
    pub fn broken(&self) -> Broken {
        Broken {
            seed: self.story.seed,
            events: self.events,
            wrong: self.world.wrong.clone(),
            trace: self.world.story(),
        }
    }
}
