//! All comes to rest, and the end is judged.

use std::collections::{BTreeMap, BTreeSet};

use berth_core::ids::Timestamp;
use berth_core::ledger::{AttemptResult, RunState};
use berth_core::reconciler::Reconciler;
use berth_sandbox::Faults;
use serde_json::{Value, json};

use super::check::unit;
use super::daemon::{Daemon, Losses};
use super::experiment::{Experiment, Script};
use super::random::Random;
use super::stage::Stage;
use super::world::{Excuse, World, label, name_of};

/// How a story ended, as far as it does not depend on the weather.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct End {
    experiments: BTreeMap<String, OneEnd>,
}

/// How one experiment ended.
#[derive(Debug, Clone, PartialEq, Eq)]
struct OneEnd {
    document: Experiment,
    state: String,
    /// Failures of the program that were counted.
    failures: u32,
    /// The attempts of its run that something interrupted.
    interruptions: usize,
    /// What is there for it: kind, name without the attempt, and what was set.
    objects: BTreeSet<String>,
    /// Deadlines were over at once, and counted as failures.
    hour_off: bool,
    /// Somebody took the finalizer off a pod of its.
    freed: bool,
}

impl Stage {
    /// Weather and people come to rest, and Berth does what is left.
    pub(super) fn rest(&mut self) {
        self.world.say(|| "all comes to rest".into());
        self.calm_down();
        self.repository.settle();
        let mut random = Random::new(self.story.seed);
        let mut idle = 0;
        for _ in 0..20_000 {
            let busy = self.settle_once(&mut random);
            if !self.is_well() {
                return;
            }
            idle = if busy { 0 } else { idle + 1 };
            if idle < 2 {
                continue;
            }
            match self.next_time() {
                Some(wait) if wait > 0 => self.pass(wait),
                Some(_) if idle > 20 => return self.accuse_of_idling(),
                Some(_) => {}
                None => return,
            }
        }
        self.world.accuse("it never comes to rest".into());
    }

    fn calm_down(&mut self) {
        let mut random = Random::new(self.story.seed ^ 0xca17);
        let options = self.world.server.options_mut();
        options.faults = Faults::default();
        options.denied.clear();
        options.image_rewrite = None;
        options.terminal_pods = None;
        self.losses = Losses::default();
        self.world.git_away = false;
        self.world.branch.put_back();
        // Whether nodes come back or not: what ran on them goes on elsewhere.
        self.taint_lost_node();
        if random.chance(500) {
            self.bring_nodes_back();
        } else {
            self.revive_nodes();
        }
        self.unblock();
        self.lift_quota();
        // Who leads stays; a second one would only look at the Lease.
        let leader = self
            .daemons
            .iter()
            .position(|daemon| !daemon.asleep && daemon.leads(&self.world));
        let stays = leader.unwrap_or(0);
        for index in (0..self.daemons.len())
            .rev()
            .filter(|index| *index != stays)
        {
            self.daemons.swap_remove(index).stop(&mut self.world);
        }
        for daemon in &mut self.daemons {
            (daemon.asleep, daemon.cut_off, daemon.late) = (false, false, None);
            if !self.world.elects {
                daemon.skew = 0;
            }
        }
    }

    /// Lost nodes answer again, but those that somebody wrote off.
    fn revive_nodes(&mut self) {
        let fine = json!({"metadata": {"annotations": {"sandbox.berth.dev/state": null}}});
        for node in self.world.server.objects("nodes") {
            if !World::is_out_of_service(&node) {
                let path = format!("/api/v1/nodes/{}", name_of(&node));
                self.world.admin("PATCH", &path, &fine);
            }
        }
    }

    fn settle_once(&mut self, random: &mut Random) -> bool {
        self.world.server.tick(self.world.now);
        self.step();
        self.world.truth.follow(&self.world.server);
        let Some(daemon) = self.daemons.first_mut() else {
            return false;
        };
        daemon.fetch(&self.world, &self.repository);
        let mut busy = daemon.judge_anew(&self.world, &self.repository);
        busy |= daemon.listen(&mut self.world, random, true) > 0;
        busy |= daemon.step(&mut self.world) > 0;
        while !daemon.pending.is_empty() {
            busy = true;
            daemon.advance(0, &mut self.world, random, self.losses);
        }
        while !daemon.echoes.is_empty() {
            daemon.echo(&self.world);
        }
        busy
    }

    fn next_time(&self) -> Option<i64> {
        let lease = self.daemons.first().and_then(Daemon::elects_at);
        // Whoever does not lead does nothing before it does.
        let leads = self.daemons.first().is_some_and(|it| it.leads(&self.world));
        match lease.map(|at| (at - self.world.now).max(1)) {
            Some(lease) if !leads => Some(lease),
            _ => self.times().into_iter().flatten().min(),
        }
    }

    /// When the daemon, the server and the watches want to be called.
    fn times(&self) -> [Option<i64>; 3] {
        let Some(daemon) = self.daemons.first() else {
            return [None; 3];
        };
        let core = daemon.reconciler.due().map(Timestamp::millis);
        [
            core.map(|at| at - daemon.skew),
            self.world.server.due(),
            daemon.listens_at(),
        ]
        .map(|at| at.map(|at| at - self.world.now))
    }

    fn accuse_of_idling(&mut self) {
        let known = |it: &Reconciler| (it.ready(), it.halted().cloned(), it.desired().is_some());
        let state = self.daemons.first().map(|it| known(&it.reconciler));
        let times = self.times();
        self.world.accuse(format!(
            "due, and nothing is done: {times:?} ms from now, ready, halted, desired: {state:?}"
        ));
    }

    pub(super) fn judge_end(&mut self) {
        self.audit();
        self.world.judge_outcomes();
        let Some(daemon) = self.daemons.first() else {
            return self.world.accuse("the daemon does not start".into());
        };
        if let Some(halt) = daemon.reconciler.halted() {
            let words = format!("halted: {}", halt.sentence);
            return self.world.accuse(words);
        }
        let mut wrong = daemon.blind_spots();
        let experiments = self.repository.experiments();
        for (name, one) in &experiments {
            wrong.extend(self.judge_experiment(name, one));
        }
        for pod in self.world.pods() {
            let name = label(&pod, "berth.dev/experiment");
            let uid = pod["metadata"]["uid"].as_str().unwrap_or_default();
            let ours = !label(&pod, "berth.dev/instance").is_empty()
                || self.world.truth.unmarked.contains(uid);
            if ours && !experiments.contains_key(name) {
                wrong.push(format!("{} is left over", name_of(&pod)));
            }
        }
        for words in wrong {
            self.world.accuse(words);
        }
        self.judge_scripts();
    }

    fn judge_experiment(&self, name: &str, one: &Experiment) -> Vec<String> {
        let status = self.daemons.first().and_then(|daemon| {
            let unit = unit(name)?;
            daemon.reconciler.unit_status(&unit)
        });
        let status = status.unwrap_or_default();
        let mut wrong = Vec::new();
        let unproven = self.is_unproven(name, one.identity());
        let hour_off = self.world.excuse == Some(Excuse::HourOff);
        let is_excused = match status.state.as_str() {
            "Held" => unproven,
            "Failed" => hour_off,
            _ => false,
        };
        if !is_excused && !one.may_end_as().contains(&status.state.as_str()) {
            let states = one.may_end_as();
            wrong.push(format!(
                "{name} ({one}) is {status:?}, and should be {states:?}"
            ));
        }
        if status.state == "Running" {
            let running = self.running(name);
            if running != one.pods() {
                wrong.push(format!(
                    "{name} runs {running} pods, and should run {}",
                    one.pods()
                ));
            }
        }
        wrong
    }

    /// Whether this run may have begun before the history was lost.
    fn is_unproven(&self, name: &str, identity: (u32, u32)) -> bool {
        let run = (name.to_owned(), identity);
        self.unproven
            .as_ref()
            .is_some_and(|runs| runs.contains(&run))
    }

    fn running(&self, name: &str) -> usize {
        let pods = self.world.pods();
        let runs = |pod: &&std::sync::Arc<Value>| {
            label(pod, "berth.dev/experiment") == name && pod["status"]["phase"] == "Running"
        };
        pods.iter().filter(runs).count()
    }

    /// A run ends as its program does, whatever happened to it.
    fn judge_scripts(&mut self) {
        let mut wrong = Vec::new();
        for ((name, identity), run) in &self.world.runs {
            let script = Experiment {
                run: identity.1,
                ..Experiment::new(identity.0)
            }
            .script();
            let ledger = unit(name).and_then(|unit| self.world.branch.ledger(&unit));
            let Some(state) = ledger.and_then(|ledger| {
                let found = ledger.runs.iter().find(|it| it.identity.short() == *run);
                found.map(|run| run.state)
            }) else {
                continue;
            };
            let can = match state {
                RunState::Completed => matches!(
                    script,
                    Script::Ends | Script::FailsOnce | Script::EndsAnyway
                ),
                // Deadlines that are over at once count as failures.
                RunState::Failed if self.world.excuse == Some(Excuse::HourOff) => true,
                RunState::Failed => matches!(
                    script,
                    Script::Fails | Script::Overstays | Script::NeverStarts
                ),
                RunState::Unknown => self.is_unproven(name, *identity),
                RunState::Open | RunState::Canceled => true,
            };
            if !can {
                wrong.push(format!("the run {run} of {name} ({script:?}) is {state:?}"));
            }
        }
        for words in wrong {
            self.world.accuse(words);
        }
    }

    /// How it ended.
    pub(super) fn end(&self) -> End {
        let experiments = self.repository.experiments().into_iter();
        End {
            experiments: experiments
                .map(|(name, document)| (name.clone(), self.end_of(&name, document)))
                .collect(),
        }
    }

    fn end_of(&self, name: &str, document: Experiment) -> OneEnd {
        let unit = unit(name);
        let status = unit.as_ref().and_then(|unit| {
            let daemon = self.daemons.first()?;
            daemon.reconciler.unit_status(unit)
        });
        let ledger = unit.and_then(|unit| self.world.branch.ledger(&unit));
        let known = &self.world.runs;
        let run = known.get(&(name.to_owned(), document.identity()));
        let run = ledger.as_ref().and_then(|ledger| {
            let of_run = |it: &&berth_core::ledger::Run| Some(&it.identity.short()) == run;
            ledger.runs.iter().find(of_run)
        });
        let trials = || run.iter().flat_map(|run| &run.trials);
        let ends = trials()
            .flat_map(|trial| &trial.attempts)
            .filter_map(|attempt| attempt.end.as_ref());
        OneEnd {
            state: status.map_or(String::new(), |status| status.state),
            failures: trials().map(|trial| trial.restarts).sum(),
            freed: self.world.truth.freed_of(name),
            hour_off: self.world.excuse == Some(Excuse::HourOff),
            interruptions: ends
                .filter(|end| end.result == AttemptResult::Interrupted)
                .count(),
            objects: self.objects_of(name),
            document,
        }
    }

    fn objects_of(&self, experiment: &str) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        for resource in ["pods", "services"] {
            for object in self.world.server.objects(resource) {
                if label(&object, "berth.dev/experiment") != experiment {
                    continue;
                }
                let said = match resource {
                    "pods" => format!(
                        "{} rank {}",
                        object["status"]["phase"],
                        label(&object, "berth.dev/rank")
                    ),
                    _ => object["spec"]["publishNotReadyAddresses"].to_string(),
                };
                let run = label(&object, "berth.dev/run");
                found.insert(format!("{resource} of run {run}: {said}"));
            }
        }
        found
    }
}

impl End {
    /// What differs from the end in good weather, and is not explained by what happened.
    pub fn differs(&self, fair: &Self) -> Vec<String> {
        let mut wrong = Vec::new();
        for (name, own) in &self.experiments {
            match fair.experiments.get(name) {
                None => wrong.push(format!("{name} is not there in good weather")),
                Some(fair) => wrong.extend(
                    own.differs(fair)
                        .map(|words| format!("{name} ({}): {words}", own.document)),
                ),
            }
        }
        wrong
    }
}

impl OneEnd {
    fn differs(&self, fair: &Self) -> Option<String> {
        // Whether a pause or a cancel comes before the end of a run is a matter of time.
        if self.document.state != "active" || [self, fair].iter().any(|it| it.state == "Canceled") {
            return None;
        }
        if self.state != fair.state && !self.hour_off {
            return Some(format!(
                "it is {}, and in good weather {}",
                self.state, fair.state
            ));
        }
        // The one failure of a program may happen to an attempt that is interrupted before it.
        let fewer = match self.document.script() {
            Script::FailsOnce => u32::from(self.interruptions > 0 || self.freed),
            _ => 0,
        };
        let may_fail = fair.failures.saturating_sub(fewer)..=fair.failures;
        let explained = fair.interruptions > 0 || self.hour_off;
        if !explained && !may_fail.contains(&self.failures) {
            return Some(format!(
                "it failed {} times, and in good weather {} times",
                self.failures, fair.failures
            ));
        }
        (self.objects != fair.objects).then(|| {
            format!(
                "there is {:#?}, and in good weather {:#?}",
                self.objects, fair.objects
            )
        })
    }
}
