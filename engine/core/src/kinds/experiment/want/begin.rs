//! Whether the next attempt begins.

use std::collections::BTreeMap;

use super::shared::open_attempts;
use super::{Machine, TRIAL, suspended};
use crate::ids::CommitId;
use crate::kinds::experiment::lifecycle::{backoff, blocked, used_up};
use crate::kinds::experiment::render::checkpoints;
use crate::kinds::experiment::split::Split;
use crate::kinds::experiment::{ExperimentState, size};
use crate::kinds::queue::QueueState;
use crate::kinds::{Ask, Grant};
use crate::ledger::{Attempt, AttemptResult, Run, RunState, Trial};

impl Machine<'_> {
    /// Begins the next attempt, if there should be one and nothing stands in its way.
    pub(super) fn begin(&mut self) {
        let open = self.current().is_none_or(|run| run.state == RunState::Open);
        let active = self.document.spec.state == ExperimentState::Active;
        if !open || !active || self.open_attempt().is_some() {
            return;
        }
        match self.try_begin() {
            Ok(attempt) => self.push(attempt),
            Err(words) => self.waiting = Some(self.with_replaced(words)),
        }
    }

    /// Whether runs that this one replaces go on: its queue is on hold or drains.
    pub(super) fn replaced_goes_on(&self) -> bool {
        let active = self.document.spec.state == ExperimentState::Active;
        active && self.open_attempt().is_none() && self.queue_state() != QueueState::Active
    }

    /// The newest run that this one is to replace.
    fn replaced(&self) -> Option<&Run> {
        let mut others = self.ledger.runs.iter().rev();
        others.find(|run| run.identity != self.identity && !open_attempts(run).is_empty())
    }

    fn with_replaced(&self, words: String) -> String {
        match self.replaced().filter(|_| self.replaced_goes_on()) {
            Some(run) => format!(
                "{words}; the run {} goes on until then",
                run.identity.short()
            ),
            None => words,
        }
    }

    fn push(&mut self, attempt: Attempt) {
        let checkpoints = checkpoints(self.document, &self.unit.scope).map(str::to_owned);
        let Some(run) = self.current_mut() else {
            return;
        };
        match run.trials.iter_mut().find(|it| it.number == TRIAL) {
            Some(trial) => {
                trial.checkpoints = trial.checkpoints.take().or(checkpoints);
                trial.attempts.push(attempt);
            }
            None => run.trials.push(Trial {
                number: TRIAL,
                restarts: 0,
                interruptions: 0,
                checkpoints,
                attempts: vec![attempt],
            }),
        }
        // Its own first deadline is due even if nothing happens to it.
        let due = self.now.plus(self.rules.gang_timeout);
        self.look_again(Some(due));
    }

    /// The next attempt, or what it waits for.
    fn try_begin(&mut self) -> Result<Attempt, String> {
        if !self.view.complete || self.current().is_none() {
            let words = self.view.unreadable.clone();
            return Err(words.unwrap_or_else(|| "a complete view of the cluster".into()));
        }
        if self.failed_too_often() {
            return Err(String::new());
        }
        if self.suspended() {
            return Err(suspended());
        }
        if let Some(before) = (self.view.moved_from)() {
            self.want.kept_back = true;
            return Err(format!(
                "{before}, from which it seems to be moved, to end by itself, as the prune rule keeps it: \
                 to let it go, push a commit with the trailer `Berth-Allow-Prune: all`"
            ));
        }
        if self.replaced().is_some() {
            self.queue_lets_begin()?;
        }
        self.check_clear()?;
        self.check_backoff()?;
        self.check_queue()?;
        let split = size::split_of(self.document, &self.unit.scope).map_err(|it| it.to_string())?;
        let number = self.next_number();
        let ask = self.ask(number, split);
        let grant = (self.view.grant)(&ask.attempt);
        let words = match grant {
            Some(Grant::Granted) => None,
            Some(Grant::Waiting(words)) => Some(words),
            None => Some("its turn in the queue".into()),
        };
        if let Some(words) = words {
            self.want.asks.push(Ask {
                holds: false,
                ..ask
            });
            return Err(words);
        }
        self.layers = self.unit.memo.layers(self.document, &self.unit.scope);
        Ok(Attempt {
            number,
            pods: split.pods,
            slots: split.slots,
            namespace: Some(self.unit.scope.namespace().clone()),
            commit: self.commit_of_attempt(),
            began: self.now,
            placed: None,
            started: None,
            layers: BTreeMap::clone(&self.layers),
            end: None,
            ranks: Vec::new(),
        })
    }

    /// The commit of an attempt that begins now, if it is not that of the run.
    fn commit_of_attempt(&self) -> Option<CommitId> {
        let own = self.unit.applied.commit;
        let run = self.current().map(|run| run.commit);
        (run != Some(own)).then_some(own)
    }

    /// `maxRestarts` may have been lowered since the last failure.
    fn failed_too_often(&mut self) -> bool {
        let max = self.document.spec.max_restarts;
        let Some(trial) = self.trial().filter(|it| it.restarts > max) else {
            return false;
        };
        let last = trial.attempts.iter().rev().filter_map(|it| it.end.as_ref());
        let mut failures = last.filter(|end| end.result == AttemptResult::Failed);
        let reason = failures
            .next()
            .map_or(String::new(), |end| end.reason.clone());
        let (restarts, now) = (trial.restarts, self.now);
        if let Some(run) = self.current_mut() {
            run.state = RunState::Failed;
            run.reason = Some(used_up(restarts, max, &reason));
            run.finished = Some(now);
        }
        true
    }

    fn check_clear(&self) -> Result<(), String> {
        let words = blocked(
            &self.ledger,
            &self.pods,
            self.view,
            self.document.spec.on_lost_node,
        );
        let unseen = self.missing.iter().find(|it| !it.seen);
        let asked =
            unseen.map(|it| format!("what became of the pod {}, which is not seen", it.key.name));
        words.or(asked).map_or(Ok(()), Err)
    }

    fn check_backoff(&mut self) -> Result<(), String> {
        let Some((trial, end)) = self.trial().and_then(|trial| {
            let end = trial.attempts.last()?.end.as_ref()?;
            Some((trial, end))
        }) else {
            return Ok(());
        };
        let due = end.at.plus(backoff(trial, end.result));
        // A clock that was set back does not hold anything up.
        if due <= self.now || end.at > self.now {
            return Ok(());
        }
        let words = format!("the next attempt at {due}: {}", end.reason);
        self.look_again(Some(due));
        Err(words)
    }

    /// What has begun goes on while the queue is on hold.
    fn check_queue(&self) -> Result<(), String> {
        let begun = self.trial().is_some_and(|it| !it.attempts.is_empty());
        match self.queue_state() {
            QueueState::Hold if begun => Ok(()),
            _ => self.queue_lets_begin(),
        }
    }

    fn queue_lets_begin(&self) -> Result<(), String> {
        match self.queue_state() {
            QueueState::Active => Ok(()),
            QueueState::Hold => Err("the queue is on hold".into()),
            QueueState::Drain => Err("the queue is draining".into()),
        }
    }

    fn next_number(&self) -> u32 {
        let last = self.trial().and_then(|it| it.attempts.last());
        last.map_or(1, |it| it.number.saturating_add(1))
    }

    /// The request of an attempt that has not begun.
    fn ask(&self, number: u32, split: Split) -> Ask {
        let placing = self.unit.memo.placing(self.document, &self.unit.scope);
        Ask {
            node_selector: placing.node_selector.clone(),
            tolerations: placing.tolerations.clone(),
            ..self.held(&self.run, TRIAL, number, split)
        }
    }

    /// The request of an attempt that has begun.
    pub(super) fn held(&self, run: &str, trial: u32, number: u32, split: Split) -> Ask {
        let scope = &self.unit.scope;
        let queue = scope.queue.as_ref().map_or(0, |it| it.spec.priority);
        let own = self.document.spec.resources.priority;
        Ask {
            attempt: (run.into(), trial, number),
            queue: self.document.spec.queue.clone(),
            pods: split.pods,
            each: size::request(split.slots, &scope.cluster.spec),
            slots: split.pods.saturating_mul(split.slots),
            priority: i64::from(own.unwrap_or(queue)),
            sequence: self.ledger.sequence,
            node_selector: Vec::new(),
            tolerations: Vec::new(),
            holds: true,
            started: None,
            length: self.rules.max_runtime,
        }
    }
}
