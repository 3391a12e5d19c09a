//! Holds the Lease as long as it may: [`Elector`] with a clock and a connection.

use std::time::Duration;

use berth_core::ids::Timestamp;
use berth_core::reconciler::Role;
use http::Request;
use tokio::sync::watch::{Receiver, Sender};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::client::Client;
use crate::wire::{Elector, Rival};

/// A renewal that takes longer has failed; the next one can still come in time.
const PATIENCE: Duration = Duration::from_secs(4);
/// Once asked to end: for the answer that is under way, and again for giving the Lease up.
pub const FAREWELL: Duration = Duration::from_secs(1);

/// How things stand with the Lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Who writes.
    pub role: Role,
    /// Who else holds it.
    pub rival: Option<Rival>,
}

impl Standing {
    /// As it is before anything is known.
    pub fn unknown() -> Self {
        Self {
            role: Role::Follower {
                holder: String::new(),
            },
            rival: None,
        }
    }

    /// Whether we hold it.
    pub fn leads(&self) -> bool {
        matches!(self.role, Role::Leader { .. })
    }
}

/// One who takes part in the election.
pub struct Candidate<Clock, Dead> {
    /// The API server.
    pub client: Client,
    /// Decides.
    pub elector: Elector,
    /// Gives the time that `Role::Leader { until }` is compared with. It should not jump: take the
    /// wall clock once and add what a monotonic clock measures.
    pub clock: Clock,
    /// Whether the process of a holder has certainly ended; then its Lease is taken over at once.
    pub dead: Dead,
    /// Each change, and each renewal, is sent here.
    pub says: Sender<Standing>,
    /// While this is false it stands back: it gives the Lease up and does not ask for it.
    pub takes_part: Receiver<bool>,
    /// Ends it.
    pub stop: CancellationToken,
}

impl<Clock, Dead> Candidate<Clock, Dead>
where
    Clock: Fn() -> Timestamp + Send,
    Dead: Fn(&str) -> bool + Send,
{
    /// Takes part until it is stopped, then gives the Lease up.
    pub async fn run(mut self) {
        while !self.stop.is_cancelled() {
            if !*self.takes_part.borrow_and_update() {
                self.stand_back().await;
                continue;
            }
            self.attempt().await;
            self.bury();
            self.say();
            let pause = self.elector.due().since((self.clock)());
            tokio::select! {
                () = sleep(pause.max(Duration::from_millis(10))) => self.say(),
                () = self.stop.cancelled() => {}
                // Whoever would change it is gone: it stays as it is.
                Ok(()) = self.takes_part.changed() => {}
            }
        }
        self.give_up().await;
    }

    /// Gives the Lease up and waits until it may take part again.
    async fn stand_back(&mut self) {
        self.give_up().await;
        tokio::select! {
            () = self.stop.cancelled() => {}
            changed = self.takes_part.changed() => {
                if changed.is_err() {
                    self.stop.cancelled().await;
                }
            }
        }
    }

    /// A holder that is proven to have ended will not renew.
    fn bury(&mut self) {
        let now = (self.clock)();
        if let Some(rival) = self.elector.rival(now)
            && (self.dead)(&rival.holder)
        {
            tracing::info!(holder = rival.holder, "the holder of the Lease has ended");
            self.elector.departed(&rival.holder, now);
        }
    }

    fn say(&self) {
        let now = (self.clock)();
        let standing = Standing {
            role: self.elector.role(now),
            rival: self.elector.rival(now),
        };
        self.says.send_if_modified(|before| {
            let changed = *before != standing;
            *before = standing;
            changed
        });
    }

    async fn give_up(&mut self) {
        if let Ok(Some(request)) = self.elector.release((self.clock)()) {
            self.say();
            self.send(request, FAREWELL).await;
        }
    }

    async fn attempt(&mut self) {
        match self.elector.next_request((self.clock)()) {
            Ok(Some(request)) => self.send(request, PATIENCE).await,
            Ok(None) => {}
            Err(error) => tracing::error!(%error, "the Lease has no URL"),
        }
    }

    async fn send(&mut self, request: Request<Vec<u8>>, patience: Duration) {
        let reads = request.method() == http::Method::GET;
        let stop = self.stop.clone();
        let sent = tokio::select! {
            sent = timeout(patience, self.client.send(request)) => sent,
            () = async { stop.cancelled().await; sleep(FAREWELL).await } => return self.elector.lost(),
        };
        match sent {
            Ok(Ok(reply)) => {
                // That there is none yet, or that another one was faster, is how it goes.
                let usual =
                    matches!(reply.status, 200..=299 | 409) || (reads && reply.status == 404);
                let namespace = self.elector.namespace();
                if reply.status == 404 && !reads {
                    tracing::warn!(
                        namespace,
                        help = format!(
                            "create it: kubectl create namespace {namespace} (or name another one \
                             as `spec.namespace` of the Cluster)"
                        ),
                        "Berth's own namespace is not there: the Lease, the anchor and outcomes are kept in it"
                    );
                } else if !usual {
                    let said = crate::wire::words(&reply.answer());
                    tracing::warn!(
                        status = reply.status,
                        message = said.message,
                        "the Lease cannot be had"
                    );
                }
                self.elector.answered((self.clock)(), &reply.answer());
            }
            Ok(Err(lost)) => {
                tracing::warn!(%lost, "the Lease could not be renewed");
                self.elector.lost();
            }
            Err(_) => {
                tracing::warn!("the Lease was not renewed within {patience:?}");
                self.elector.lost();
            }
        }
    }
}
