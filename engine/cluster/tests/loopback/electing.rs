use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use berth_cluster::lease::{Candidate, Standing};
use berth_cluster::wire::{Elector, LASTS, MARGIN};
use berth_core::ids::Timestamp;
use berth_core::reconciler::Role;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{connected, kubernetes};

type Lease = Arc<Mutex<Option<Value>>>;

const LEASES: &str = "/apis/coordination.k8s.io/v1/namespaces/berth/leases";

fn status(code: StatusCode) -> (StatusCode, Json<Value>) {
    (code, Json(json!({"kind": "Status", "reason": "x"})))
}

fn put(lease: &Lease, mut body: Value) -> (StatusCode, Json<Value>) {
    let mut held = lease.lock().unwrap();
    let version = |body: &Value| {
        body["metadata"]["resourceVersion"]
            .as_str()
            .map(str::to_owned)
    };
    let before = held.as_ref().and_then(version);
    if version(&body) != before {
        return status(StatusCode::CONFLICT);
    }
    if before.is_none() {
        body["metadata"]["uid"] = json!("a-life");
    }
    let next: u64 = before.map_or(1, |text| text.parse::<u64>().unwrap() + 1);
    body["metadata"]["resourceVersion"] = json!(next.to_string());
    *held = Some(body.clone());
    (StatusCode::OK, Json(body))
}

fn router(lease: &Lease) -> Router {
    let read = |State(lease): State<Lease>| async move {
        let held = lease.lock().unwrap().clone();
        held.map_or_else(
            || status(StatusCode::NOT_FOUND),
            |held| (StatusCode::OK, Json(held)),
        )
    };
    let write =
        |State(lease): State<Lease>, Json(body): Json<Value>| async move { put(&lease, body) };
    Router::new()
        .route(LEASES, post(write))
        .route(&format!("{LEASES}/berth-main"), get(read).put(write))
        .with_state(Arc::clone(lease))
}

#[tokio::test]
async fn one_leads_and_the_next_follows_on_a_clean_end() {
    let lease = Lease::default();
    let client = connected(kubernetes().merge(router(&lease))).await;
    let began = Instant::now();
    let clock = move || Timestamp::from_millis(1_000).plus(began.elapsed());
    let run = |name: &str| {
        let (says, receiver) = watch::channel(Standing::unknown());
        let (part, takes_part) = watch::channel(true);
        let stop = CancellationToken::new();
        let candidate = Candidate {
            client: client.clone(),
            elector: Elector::new("main", "berth", name),
            clock,
            dead: |holder: &str| holder == "killed",
            says,
            takes_part,
            stop: stop.clone(),
        };
        (receiver, part, stop, tokio::spawn(candidate.run()))
    };
    let (mut first, _part, stop, task) = run("one");
    let role = first.wait_for(Standing::leads).await.unwrap().role.clone();
    let Role::Leader { until } = role else {
        panic!("{role:?}");
    };
    assert!(until <= clock().plus(LASTS.saturating_sub(MARGIN)));

    let (mut second, part, other_stop, other) = run("two");
    let rival = |standing: &Standing| standing.rival.clone();
    let seen = second.wait_for(|now| rival(now).is_some()).await;
    let seen = rival(&seen.unwrap()).unwrap();
    assert_eq!((seen.holder.as_str(), seen.renews), ("one", false));
    assert!(
        seen.to_string().contains("`one` since 1970-01-01T00:00:0"),
        "{seen}"
    );
    // It renews: it lives.
    let renews = |now: &Standing| rival(now).is_some_and(|it| it.renews);
    second.wait_for(renews).await.unwrap();

    stop.cancel();
    task.await.unwrap();
    assert!(!first.borrow().leads());
    let soon = Duration::from_secs(6);
    tokio::time::timeout(soon, second.wait_for(Standing::leads))
        .await
        .unwrap()
        .unwrap();
    let holder = lease.lock().unwrap().clone().unwrap()["spec"]["holderIdentity"].clone();
    assert_eq!(holder, "two");

    // Who stands back gives it up, and takes it again when it may.
    part.send(false).unwrap();
    second.wait_for(|now| !now.leads()).await.unwrap();
    let (mut third, _part, third_stop, _third) = run("three");
    third.wait_for(Standing::leads).await.unwrap();
    third_stop.cancel();
    part.send(true).unwrap();
    second.wait_for(Standing::leads).await.unwrap();

    // One that was killed is not waited for.
    other_stop.cancel();
    other.await.unwrap();
    let (mut killed, _part, _, task) = run("killed");
    killed.wait_for(Standing::leads).await.unwrap();
    task.abort();
    let (mut next, _part, ..) = run("next");
    tokio::time::timeout(soon, next.wait_for(Standing::leads))
        .await
        .unwrap()
        .unwrap();
}

#[tokio::test]
async fn an_end_is_not_held_up_by_a_server_that_hangs() {
    let hangs = || std::future::pending::<StatusCode>();
    let router = Router::new().route(&format!("{LEASES}/berth-main"), get(hangs));
    let client = connected(kubernetes().merge(router)).await;
    let (says, _standing) = watch::channel(Standing::unknown());
    let (_part, takes_part) = watch::channel(true);
    let stop = CancellationToken::new();
    let candidate = Candidate {
        client,
        elector: Elector::new("main", "berth", "one"),
        clock: || Timestamp::from_millis(1_000),
        dead: |_: &str| false,
        says,
        takes_part,
        stop: stop.clone(),
    };
    let task = tokio::spawn(candidate.run());
    tokio::task::yield_now().await;
    stop.cancel();
    let soon = Duration::from_secs(3);
    tokio::time::timeout(soon, task).await.unwrap().unwrap();
}
