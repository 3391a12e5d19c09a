//! What happened to the attempts that began.

use std::collections::BTreeMap;

use super::shared::{open_attempts, pods_of, stop_run};
use super::{Machine, TRIAL};
use crate::desired::Unit;
use crate::kinds::experiment::lifecycle::{
    End, FoundSize, LivePod, absorb, close, stopped, verdict,
};
use crate::kinds::experiment::recipes::rendered_from;
use crate::kinds::experiment::render::LABELS;
use crate::kinds::experiment::split::Split;
use crate::kinds::experiment::{Experiment, ExperimentState, Rollout, size};
use crate::kinds::queue::QueueState;
use crate::ledger::{Run, RunState, Stop};

impl Machine<'_> {
    /// Takes in what the pods tell, and finds or begins the run that the document asks for.
    pub(super) fn find_run(&mut self) {
        self.ledger.applied = self.unit.applied.clone();
        self.ledger.withdrawn = false;
        let (document, unit, run) = (self.document, self.unit, self.run.clone());
        let last_words = unit.scope.cluster.spec.last_words;
        absorb(
            &mut self.ledger,
            document.name(),
            &self.pods,
            self.view,
            last_words,
            self.now,
            &|live| size_by(live, document, unit, *live.role.run == *run),
        );
        let found = self
            .ledger
            .runs
            .iter_mut()
            .find(|it| it.identity.short() == self.run);
        match found {
            // A run that was found again by its pods has only the beginning of its identity.
            Some(run) => run.identity = self.identity,
            None if self.view.complete || self.view.unproven => self.ledger.runs.push(Run {
                identity: self.identity,
                commit: self.unit.applied.commit,
                began: self.now,
                state: RunState::Open,
                reason: None,
                finished: None,
                trials: Vec::new(),
            }),
            None => {}
        }
        if self.open_attempt().is_some() {
            self.layers = self.unit.memo.layers(self.document, &self.unit.scope);
            self.recognise_layers();
        }
    }

    /// An attempt that was found again by its pods was rendered from the layers of today if its
    /// pods carry the digest that they would get today.
    fn recognise_layers(&mut self) {
        let Some(attempt) = self.open_attempt().filter(|it| it.layers.is_empty()) else {
            return;
        };
        // The version before did not know the last layer.
        let mut without = BTreeMap::clone(&self.layers);
        without.remove(LABELS);
        let candidates = [BTreeMap::clone(&self.layers), without];
        let of_attempt =
            |live: &&LivePod| *live.role.run == *self.run && live.role.attempt == attempt.number;
        let fits = |layers: &BTreeMap<String, String>| {
            let digest = |rank| {
                let numbers = [TRIAL, attempt.number, rank, attempt.pods, attempt.slots];
                rendered_from(self.identity, numbers, layers)
            };
            let mut own = self.pods.iter().filter(of_attempt);
            own.all(|live| live.fact.digest == Some(digest(live.role.rank)))
        };
        let Some(layers) = candidates.into_iter().find(fits) else {
            return;
        };
        let last = self.current_mut().and_then(|run| run.trials.last_mut());
        if let Some(last) = last.and_then(|trial| trial.attempts.last_mut()) {
            last.layers = layers;
        }
    }

    /// The layers that differ from those that the open attempt was rendered from.
    pub(super) fn outdated(&self) -> Vec<String> {
        let Some(attempt) = self.open_attempt() else {
            return Vec::new();
        };
        if attempt.layers.is_empty() {
            return vec!["unknown".into()];
        }
        // An attempt of before the version that knows this layer says nothing of it.
        let differs = |(name, digest): &(&String, &String)| {
            let made = attempt.layers.get(*name);
            made.is_some_and(|made| made != *digest)
        };
        self.layers
            .iter()
            .filter(differs)
            .map(|(name, _)| name.clone())
            .collect()
    }

    pub(super) fn stop_others(&mut self) {
        let stop = Stop::Replaced(self.run.clone());
        for run in &mut self.ledger.runs {
            if run.identity != self.identity {
                stop_run(run, &self.pods, self.view, &stop, self.now);
            }
        }
    }

    /// Why the open attempt should not go on, if so.
    pub(super) fn stop(&self) -> Option<Stop> {
        if self
            .current()
            .is_some_and(|run| run.state != RunState::Open)
        {
            return Some(Stop::RunIsOver);
        }
        match self.document.spec.state {
            ExperimentState::Paused => return Some(Stop::Paused),
            ExperimentState::Canceled => return Some(Stop::Canceled),
            ExperimentState::Active => {}
        }
        let outdated = self.outdated();
        let replaces = self.document.spec.rollout == Rollout::ReplaceAttempt
            && self.queue_state() != QueueState::Drain
            // New labels are not worth a restart.
            && outdated.iter().any(|layer| layer != LABELS);
        replaces.then_some(Stop::Outdated(outdated))
    }

    /// Ends what has ended.
    pub(super) fn advance(&mut self) {
        let Some(index) = self
            .ledger
            .runs
            .iter()
            .position(|it| it.identity == self.identity)
        else {
            return;
        };
        if self.ledger.runs[index].state == RunState::Unknown {
            return;
        }
        let stop = self.stop();
        let max_restarts = Some(self.document.spec.max_restarts);
        for (trial, attempt) in open_attempts(&self.ledger.runs[index]) {
            if let Some(end) = self.end_of(index, trial, attempt, stop.as_ref()) {
                let run = &mut self.ledger.runs[index];
                close(run, trial, attempt, &end, max_restarts, self.now);
            }
        }
        let run = &mut self.ledger.runs[index];
        let canceled = self.document.spec.state == ExperimentState::Canceled;
        if canceled && run.state == RunState::Open && open_attempts(run).is_empty() {
            run.state = RunState::Canceled;
            run.reason = Some("canceled by its document".into());
            run.finished = Some(self.now);
        }
    }

    fn end_of(
        &mut self,
        run: usize,
        trial: usize,
        attempt: usize,
        stop: Option<&Stop>,
    ) -> Option<End> {
        let run = &self.ledger.runs[run];
        let at = &run.trials[trial];
        let record = &at.attempts[attempt];
        let pods = pods_of(&self.pods, run, at.number, record.number);
        let success = self.rules.success;
        if attempt + 1 < at.attempts.len() {
            return stopped(record, &pods, success, self.view, &Stop::LaterAttempt);
        }
        if let Some(stop) = stop {
            return stopped(record, &pods, success, self.view, stop);
        }
        match verdict(record, &pods, &self.rules, self.view, self.now) {
            Ok(end) => Some(end),
            Err(due) => {
                self.look_again(due);
                None
            }
        }
    }
}

/// The size of an attempt, by one of its pods.
fn size_by(live: &LivePod, document: &Experiment, unit: &Unit, current: bool) -> FoundSize {
    let slots = size::slots_of(&live.pod.requests, &unit.scope.cluster.spec).unwrap_or(0);
    let need = document.spec.resources.slots_per_trial;
    match (current, need.checked_rem(slots)) {
        (false, _) => FoundSize::AtLeast(slots),
        (true, Some(0)) => FoundSize::Known(Split {
            pods: need / slots,
            slots,
        }),
        (true, _) => match size::split_of(document, &unit.scope) {
            Ok(split) => FoundSize::Known(split),
            Err(_) => FoundSize::AtLeast(slots),
        },
    }
}
