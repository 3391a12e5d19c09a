//! Holds the Lease as long as it may: [`Elector`] with a clock and a connection.

use std::time::Duration;

use berth_core::ids::Timestamp;
use berth_core::reconciler::Role;
use http::Request;
use tokio::sync::watch::Sender;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::client::Client;
use crate::wire::Elector;

/// A renewal that takes longer has failed; the next one can still come in time.
const PATIENCE: Duration = Duration::from_secs(4);

/// Takes part in the election until `stop`, then gives the Lease up. Each change of the role, and
/// each renewal, is sent.
///
/// `clock` gives the time that `Role::Leader { until }` is compared with. It should not jump: take
/// the wall clock once and add what a monotonic clock measures.
pub async fn run(
    client: Client,
    mut elector: Elector,
    clock: impl Fn() -> Timestamp + Send,
    role: Sender<Role>,
    stop: CancellationToken,
) {
    while !stop.is_cancelled() {
        attempt(&client, &mut elector, &clock).await;
        say(&role, elector.role(clock()));
        let pause = elector.due().since(clock()).max(Duration::from_millis(10));
        tokio::select! {
            () = sleep(pause) => say(&role, elector.role(clock())),
            () = stop.cancelled() => {}
        }
    }
    if let Ok(Some(request)) = elector.release(clock()) {
        say(&role, elector.role(clock()));
        let _ = timeout(PATIENCE, client.send(request)).await;
    }
}

fn say(sender: &Sender<Role>, role: Role) {
    sender.send_if_modified(|before| {
        let changed = *before != role;
        *before = role;
        changed
    });
}

async fn attempt(client: &Client, elector: &mut Elector, clock: &impl Fn() -> Timestamp) {
    match elector.next_request(clock()) {
        Ok(Some(request)) => send(client, elector, clock, request).await,
        Ok(None) => {}
        Err(error) => tracing::error!(%error, "the Lease has no URL"),
    }
}

async fn send(
    client: &Client,
    elector: &mut Elector,
    clock: &impl Fn() -> Timestamp,
    request: Request<Vec<u8>>,
) {
    let reads = request.method() == http::Method::GET;
    match timeout(PATIENCE, client.send(request)).await {
        Ok(Ok(reply)) => {
            // That there is none yet, or that another one was faster, is how it goes.
            let usual = matches!(reply.status, 200..=299 | 409) || (reads && reply.status == 404);
            if !usual {
                let said = crate::wire::words(&reply.answer());
                tracing::warn!(
                    status = reply.status,
                    message = said.message,
                    "the Lease cannot be had"
                );
            }
            elector.answered(clock(), &reply.answer());
        }
        Ok(Err(lost)) => {
            tracing::warn!(%lost, "the Lease could not be renewed");
            elector.lost();
        }
        Err(_) => {
            tracing::warn!("the Lease was not renewed within {PATIENCE:?}");
            elector.lost();
        }
    }
}
