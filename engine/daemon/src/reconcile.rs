//! The loop. It carries: inputs to the reconciler, effects to the edges, outcomes back. It takes no
//! decision.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use berth_cluster::lease::Standing;
use berth_cluster::watch::{Told, Watches};
use berth_core::desired::Desired;
use berth_core::ids::{Timestamp, UnitId};
use berth_core::reconciler::{Effect, Input, Outcome, Reconciler, Role, What};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::error::CommandError;
use crate::http::Ping;
use crate::look::halted;
use crate::run::Patience;
use crate::run::carry::Carrier;
use crate::source::follow::{Following, Read};

/// Messages that are taken in before the next step, at most.
const BURST: usize = 1024;
/// How long effects that are under way, and the last status, may take once the daemon is asked to
/// end. What is not answered by then is as after a kill -9: the next daemon finds it out.
const FAREWELL: Duration = Duration::from_secs(5);
/// How long what is given up then may take to end.
const GIVEN_UP: Duration = Duration::from_secs(1);

/// The reconciler and all that it is connected to.
pub struct Loop {
    /// Decides.
    pub reconciler: Reconciler,
    /// Carries effects out.
    pub carrier: Carrier,
    /// New snapshots.
    pub snapshots: mpsc::Receiver<Read>,
    /// How things stand with the Lease.
    pub standing: watch::Receiver<Standing>,
    /// Whether this daemon wants the Lease: not while it may not write anyway.
    pub takes_part: watch::Sender<bool>,
    /// Questions whether the loop still turns.
    pub pings: mpsc::Receiver<Ping>,
    /// What the daemon still waits for.
    pub missing: watch::Sender<Option<Missing>>,
    /// Ends the loop.
    pub stop: CancellationToken,
    /// End once everything is known and nothing is left to do.
    pub once: bool,
    /// With a Lease that is somebody else's, if it is to end by itself.
    pub patience: Patience,
    /// Spreads the watches' pauses.
    pub seed: u64,
    /// The watches, once it is known who we are.
    pub watching: Option<(Watches, mpsc::Receiver<Told>)>,
    /// The reconciler's, when they were opened.
    pub tenure: u64,
    /// What is known to be held.
    pub held: BTreeSet<UnitId>,
    /// Effects under way.
    pub flights: JoinSet<Vec<Input>>,
    /// Reads commits. Dropped last: it may be about to send one.
    pub following: Following,
}

/// What a daemon that is not ready waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// What is wrong, and what to do.
    pub what: String,
    /// When it looks again by itself.
    pub until: Option<Timestamp>,
}

impl Missing {
    /// Something that will come.
    pub fn yet(what: &str) -> Self {
        Self {
            what: what.to_owned(),
            until: None,
        }
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        match self.until {
            Some(at) => write!(f, "; looks again at {at}"),
            None => Ok(()),
        }
    }
}

impl Loop {
    /// Takes the first snapshot in, which made this loop.
    pub fn begin(&mut self, first: Arc<Desired>) {
        self.feed(Input::Snapshot(first));
    }

    /// Turns until it is asked to stop; then waits for what is under way and pushes the last status.
    pub async fn run(mut self) -> Result<(), CommandError> {
        self.hear_standing();
        let mut turned = Ok(());
        while !self.stop.is_cancelled() {
            self.step(|_| true);
            self.following.judge_by(self.reconciler.judge_by());
            self.follow_watches();
            self.stand_back();
            self.say_readiness();
            if self.once && self.is_settled() {
                break;
            }
            turned = self.may_settle();
            if turned.is_err() {
                break;
            }
            self.wait().await;
            self.drain();
        }
        self.watching = None;
        self.farewell().await;
        turned
    }

    /// Who may not write leaves the Lease to whoever can, and to whoever mends it.
    fn stand_back(&mut self) {
        let wants = self.once || self.reconciler.halted().is_none();
        self.takes_part.send_if_modified(|before| {
            let changed = *before != wants;
            *before = wants;
            changed
        });
    }

    /// Whether one that is to end by itself can still get there.
    fn may_settle(&mut self) -> Result<(), CommandError> {
        if !self.once {
            return Ok(());
        }
        if self.reconciler.halted().is_some() {
            return Err(halted(&self.reconciler));
        }
        self.patience.hear(self.standing.borrow().rival.as_ref())
    }

    fn hear_standing(&mut self) {
        let role = self.standing.borrow_and_update().role.clone();
        self.feed(Input::Role(role));
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
        // At once: what old watches still have to say must not be heard.
        if self.tenure != self.reconciler.tenure() {
            self.tenure = self.reconciler.tenure();
            self.watching = None;
        }
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
        self.say_held();
    }

    /// Says once of whatever becomes held, and why.
    fn say_held(&mut self) {
        let held: BTreeMap<UnitId, &str> = self
            .reconciler
            .held()
            .map(|(unit, why)| (unit.clone(), why))
            .collect();
        let mut fresh: BTreeMap<&str, Vec<&UnitId>> = BTreeMap::new();
        for (unit, why) in held.iter().filter(|(unit, _)| !self.held.contains(*unit)) {
            fresh.entry(*why).or_default().push(unit);
        }
        for (why, units) in fresh {
            tracing::warn!(count = units.len(), units = named(&units), why, "held");
        }
        self.held = held.into_keys().collect();
    }

    fn let_go(&mut self, effect: Effect) {
        self.carrier.metrics.effect_began();
        if let Some(identity) = self.reconciler.identity() {
            self.carrier.caller.instance.clone_from(&identity.instance);
        }
        let until = self.reconciler.may_send_until();
        let unit = effect.unit.as_ref();
        let unit = unit.and_then(|unit| self.reconciler.desired()?.unit(unit));
        let commit = unit.map(|unit| unit.applied.commit);
        let carrier = self.carrier.clone();
        self.flights.spawn(carrier.carry(effect, until, commit));
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
            Some(read) = self.snapshots.recv() => self.feed(match read {
                Read::Snapshot(desired) => Input::Snapshot(desired),
                Read::Unusable(commit) => Input::Unusable(commit),
                Read::Tip(tip) => Input::Tip(tip),
            }),
            Some((key, event)) = told(&mut self.watching) => self.feed(Input::Watch(key, event)),
            Ok(()) = self.standing.changed() => self.hear_standing(),
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
        let leads = self.standing.borrow().leads();
        let known = self.reconciler.ready() && self.reconciler.is_anchored();
        leads && known && self.flights.is_empty()
    }

    fn say_readiness(&mut self) {
        let missing = self.missing_now();
        self.missing.send_if_modified(|before| {
            let changed = *before != missing;
            match (&missing, &*before) {
                _ if !changed => {}
                (None, _) => tracing::info!("ready"),
                (Some(now), Some(before)) if now.what == before.what => {
                    let looks_again = now.until.map(|at| at.to_string());
                    tracing::info!(looks_again, "still not ready");
                }
                (Some(now), _) => tracing::warn!(what = %now, "not ready"),
            }
            *before = missing;
            changed
        });
    }

    fn missing_now(&self) -> Option<Missing> {
        let standing = self.standing.borrow();
        let missing = |what: String, until| Some(Missing { what, until });
        if let Some(halt) = self.reconciler.halted() {
            let what = format!("somebody to mend this: {}", halt.sentence);
            return missing(what, self.reconciler.looks_again());
        }
        match (&standing.rival, &standing.role) {
            // It writes, and this one is as ready as it can be.
            (Some(rival), _) if rival.renews => None,
            (Some(rival), _) => missing(
                format!(
                    "the Lease: {rival}; if that one has ended it is free at {}",
                    rival.lapses
                ),
                None,
            ),
            (None, Role::Leader { .. }) if self.reconciler.ready() => None,
            (None, Role::Leader { .. }) if self.reconciler.judge_by().is_some() => {
                missing(self.unjudged(), None)
            }
            (None, Role::Leader { .. }) => {
                missing("a complete view of Git and the cluster".to_owned(), None)
            }
            (None, Role::Follower { .. }) => missing("the Lease".to_owned(), None),
        }
    }

    /// What it waits for while its documents are judged anew.
    fn unjudged(&self) -> String {
        let what = "the documents, judged by what the status branch says to be in force";
        let error = self.reconciler.unusable().and_then(|it| it.errors.first());
        error.map_or_else(
            || what.to_owned(),
            |error| format!("{what}: mend the newest commit, which makes no snapshot: {error}"),
        )
    }

    /// Waits for what is under way; then nothing but the status is written. A remote that hangs is
    /// given up: what is not pushed is learnt from the cluster again.
    async fn farewell(&mut self) {
        self.reconciler.hurry();
        if timeout(FAREWELL, self.last_status()).await.is_ok() {
            return;
        }
        tracing::warn!("not all was answered in time; the next start finds out what became of it");
        self.carrier.status.give_up();
        // Programs that are given up end at once; an API server that hangs is not waited for.
        let _ = timeout(GIVEN_UP, self.answers()).await;
    }

    async fn answers(&mut self) {
        while let Some(done) = self.flights.join_next().await {
            self.landed(done);
        }
    }

    async fn last_status(&mut self) {
        self.answers().await;
        while self.reconciler.to_part(self.carrier.clock.now()) {
            // The anchor names the last status commit, too.
            self.step(|what| matches!(what, What::Record { .. } | What::Keep { .. }));
            if self.flights.is_empty() {
                return;
            }
            self.answers().await;
        }
    }
}

/// The first of them.
fn named(units: &[&UnitId]) -> String {
    let first: Vec<String> = units.iter().take(3).map(ToString::to_string).collect();
    let more = if units.len() > 3 { " and more" } else { "" };
    format!("{}{more}", first.join(", "))
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
