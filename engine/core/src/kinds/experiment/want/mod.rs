//! What an experiment should have: the one place where it decides.

mod advance;
mod begin;
mod objects;
mod shared;
mod withdrawn;

use std::collections::BTreeMap;
use std::sync::Arc;

pub use withdrawn::want_withdrawn;

use self::shared::{changed, holds, pods_of, releases, to_find};
use super::lifecycle::{LivePod, Rules, is_recorded, live_pods, missing, trim};
use super::recipes::Kitchen;
use super::split::Split;
use super::{Experiment, size, status};
use crate::desired::Unit;
use crate::ids::{Digest, Name, Timestamp};
use crate::kinds::cluster::ClusterState;
use crate::kinds::queue::QueueState;
use crate::kinds::{Ask, Missing, View, Want};
use crate::ledger::{Attempt, Run, RunState, Trial, UnitLedger, UnitStatus};

/// The one trial of the searcher `single`.
const TRIAL: u32 = 1;

/// What an experiment should have now.
pub fn want(unit: &Unit, document: &Arc<Experiment>, view: &View, now: Timestamp) -> Want {
    let mut machine = Machine::new(unit, document, view, now);
    machine.find_run();
    machine.find_missing();
    machine.stop_others();
    machine.advance();
    machine.begin();
    machine.finish()
}

/// The decision in the making.
struct Machine<'a> {
    unit: &'a Unit,
    document: &'a Arc<Experiment>,
    view: &'a View<'a>,
    now: Timestamp,
    identity: Digest,
    run: String,
    rules: Rules,
    pods: Vec<LivePod<'a>>,
    ledger: UnitLedger,
    layers: Arc<BTreeMap<String, String>>,
    missing: Vec<Missing>,
    waiting: Option<String>,
    want: Want,
}

impl<'a> Machine<'a> {
    fn new(
        unit: &'a Unit,
        document: &'a Arc<Experiment>,
        view: &'a View<'a>,
        now: Timestamp,
    ) -> Self {
        let identity = unit.memo.identity(document);
        let ledger = view.ledger.cloned().unwrap_or_else(|| UnitLedger {
            sequence: view.sequence,
            first_seen: now,
            applied: unit.applied.clone(),
            withdrawn: false,
            runs: Vec::new(),
        });
        Self {
            unit,
            document,
            view,
            now,
            run: identity.short(),
            identity,
            rules: Rules::of(document, &unit.scope),
            pods: live_pods(view),
            ledger,
            layers: Arc::default(),
            missing: Vec::new(),
            waiting: None,
            want: Want::default(),
        }
    }

    fn find_missing(&mut self) {
        let name = self.document.name();
        self.missing = missing(&self.ledger, name, &self.pods);
    }

    fn current(&self) -> Option<&Run> {
        self.ledger
            .runs
            .iter()
            .find(|it| it.identity == self.identity)
    }

    fn current_mut(&mut self) -> Option<&mut Run> {
        let identity = self.identity;
        self.ledger
            .runs
            .iter_mut()
            .find(|it| it.identity == identity)
    }

    fn trial(&self) -> Option<&Trial> {
        self.current()?.trials.iter().find(|it| it.number == TRIAL)
    }

    /// The attempt in force: the last one, if it has not ended.
    fn open_attempt(&self) -> Option<&Attempt> {
        let last = self.trial()?.attempts.last()?;
        last.end.is_none().then_some(last)
    }

    fn kitchen(&self, attempt: &Attempt) -> Kitchen {
        Kitchen {
            document: Arc::clone(self.document),
            scope: self.unit.scope.clone(),
            namespace: self.namespace().clone(),
            identity: self.identity,
            run: self.run.clone(),
            trial: TRIAL,
            checkpoints: self.trial().and_then(|trial| trial.checkpoints.clone()),
            attempt: attempt.number,
            pods: attempt.pods,
            slots: attempt.slots,
            layers: Arc::clone(&self.layers),
            first: Arc::default(),
        }
    }

    /// Where the objects of the attempt in force are, or those of the next one.
    fn namespace(&self) -> &Name {
        let open = self.open_attempt();
        let own = open.and_then(|attempt| attempt.namespace.as_ref());
        own.unwrap_or_else(|| self.unit.scope.namespace())
    }

    fn suspended(&self) -> bool {
        self.unit.scope.cluster.spec.state == ClusterState::Suspended
    }

    fn queue_state(&self) -> QueueState {
        let queue = self.unit.scope.queue.as_ref();
        queue.map_or(QueueState::Active, |it| it.spec.state)
    }

    fn look_again(&mut self, due: Option<Timestamp>) {
        self.want.due = [self.want.due, due].into_iter().flatten().min();
    }

    fn finish(mut self) -> Want {
        self.collect_objects();
        let asks = holds(&self.ledger, &self.pods, |run, trial, attempt| {
            let split = Split {
                pods: attempt.pods,
                slots: attempt.slots,
            };
            let current = run == self.run;
            Ask {
                started: attempt.started.filter(|_| current),
                ..self.held(run, trial, attempt.number, split)
            }
        });
        for ask in asks {
            if !self.want.asks.iter().any(|it| it.attempt == ask.attempt) {
                self.want.asks.push(ask);
            }
        }
        self.want.prunes = !self.replaced_goes_on()
            && self
                .pods
                .iter()
                .any(|live| *live.role.run != *self.run && !is_recorded(&self.ledger, live));
        self.want.stop = self.stop();
        self.want.release = releases(&self.ledger, &self.pods, &self.missing, self.view);
        self.want.status = self.status();
        self.want.missing = to_find(std::mem::take(&mut self.missing), self.view);
        trim(&mut self.ledger, Some(&self.identity), self.view.unproven);
        self.want.ledger = changed(self.ledger, self.view);
        self.want
    }

    fn status(&self) -> UnitStatus {
        let Some(run) = self.current() else {
            return UnitStatus {
                state: "Waiting".into(),
                message: self.waiting.clone(),
                run: Some(self.run.clone()),
                ..UnitStatus::default()
            };
        };
        let attempt = self.open_attempt();
        let pods = attempt.map_or(Vec::new(), |it| pods_of(&self.pods, run, TRIAL, it.number));
        let newest = self
            .ledger
            .runs
            .last()
            .is_some_and(|last| last.identity == self.identity);
        let mut status = status::of_run(
            run,
            self.document.spec.state,
            newest,
            self.is_going(),
            attempt.map(|it| (it, pods.as_slice())),
            self.waiting.clone(),
            self.view,
        );
        // A run that is held or over has no next attempt that anything could take effect at.
        if run.state == RunState::Open {
            status.outdated = self.outdated();
            if self.is_split_anew() {
                status.outdated.push("maxSlotsPerPod".into());
            }
        }
        if self.suspended() && status.state == "Starting" {
            status.message.get_or_insert_with(suspended);
        }
        // What becomes of it is not seen until the right is there.
        if run.state == RunState::Open && status.message.is_none() {
            status.message.clone_from(&self.view.unreadable);
        }
        // Whoever stopped it wonders why it does not go.
        if matches!(&*status.state, "Pausing" | "Canceling") {
            let unheard = || status::unheard(&self.pods, &self.ledger, self.view);
            status.message = status.message.or_else(unheard);
        }
        if let Some(words) = self.refusal() {
            status::refused(words, &mut status);
        }
        status
    }

    /// Whether the open attempt is split otherwise than the next one will be. That alone never
    /// replaces it.
    fn is_split_anew(&self) -> bool {
        let (document, scope) = (self.document, &self.unit.scope);
        let split = |it: &Attempt| Split {
            pods: it.pods,
            slots: it.slots,
        };
        let open = self.open_attempt().map(split);
        open.is_some_and(|split| size::splits_anew(document, scope, split))
    }

    fn is_going(&self) -> bool {
        let own = |live: &&LivePod| *live.role.run == *self.run;
        self.pods
            .iter()
            .filter(own)
            .any(|live| !is_recorded(&self.ledger, live))
    }

    /// The server's words on an object that it refuses to make.
    fn refusal(&self) -> Option<String> {
        self.want
            .objects
            .iter()
            .find_map(|recipe| (self.view.refused)(&recipe.key))
    }
}

fn suspended() -> String {
    "the cluster is suspended".into()
}
