use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use berth_cluster::lease;
use berth_cluster::wire::Elector;
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
    let nobody = || Role::Follower {
        holder: String::new(),
    };
    let run = |name: &str| {
        let (sender, receiver) = watch::channel(nobody());
        let stop = CancellationToken::new();
        let elector = Elector::new("main", "berth", name);
        let task = tokio::spawn(lease::run(
            client.clone(),
            elector,
            clock,
            sender,
            stop.clone(),
        ));
        (receiver, stop, task)
    };
    let (mut first, stop, task) = run("one");
    let leads = |role: &Role| matches!(role, Role::Leader { .. });
    let role = first.wait_for(leads).await.unwrap().clone();
    let Role::Leader { until } = role else {
        panic!("{role:?}");
    };
    assert!(until <= clock().plus(Duration::from_secs(15)));

    let (mut second, other_stop, other) = run("two");
    let follows = |role: &Role| {
        *role
            == Role::Follower {
                holder: "one".into(),
            }
    };
    second.wait_for(follows).await.unwrap();

    stop.cancel();
    task.await.unwrap();
    assert!(!leads(&first.borrow()));
    let soon = Duration::from_secs(6);
    tokio::time::timeout(soon, second.wait_for(leads))
        .await
        .unwrap()
        .unwrap();
    let holder = lease.lock().unwrap().clone().unwrap()["spec"]["holderIdentity"].clone();
    assert_eq!(holder, "two");
    other_stop.cancel();
    other.await.unwrap();
}
