use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post};
use berth_cluster::start::{Start, start};
use berth_cluster::wire::Caller;
use berth_core::ids::{Digest, Name, ObjectKey, ObjectKind, ResourceVersion, Timestamp};
use berth_core::reconciler::{Effect, EffectId, Outcome, What};
use kube::config::KubeConfigOptions;
use serde_json::{Value, json};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpListener;
use tokio::sync::Barrier;

use super::{connected, kubernetes};

const PODS: &str = "/api/v1/namespaces/vision/pods";

fn caller() -> Caller {
    Caller {
        instance: "i1".into(),
        namespace: "berth".into(),
    }
}

fn create(name: &str) -> Effect {
    Effect {
        id: EffectId(1),
        unit: None,
        why: "a test".into(),
        what: What::Create {
            key: ObjectKey::new(ObjectKind::Pod, "vision", name),
            digest: Digest::from_bytes([0; 32]),
            body: pod(name),
        },
    }
}

fn pod(name: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "namespace": "vision", "uid": "u", "resourceVersion": "7",
                     "creationTimestamp": "2026-11-20T08:00:00Z"},
    })
}

fn now() -> Timestamp {
    Timestamp::from_millis(0)
}

#[tokio::test]
async fn thirty_two_calls_run_side_by_side() {
    // Nobody is answered before all have asked: fewer side by side would end by their time limit.
    let all = Arc::new(Barrier::new(32));
    let pods = |State(all): State<Arc<Barrier>>, Json(body): Json<Value>| async move {
        all.wait().await;
        (StatusCode::CREATED, Json(body))
    };
    let router = axum::Router::new().route(PODS, post(pods)).with_state(all);
    let client = connected(kubernetes().merge(router)).await;
    let caller = caller();
    let effects: Vec<_> = (0..32).map(|n| create(&format!("a-{n}"))).collect();
    let calls = effects
        .iter()
        .map(|effect| client.carry(&caller, now(), effect, || true));
    for outcome in futures::future::join_all(calls).await {
        let Outcome::Done(Some(fact)) = outcome else {
            panic!("{outcome:?}");
        };
        assert_eq!(fact.version, ResourceVersion(7));
    }
}

#[tokio::test]
async fn a_taken_name_is_looked_up() {
    let taken = || async {
        let status = json!({"kind": "Status", "code": 409, "reason": "AlreadyExists"});
        (StatusCode::CONFLICT, Json(status))
    };
    let router = kubernetes()
        .route(PODS, post(taken))
        .route(&format!("{PODS}/a"), get(|| async { Json(pod("a")) }));
    let client = connected(router).await;
    let outcome = client.carry(&caller(), now(), &create("a"), || true).await;
    assert!(matches!(outcome, Outcome::Exists(fact) if &*fact.uid.0 == "u"));
}

#[tokio::test]
async fn a_throttled_create_is_not_sent_again() {
    let count = Arc::new(AtomicUsize::new(0));
    let pods = |State(count): State<Arc<AtomicUsize>>| async move {
        count.fetch_add(1, Ordering::SeqCst);
        (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "3")], "{}")
    };
    let router = axum::Router::new()
        .route(PODS, post(pods))
        .with_state(Arc::clone(&count));
    let client = connected(kubernetes().merge(router)).await;
    let outcome = client.carry(&caller(), now(), &create("a"), || true).await;
    assert_eq!(outcome, Outcome::Throttled(Duration::from_secs(3)));
    assert_eq!(count.load(Ordering::SeqCst), 1);
}

/// A server that reads a request and hangs up; `None` for one where nothing listens.
async fn over(listener: Option<TcpListener>, address: &str) -> Outcome {
    let (_folder, path) = super::kubeconfig(address, "{}");
    let config = kube::config::Kubeconfig::read_from(path).unwrap();
    let mut config = kube::Config::from_custom_kubeconfig(config, &KubeConfigOptions::default())
        .await
        .unwrap();
    config.proxy_url = None;
    config.default_retry = false;
    let kube = kube::Client::try_from(config).unwrap();
    let client = berth_cluster::client::Client::over(kube, address, Duration::from_secs(5));
    if let Some(listener) = listener {
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let _ = stream.read(&mut [0; 4096]).await;
            }
        });
    }
    client.carry(&caller(), now(), &create("a"), || true).await
}

#[tokio::test]
async fn what_never_left_is_unreachable_and_what_lost_its_answer_unknown() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let outcome = over(Some(listener), &address).await;
    assert!(matches!(outcome, Outcome::Unknown(_)), "{outcome:?}");

    let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", free.local_addr().unwrap());
    drop(free);
    let outcome = over(None, &address).await;
    assert!(matches!(outcome, Outcome::Unreachable(_)), "{outcome:?}");
}

/// Another daemon writes by then: nothing is sent, and what was sent is told as it was answered.
#[tokio::test]
async fn nothing_is_sent_once_it_may_not_be() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = |count: &Arc<AtomicUsize>| count.fetch_add(1, Ordering::SeqCst);
    let taken = move |State(asked): State<Arc<AtomicUsize>>| async move {
        count(&asked);
        let status = json!({"kind": "Status", "code": 409, "reason": "AlreadyExists"});
        (StatusCode::CONFLICT, Json(status))
    };
    let read = move |State(asked): State<Arc<AtomicUsize>>| async move {
        count(&asked);
        Json(pod("a"))
    };
    let router = axum::Router::new()
        .route(PODS, post(taken))
        .route(&format!("{PODS}/a"), get(read))
        .with_state(Arc::clone(&asked));
    let client = connected(kubernetes().merge(router)).await;
    for allowed in [0, 1] {
        let sent = AtomicUsize::new(0);
        let may_send = || sent.fetch_add(1, Ordering::SeqCst) < allowed;
        let outcome = client.carry(&caller(), now(), &create("a"), may_send).await;
        assert_eq!(outcome, Outcome::too_late(), "{allowed}");
        assert_eq!(asked.swap(0, Ordering::SeqCst), allowed);
    }
}

#[tokio::test]
async fn the_start_tells_the_cluster_the_anchor_and_the_spill() {
    let meta = json!({"uid": "au", "resourceVersion": "5"});
    let data = json!({"cluster": "main", "instance": "i1", "clusterUid": "ku"});
    let anchor = json!({"metadata": meta, "data": data});
    let system = json!({"metadata": {"uid": "ku"}});
    let absent = || async {
        let status = json!({"kind": "Status", "reason": "NotFound",
            "details": {"name": "berth-main.spill", "kind": "configmaps"}});
        (StatusCode::NOT_FOUND, Json(status))
    };
    let maps = "/api/v1/namespaces/berth/configmaps";
    let router = kubernetes()
        .route(
            "/api/v1/namespaces/kube-system",
            get(|| async { Json(system) }),
        )
        .route(
            &format!("{maps}/berth-main"),
            get(|| async { Json(anchor) }),
        )
        .route(&format!("{maps}/berth-main.spill"), get(absent));
    let client = connected(router).await;
    let read = start(&client, "berth", &Name::new("main").unwrap())
        .await
        .unwrap();
    let Start {
        version,
        cluster_uid,
        anchor,
        others,
        spill,
    } = read;
    assert_eq!(
        others,
        [],
        "nobody looks for others where there is an anchor"
    );
    assert_eq!((version.as_str(), cluster_uid.as_str()), ("v1.36.3", "ku"));
    let anchor = anchor.unwrap();
    assert_eq!(anchor.identity.instance, "i1");
    assert_eq!(anchor.version, ResourceVersion(5));
    assert_eq!(spill, None);
}

#[tokio::test]
async fn without_an_anchor_those_of_the_same_cluster_are_told() {
    let absent = |name: &'static str| {
        get(move || async move {
            let status = json!({"kind": "Status", "reason": "NotFound",
                "details": {"name": name, "kind": "configmaps"}});
            (StatusCode::NOT_FOUND, Json(status))
        })
    };
    let map = |data: serde_json::Value| json!({"metadata": {"uid": "u", "resourceVersion": "5"}, "data": data});
    let anchor = |name: &str, cluster_uid: &str| {
        map(json!({"cluster": name, "instance": "i", "clusterUid": cluster_uid}))
    };
    let list = json!({"items": [anchor("main", "ku"), anchor("far", "other"), map(json!({"a": "spill"}))]});
    let system = json!({"metadata": {"uid": "ku"}});
    let maps = "/api/v1/namespaces/berth/configmaps";
    let router = kubernetes()
        .route(
            "/api/v1/namespaces/kube-system",
            get(|| async { Json(system) }),
        )
        .route(maps, get(|| async { Json(list) }))
        .route(&format!("{maps}/berth-second"), absent("berth-second"))
        .route(
            &format!("{maps}/berth-second.spill"),
            absent("berth-second.spill"),
        );
    let client = connected(router).await;
    let read = start(&client, "berth", &Name::new("second").unwrap())
        .await
        .unwrap();
    assert_eq!(read.anchor, None);
    assert_eq!(read.others, [Name::new("main").unwrap()]);
}

#[tokio::test]
async fn a_404_of_something_else_is_no_absent_anchor() {
    let client = connected(kubernetes()).await;
    let error = start(&client, "berth", &Name::new("main").unwrap())
        .await
        .unwrap_err();
    assert_eq!(error.reason(), "NotKubernetes");
}
