//! The objects of an experiment.

use super::shared::{open_attempts, pods_of, unmarked};
use super::{Machine, TRIAL};
use crate::ids::Timestamp;
use crate::kinds::Recipe;
use crate::kinds::experiment::lifecycle::LivePod;
use crate::kinds::experiment::names::TrialName;
use crate::kinds::experiment::recipes::{Kitchen, keep};
use crate::ledger::{Attempt, Run, RunState};

impl Machine<'_> {
    pub(super) fn collect_objects(&mut self) {
        let mut objects: Vec<Recipe> = Vec::new();
        for run in &self.ledger.runs {
            let kept_until = self.kept_until(run);
            for live in self
                .pods
                .iter()
                .filter(|live| *live.role.run == *run.identity.short())
            {
                let shown = kept_until.is_some() && is_last_and_terminal(run, live);
                let held = run.state == RunState::Unknown && run.identity == self.identity;
                if held || shown {
                    objects.push(keep(live.fact));
                    self.want.due = [self.want.due, kept_until.filter(|_| shown)]
                        .into_iter()
                        .flatten()
                        .min();
                }
            }
        }
        if self.goes_on() {
            self.collect_attempt(&mut objects);
        }
        if self.replaced_goes_on() {
            self.keep_replaced(&mut objects);
        }
        objects.extend(unmarked(&self.missing, self.view));
        objects.sort_by(|left, right| left.key.cmp(&right.key));
        objects.dedup_by(|left, right| left.key == right.key);
        self.want.objects = objects;
    }

    /// The objects of the open attempts of the runs that this one is to replace, as they are.
    fn keep_replaced(&self, objects: &mut Vec<Recipe>) {
        let others = self.ledger.runs.iter();
        for run in others.filter(|run| run.identity != self.identity) {
            for (trial, attempt) in open_attempts(run) {
                let trial = &run.trials[trial];
                let attempt = &trial.attempts[attempt];
                let pods = pods_of(&self.pods, run, trial.number, attempt.number);
                objects.extend(pods.iter().map(|live| keep(live.fact)));
                let names = TrialName {
                    namespace: attempt.namespace.as_ref().unwrap_or(self.namespace()),
                    experiment: self.document.name(),
                    run: &run.identity.short(),
                    trial: trial.number,
                };
                let service = names.service(attempt.number);
                let live = self.view.objects.iter().filter(|fact| fact.key == service);
                objects.extend(live.map(|fact| keep(fact)));
            }
        }
    }

    /// When the finished pods of a run may go.
    fn kept_until(&self, run: &Run) -> Option<Timestamp> {
        let keep = self.unit.scope.cluster.spec.keep_finished_pods.get();
        let ended = matches!(run.state, RunState::Completed | RunState::Failed);
        let until = run.finished.filter(|_| ended)?.plus(keep);
        (until > self.now).then_some(until)
    }

    fn goes_on(&self) -> bool {
        self.current()
            .is_some_and(|run| run.state == RunState::Open)
            && self.stop().is_none()
    }

    /// The objects of the open attempt of the run that goes on.
    fn collect_attempt(&self, objects: &mut Vec<Recipe>) {
        let Some(attempt) = self.open_attempt() else {
            return;
        };
        let kitchen = self.kitchen(attempt);
        let service = kitchen.service(self.view.made);
        let service = service.map(|recipe| self.as_it_was_made(recipe));
        let after: Vec<_> = service.iter().map(|it| it.key.clone()).collect();
        objects.extend(service);
        let is_own = |live: &&LivePod| {
            *live.role.run == *self.run
                && (live.role.trial, live.role.attempt) == (TRIAL, attempt.number)
                && live.role.rank < attempt.pods
        };
        let own = self.pods.iter().filter(is_own);
        objects.extend(own.map(|live| keep_as_made(live, attempt, &kitchen)));
        let unseen =
            (0..attempt.pods).filter(|rank| !attempt.ranks.iter().any(|it| it.rank == *rank));
        if self.view.complete {
            objects.extend(unseen.map(|rank| kitchen.pod(rank, after.clone())));
        }
    }

    /// A Service that another version of Berth made for this attempt stays: it selects the pods that
    /// this version made with it. All else that a Service says is of its attempt and never changes.
    fn as_it_was_made(&self, recipe: Recipe) -> Recipe {
        let mut live = self.view.objects.iter();
        let live = live.find(|fact| fact.key == recipe.key && fact.deleting.is_none());
        match live {
            Some(fact) if fact.digest != Some(recipe.digest) => keep(fact),
            _ => recipe,
        }
    }
}

/// A pod that runs, and whether somebody changed it since it was made. If it was rendered from the
/// layers of today, its body says what it was.
fn keep_as_made(live: &LivePod, attempt: &Attempt, kitchen: &Kitchen) -> Recipe {
    let record = live.record(attempt);
    let baseline = record.and_then(|record| record.baseline.as_deref());
    let runs = live.pod.end.is_none() && live.fact.deleting.is_none();
    let differs = baseline.and_then(|baseline| live.pod.differs(baseline));
    let suspect = differs.filter(|_| runs);
    let recipe = Recipe {
        suspect,
        ..keep(live.fact)
    };
    if suspect != Some(true) {
        return recipe;
    }
    let rendered = kitchen.pod(live.role.rank, Vec::new());
    let of_today = match live.fact.digest {
        Some(digest) => digest == rendered.digest,
        None => attempt.layers == *kitchen.layers,
    };
    let body = if of_today { rendered.body } else { recipe.body };
    Recipe { body, ..recipe }
}

fn is_last_and_terminal(run: &Run, live: &LivePod) -> bool {
    run.trials
        .iter()
        .filter(|trial| trial.number == live.role.trial)
        .filter_map(|trial| trial.attempts.last())
        .filter(|attempt| attempt.number == live.role.attempt)
        .any(|attempt| live.pod.end.is_some() && live.record(attempt).is_some())
}
