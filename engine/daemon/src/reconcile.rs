//! The loop. It carries: inputs to the reconciler, effects to the edges, outcomes back. It takes no
//! decision.

use std::sync::Arc;
use std::time::Duration;

use berth_cluster::watch::{Told, Watches};
use berth_core::desired::Desired;
use berth_core::reconciler::{Effect, Input, Outcome, Reconciler, Role, What};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::http::Ping;
use crate::run::carry::Carrier;

/// Messages that are taken in before the next step, at most.
const BURST: usize = 1024;
/// How long the last status may take once the daemon is asked to end.
const LAST_PUSH: Duration = Duration::from_secs(5);
/// How long effects that are under way may then take; Kubernetes gives 30 s in all.
const FAREWELL: Duration = Duration::from_secs(20);
/// A status that is due and not given (the Lease ran out) is not asked for in a tight loop.
const LEAST_PAUSE: Duration = Duration::from_millis(50);

/// The reconciler and all that it is connected to.
pub struct Loop {
    /// Decides.
    pub reconciler: Reconciler,
    /// Carries effects out.
    pub carrier: Carrier,
    /// New snapshots.
    pub snapshots: mpsc::Receiver<Arc<Desired>>,
    /// Who writes.
    pub role: watch::Receiver<Role>,
    /// Questions whether the loop still turns.
    pub pings: mpsc::Receiver<Ping>,
    /// What the daemon still waits for.
    pub missing: watch::Sender<Vec<String>>,
    /// Ends the loop.
    pub stop: CancellationToken,
    /// End once everything is known and nothing is left to do.
    pub once: bool,
    /// Spreads the watches' pauses.
    pub seed: u64,
    /// The watches, once it is known who we are.
    pub watching: Option<(Watches, mpsc::Receiver<Told>)>,
    /// Effects under way.
    pub flights: JoinSet<Vec<Input>>,
}

impl Loop {
    /// Turns until it is asked to stop; then waits for what is under way and pushes the last status.
    pub async fn run(mut self) {
        let role = self.role.borrow_and_update().clone();
        self.feed(Input::Role(role));
        while !self.stop.is_cancelled() {
            self.step(|_| true);
            self.follow_watches();
            self.say_readiness();
            if self.once && self.is_settled() {
                break;
            }
            self.wait().await;
            self.drain();
        }
        self.watching = None;
        self.farewell().await;
    }

    fn feed(&mut self, input: Input) {
        match &input {
            Input::Role(role) => {
                let leads = matches!(role, Role::Leader { .. });
                self.carrier.metrics.leads(leads);
            }
            Input::Snapshot(desired) => {
                let (commit, findings) = (desired.commit().id, desired.findings().len());
                tracing::info!(%commit, subject = desired.commit().subject, findings, "a snapshot");
                self.carrier.metrics.snapshot(findings);
            }
            _ => {}
        }
        self.reconciler.input(self.carrier.clock.now(), input);
    }

    /// Lets go what the reconciler gives; what is not taken is answered at once.
    fn step(&mut self, takes: impl Fn(&What) -> bool) {
        self.carrier.metrics.stepped();
        let effects = self.reconciler.step(self.carrier.clock.now());
        for effect in effects {
            if takes(&effect.what) {
                self.let_go(effect);
            } else {
                let outcome = Outcome::Unreachable("the daemon ends".into());
                self.feed(Input::Done(effect.id, outcome));
            }
        }
        self.carrier.metrics.units(self.reconciler.states());
    }

    fn let_go(&mut self, effect: Effect) {
        self.carrier.metrics.effect_began();
        if let Some(identity) = self.reconciler.identity() {
            self.carrier.caller.instance.clone_from(&identity.instance);
        }
        self.flights.spawn(self.carrier.clone().carry(effect));
    }

    /// Makes the watches those that the reconciler wants.
    fn follow_watches(&mut self) {
        let Some(identity) = self.reconciler.identity() else {
            return;
        };
        let wanted = self.reconciler.watches();
        let (client, seed) = (&self.carrier.client, self.seed);
        let (watches, _) = self
            .watching
            .get_or_insert_with(|| Watches::new(client.clone(), &*identity.instance, seed));
        watches.want(&wanted);
    }

    /// Waits for one message, whichever comes first.
    async fn wait(&mut self) {
        let due = self
            .reconciler
            .due()
            .map(|due| self.carrier.clock.until(due));
        tokio::select! {
            () = self.stop.cancelled() => {}
            Some(desired) = self.snapshots.recv() => self.feed(Input::Snapshot(desired)),
            Some((key, event)) = told(&mut self.watching) => self.feed(Input::Watch(key, event)),
            Ok(()) = self.role.changed() => {
                let role = self.role.borrow_and_update().clone();
                self.feed(Input::Role(role));
            }
            Some(done) = self.flights.join_next() => self.landed(done),
            Some(ping) = self.pings.recv() => drop(ping.send(())),
            () = sleep(due) => {}
        }
    }

    /// Takes in what else is there already, so that a burst costs one step.
    fn drain(&mut self) {
        for _ in 0..BURST {
            if let Some(done) = self.flights.try_join_next() {
                self.landed(done);
            } else if let Some((key, event)) = ready(&mut self.watching) {
                self.feed(Input::Watch(key, event));
            } else {
                return;
            }
        }
    }

    fn landed(&mut self, done: Result<Vec<Input>, tokio::task::JoinError>) {
        match done {
            Ok(inputs) => inputs.into_iter().for_each(|input| self.feed(input)),
            Err(error) => tracing::error!(%error, "an effect was not answered"),
        }
    }

    fn is_settled(&self) -> bool {
        let leads = matches!(*self.role.borrow(), Role::Leader { .. });
        leads && self.reconciler.ready() && self.flights.is_empty()
    }

    /// Another daemon writes: this one is as ready as it can be.
    fn stands_by(&self) -> bool {
        matches!(&*self.role.borrow(), Role::Follower { holder } if !holder.is_empty())
    }

    fn say_readiness(&mut self) {
        let mut missing = Vec::new();
        if let Some(halt) = self.reconciler.halted() {
            missing.push(halt.sentence.clone());
        } else if !self.reconciler.ready() && !self.stands_by() {
            missing.push("a complete view of Git and the cluster".to_owned());
        }
        self.missing.send_if_modified(|before| {
            let changed = *before != missing;
            if changed && let Some(what) = missing.first() {
                tracing::warn!(what, "not ready");
            } else if changed {
                tracing::info!("ready");
            }
            *before = missing;
            changed
        });
    }

    /// Waits for what is under way; then nothing but the status is written. A remote that hangs is
    /// given up: what is not pushed is learnt from the cluster again.
    async fn farewell(&mut self) {
        self.reconciler.hurry();
        if timeout(LAST_PUSH, self.last_status()).await.is_ok() {
            return;
        }
        tracing::warn!("the last status was not pushed in time; the next start does it");
        self.carrier.status.give_up();
        if timeout(FAREWELL, self.answers()).await.is_err() {
            tracing::warn!("some effects were not answered");
        }
    }

    async fn answers(&mut self) {
        while let Some(done) = self.flights.join_next().await {
            self.landed(done);
        }
    }

    async fn last_status(&mut self) {
        loop {
            self.answers().await;
            // The anchor names the last status commit: left behind, a roll-back could pass.
            self.step(|what| matches!(what, What::Record { .. } | What::Keep { .. }));
            if self.flights.is_empty() {
                // After a failure its turn is still to come.
                let Some(due) = self.reconciler.record_due() else {
                    return;
                };
                let pause = self.carrier.clock.until(due).max(LEAST_PAUSE);
                tokio::time::sleep(pause).await;
            }
        }
    }
}

async fn told(watching: &mut Option<(Watches, mpsc::Receiver<Told>)>) -> Option<Told> {
    match watching {
        Some((_, events)) => events.recv().await,
        None => std::future::pending().await,
    }
}

fn ready(watching: &mut Option<(Watches, mpsc::Receiver<Told>)>) -> Option<Told> {
    watching
        .as_mut()
        .and_then(|(_, events)| events.try_recv().ok())
}

async fn sleep(due: Option<Duration>) {
    match due {
        Some(due) => tokio::time::sleep(due).await,
        None => std::future::pending().await,
    }
}
