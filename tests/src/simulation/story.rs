//! One story: people change things, things break, and in the end all must be well.

use std::fmt;

use berth_sandbox::Faults;
use serde_json::{Value, json};

use super::check::unit;
use super::daemon::{Daemon, Losses, ghost};
use super::random::Random;
use super::repository::{Experiment, Repository};
pub use super::world::Planted;
use super::world::{World, label};

/// What a story is made of.
#[derive(Debug, Clone, Copy)]
pub struct Story {
    /// Decides everything.
    pub seed: u64,
    /// How many things happen before people and weather come to rest.
    pub length: usize,
    /// A fault of ours, to see that it is found.
    pub planted: Option<Planted>,
}

/// What happened in a story that went well.
#[derive(Debug, Clone, Copy, Default)]
pub struct Report {
    /// Writing calls of Berth's that reached the server.
    pub calls: u64,
    /// Pods made.
    pub pods: usize,
    /// Status commits.
    pub commits: u64,
    /// Lives of the daemon.
    pub lives: u64,
    /// Writes of the spill.
    pub spills: usize,
    /// Status commits that were lost in roll-backs that nobody could see.
    pub rolled_back: usize,
}

/// What went wrong.
#[derive(Debug, Clone)]
pub struct Broken {
    /// The seed to play again.
    pub seed: u64,
    /// What is wrong.
    pub wrong: Vec<String>,
    /// The last things that happened.
    pub trace: Vec<String>,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "seed {}:", self.seed)?;
        self.wrong
            .iter()
            .try_for_each(|line| writeln!(f, "  {line}"))?;
        writeln!(f, "what happened last:")?;
        self.trace
            .iter()
            .try_for_each(|line| writeln!(f, "  {line}"))
    }
}

/// Plays a story.
pub fn play(story: Story) -> Result<Report, Broken> {
    let mut stage = Stage::new(story);
    for _ in 0..story.length {
        stage.act();
        if !stage.world.wrong.is_empty() {
            return Err(stage.broken());
        }
    }
    stage.rest();
    if stage.world.wrong.is_empty() {
        stage.judge_end();
    }
    if stage.world.wrong.is_empty() {
        return Ok(stage.report());
    }
    Err(stage.broken())
}

struct Stage {
    story: Story,
    random: Random,
    world: World,
    repository: Repository,
    daemon: Option<Daemon>,
    lives: u64,
    evictions: u32,
    blockers: Vec<String>,
    losses: Losses,
    rolled_back: usize,
}

impl Stage {
    fn new(story: Story) -> Self {
        let mut world = World::new(story.seed);
        let mut random = Random::new(story.seed);
        // A third of the stories have good weather.
        let losses = if random.chance(330) {
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
            story,
            random,
            world,
            repository: Repository::new(),
            daemon: None,
            lives: 0,
            evictions: 0,
            blockers: Vec::new(),
            losses,
            rolled_back: 0,
        }
    }

    fn act(&mut self) {
        match self.random.below(1000) {
            0..15 => {
                let said = self.repository.change(&mut self.random);
                self.world.say(format!("commit: {said}"));
            }
            15..17 => {
                self.repository.roll_back();
                self.world.rolled_back = true;
                self.world.say("the branch is rolled back".into());
            }
            17..40 => self.disturb(),
            40..46 => self.crash(),
            46..50 => {
                self.world.git_away = !self.world.git_away;
                self.world.say(format!("git away: {}", self.world.git_away));
            }
            50..90 => {
                if let Some(daemon) = &mut self.daemon {
                    daemon.fetch(&self.world, &self.repository);
                }
            }
            90..200 => {
                let millis = [50, 500, 2_000, 2_000, 5_000, 30_000][self.random.below(6)];
                self.world.now += millis;
                self.world.server.tick(self.world.now);
            }
            200..450 => {
                if let Some(daemon) = &mut self.daemon {
                    daemon.listen(&mut self.world, &mut self.random, false);
                }
            }
            _ => self.work(),
        }
        self.step();
    }

    fn step(&mut self) {
        if self.daemon.is_none() {
            self.daemon = Daemon::start(
                &self.world,
                &self.repository,
                self.lives,
                self.story.planted,
            );
            self.lives += u64::from(self.daemon.is_some());
        }
        if let Some(daemon) = &mut self.daemon {
            daemon.step(&mut self.world);
        }
    }

    fn work(&mut self) {
        if let Some(daemon) = &mut self.daemon
            && !daemon.pending.is_empty()
        {
            let index = self.random.below(daemon.pending.len());
            daemon.advance(index, &mut self.world, &mut self.random, self.losses);
        }
        self.world.server.tick(self.world.now);
    }

    fn crash(&mut self) {
        if let Some(daemon) = self.daemon.take() {
            self.world.say("the daemon is killed".into());
            let ghosts = daemon.stop(&mut self.world);
            // What was sent arrives before another one begins, or never.
            for (caller, effect) in ghosts {
                if self.random.chance(300) {
                    ghost(&mut self.world, &caller, &effect);
                }
            }
            if self.random.chance(300) {
                self.forget_unanchored();
            }
        }
    }

    /// Somebody rolls the status branch back to the commit that the anchor names: nobody can tell,
    /// so nothing may have relied on what came after it.
    fn forget_unanchored(&mut self) {
        let anchor = self.world.server.object("configmaps", "berth", "berth-lab");
        let named = anchor.and_then(|anchor| anchor["data"]["status"].as_str()?.parse().ok());
        let lost = self.world.branch.roll_back(named);
        self.world
            .say(format!("the status branch loses {lost} commits"));
        self.rolled_back += lost;
    }

    fn disturb(&mut self) {
        match self.random.below(9) {
            0 | 1 => self.evict(),
            2 => self.lose_node(),
            3 => {
                let body = json!({"metadata": {"annotations": {"sandbox.berth.dev/state": null}}});
                for number in 0..12 {
                    self.world
                        .admin("PATCH", &format!("/api/v1/nodes/node-{number}"), &body);
                }
            }
            4 => self.block(),
            5 => self.unblock(),
            6 => self.meddle(),
            7 => self.world.server.cut_watches(),
            _ => {
                let skew = [-20_000, 0, 0, 20_000][self.random.below(4)];
                if let Some(daemon) = &mut self.daemon {
                    daemon.skew = skew;
                }
            }
        }
    }

    fn own_pods(&self) -> Vec<String> {
        let pods = self.world.pods();
        let ours = pods
            .iter()
            .filter(|pod| !label(pod, "berth.dev/instance").is_empty());
        ours.filter_map(|pod| Some(pod["metadata"]["name"].as_str()?.to_owned()))
            .collect()
    }

    fn evict(&mut self) {
        let pods = self.own_pods();
        if pods.is_empty() || self.evictions > 8 {
            return;
        }
        self.evictions += 1;
        let name = &pods[self.random.below(pods.len())];
        let path = format!("/api/v1/namespaces/vision/pods/{name}");
        if self.random.chance(500) {
            self.world.admin("DELETE", &path, &Value::Null);
        } else {
            let body = json!({
                "apiVersion": "policy/v1", "kind": "Eviction",
                "metadata": {"name": name, "namespace": "vision"},
            });
            self.world.admin("POST", &format!("{path}/eviction"), &body);
        }
    }

    fn lose_node(&mut self) {
        let number = self.random.below(12);
        let body = json!({"metadata": {"annotations": {"sandbox.berth.dev/state": "lost"}}});
        self.world
            .admin("PATCH", &format!("/api/v1/nodes/node-{number}"), &body);
    }

    /// Somebody takes a name that Berth is about to use.
    fn block(&mut self) {
        let Some(key) = self.daemon.as_ref().and_then(Daemon::about_to_create) else {
            return;
        };
        let mut body = json!({
            "apiVersion": "v1", "kind": key.kind.kind(),
            "metadata": {"name": key.name, "namespace": key.namespace},
        });
        match key.kind {
            berth_core::ids::ObjectKind::Pod => {
                body["spec"] = json!({"containers": [{"name": "main", "image": "other"}]});
            }
            berth_core::ids::ObjectKind::Service => {
                body["spec"] = json!({"clusterIP": "None", "ports": [{"port": 80}]});
            }
            berth_core::ids::ObjectKind::ConfigMap => {}
        }
        let path = format!("/api/v1/namespaces/vision/{}", key.kind.plural());
        if self.world.admin("POST", &path, &body).status == 201 {
            self.blockers.push(format!("{path}/{}", key.name));
        }
    }

    fn unblock(&mut self) {
        while let Some(path) = self.blockers.pop() {
            self.world.admin("DELETE", &path, &Value::Null);
        }
    }

    /// Somebody changes or deletes what is Berth's.
    fn meddle(&mut self) {
        for (resource, patch) in [
            (
                "configmaps",
                json!({"data": {"meddled": "yes", "hparams.json": "{}"}}),
            ),
            (
                "services",
                json!({"spec": {"publishNotReadyAddresses": false}}),
            ),
        ] {
            let objects = self.world.server.objects(resource);
            let ours = objects
                .iter()
                .find(|one| !label(one, "berth.dev/instance").is_empty());
            let Some(name) = ours.and_then(|one| one["metadata"]["name"].as_str()) else {
                continue;
            };
            let path = format!("/api/v1/namespaces/vision/{resource}/{name}");
            if self.random.chance(500) {
                self.world.admin("PATCH", &path, &patch);
            } else {
                self.world.admin("DELETE", &path, &Value::Null);
            }
        }
    }

    /// Weather and people come to rest, and Berth does what is left.
    fn rest(&mut self) {
        self.world.say("all comes to rest".into());
        self.world.server.options_mut().faults = Faults::default();
        self.losses = Losses::default();
        self.world.git_away = false;
        let body = json!({"metadata": {"annotations": {"sandbox.berth.dev/state": null}}});
        for number in 0..12 {
            self.world
                .admin("PATCH", &format!("/api/v1/nodes/node-{number}"), &body);
        }
        self.unblock();
        self.repository.settle();
        let mut idle = 0;
        for _ in 0..20_000 {
            let busy = self.settle_once();
            if !self.world.wrong.is_empty() {
                return;
            }
            idle = if busy { 0 } else { idle + 1 };
            if idle < 2 {
                continue;
            }
            match self.next_time() {
                Some(wait) if wait > 0 => self.world.now += wait,
                Some(_) if idle > 20 => {
                    let daemon = self.daemon.as_ref().map(|it| &it.reconciler);
                    let state = daemon.map(|it| (it.ready(), it.halted(), it.desired().is_some()));
                    let words = format!("due, and nothing is done: {:?} {state:?}", self.times());
                    return self.world.accuse(words);
                }
                Some(_) => {}
                None => return,
            }
        }
        self.world.accuse("it never comes to rest".into());
    }

    fn settle_once(&mut self) -> bool {
        self.world.server.tick(self.world.now);
        self.step();
        let Some(daemon) = &mut self.daemon else {
            return false;
        };
        daemon.skew = 0;
        daemon.fetch(&self.world, &self.repository);
        let mut busy = daemon.listen(&mut self.world, &mut self.random, true) > 0;
        busy |= daemon.step(&mut self.world) > 0;
        while !daemon.pending.is_empty() {
            busy = true;
            daemon.advance(0, &mut self.world, &mut self.random, self.losses);
        }
        busy
    }

    fn next_time(&self) -> Option<i64> {
        self.times().into_iter().flatten().min()
    }

    /// When the daemon, the server and the watches want to be called.
    fn times(&self) -> [Option<i64>; 3] {
        let Some(daemon) = self.daemon.as_ref() else {
            return [None; 3];
        };
        let due = daemon.reconciler.due();
        [
            due.map(berth_core::ids::Timestamp::millis),
            self.world.server.due(),
            daemon.listens_at(),
        ]
        .map(|at| at.map(|at| at - self.world.now))
    }

    fn judge_end(&mut self) {
        let Some(daemon) = &mut self.daemon else {
            return self.world.accuse("the daemon does not start".into());
        };
        if let Some(halt) = daemon.reconciler.halted() {
            let words = format!("halted: {}", halt.sentence);
            return self.world.accuse(words);
        }
        let mut wrong = Vec::new();
        for (name, one) in &self.repository.experiments {
            let status = unit(name).and_then(|unit| daemon.reconciler.unit_status(&unit));
            let status = status.unwrap_or_default();
            if !expected(one).contains(&status.state.as_str()) {
                wrong.push(format!(
                    "{name} ({one:?}) is {status:?}, and should be {:?}",
                    expected(one)
                ));
            }
            if status.state == "Running" {
                let running = self
                    .world
                    .pods()
                    .iter()
                    .filter(|pod| {
                        label(pod, "berth.dev/experiment") == name
                            && pod["status"]["phase"] == "Running"
                    })
                    .count();
                if running != one.pods() {
                    wrong.push(format!(
                        "{name} runs {running} pods, and should run {}",
                        one.pods()
                    ));
                }
            }
        }
        for pod in self.world.pods() {
            let name = label(&pod, "berth.dev/experiment");
            let ours = !label(&pod, "berth.dev/instance").is_empty();
            if ours && !self.repository.experiments.contains_key(name) {
                wrong.push(format!("{} is left over", pod["metadata"]["name"]));
            }
        }
        if !wrong.is_empty() {
            let watches = daemon.reconciler.watches();
            let seen = watches.iter().map(|watch| {
                format!(
                    "{watch:?}: {:?}",
                    daemon.reconciler.observed().coverage(watch)
                )
            });
            wrong.push(seen.collect::<Vec<_>>().join(", "));
        }
        for words in wrong {
            self.world.accuse(words);
        }
    }

    fn report(&self) -> Report {
        Report {
            calls: self.world.calls,
            pods: self.world.made.len(),
            commits: self.world.branch.count(),
            lives: self.lives,
            spills: self.count("berth-lab.spill: 201"),
            rolled_back: self.rolled_back,
        }
    }

    fn count(&self, words: &str) -> usize {
        let said = self.world.trace.iter();
        said.filter(|(_, line)| line.contains(words)).count()
    }

    fn broken(self) -> Broken {
        let trace = self.world.trace;
        Broken {
            seed: self.story.seed,
            wrong: self.world.wrong,
            trace: trace[trace.len().saturating_sub(150)..]
                .iter()
                .map(|(at, words)| format!("{at:>9} {words}"))
                .collect(),
        }
    }
}

/// The states that an experiment may be in when all has come to rest.
fn expected(one: &Experiment) -> &'static [&'static str] {
    match (one.state, one.script()) {
        ("paused", _) => &["Paused", "Completed", "Failed", "Canceled"],
        ("canceled", _) => &["Canceled", "Completed", "Failed"],
        (_, 1) => &["Failed", "Canceled"],
        (_, 3) => &["Running", "Canceled"],
        _ => &["Completed", "Canceled"],
    }
}
