use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use berth_cluster::watch::Watches;
use berth_core::ids::{ObjectKind, ResourceVersion};
use berth_core::reconciler::{WatchEvent, WatchKey};
use futures::StreamExt as _;
use serde_json::json;
use tokio::time::timeout;

use super::{connected, kubernetes};

/// The queries that came, and what to answer, the last one for ever.
#[derive(Clone, Default)]
struct Script {
    asked: Arc<Mutex<Vec<String>>>,
    answers: Arc<Mutex<Vec<Step>>>,
}

#[derive(Clone)]
enum Step {
    /// These lines, then the end.
    Lines(String),
    /// These lines, then silence.
    Hang(String),
    Status(u16),
}

async fn answer(State(script): State<Script>, uri: Uri) -> Response {
    script
        .asked
        .lock()
        .unwrap()
        .push(uri.query().unwrap_or_default().to_owned());
    let step = {
        let mut answers = script.answers.lock().unwrap();
        if answers.len() > 1 {
            answers.remove(0)
        } else {
            answers[0].clone()
        }
    };
    match step {
        Step::Lines(lines) => lines.into_response(),
        Step::Hang(lines) => {
            let first = futures::stream::once(async { Ok::<_, std::io::Error>(lines) });
            Body::from_stream(first.chain(futures::stream::pending())).into_response()
        }
        Step::Status(code) => (StatusCode::from_u16(code).unwrap(), "{}").into_response(),
    }
}

fn bookmark(version: u64, end: bool) -> String {
    let mut object = json!({"kind": "Pod", "metadata": {"resourceVersion": version.to_string()}});
    if end {
        object["metadata"]["annotations"] = json!({"k8s.io/initial-events-end": "true"});
    }
    format!("{}\n", json!({"type": "BOOKMARK", "object": object}))
}

fn key() -> WatchKey {
    WatchKey::Ours(ObjectKind::Pod, "vision".into())
}

async fn watch(steps: Vec<Step>, count: usize) -> (Vec<WatchEvent>, Vec<String>) {
    let script = Script {
        answers: Arc::new(Mutex::new(steps)),
        ..Script::default()
    };
    let pods = Router::new()
        .route("/api/v1/namespaces/vision/pods", get(answer))
        .with_state(script.clone());
    let client = connected(kubernetes().merge(pods)).await;
    let (mut watches, mut told) = Watches::new(client, "i1", 1);
    watches.want(&BTreeSet::from([key()]));
    let mut events = Vec::new();
    while events.len() < count {
        let (from, event) = timeout(Duration::from_secs(10), told.recv())
            .await
            .unwrap()
            .unwrap();
        assert_eq!(from, key());
        events.push(event);
    }
    watches.want(&BTreeSet::new());
    assert_eq!(watches.keys().count(), 0);
    let asked = script.asked.lock().unwrap().clone();
    (events, asked)
}

#[tokio::test]
async fn a_cut_watch_resumes_where_it_was() {
    let steps = vec![
        Step::Lines(bookmark(5, true)),
        Step::Lines(bookmark(9, false)),
        Step::Hang(bookmark(11, false)),
    ];
    let (events, asked) = watch(steps, 4).await;
    let version = ResourceVersion;
    assert_eq!(
        events,
        [
            WatchEvent::Started,
            WatchEvent::Complete(version(5)),
            WatchEvent::Passed(version(9)),
            WatchEvent::Passed(version(11)),
        ]
    );
    assert!(asked[0].contains("sendInitialEvents=true"));
    assert!(asked[1].ends_with("resourceVersion=5") && asked[2].ends_with("resourceVersion=9"));
}

#[tokio::test]
async fn a_server_without_streaming_lists_is_listed() {
    let list = json!({"metadata": {"resourceVersion": "8"}, "items": []}).to_string();
    let steps = vec![
        Step::Status(422),
        Step::Lines(list),
        Step::Hang(bookmark(12, false)),
    ];
    let (events, asked) = watch(steps, 3).await;
    let version = ResourceVersion;
    assert_eq!(
        events,
        [
            WatchEvent::Started,
            WatchEvent::Complete(version(8)),
            WatchEvent::Passed(version(12)),
        ]
    );
    assert!(asked[1].ends_with("limit=500") && asked[2].ends_with("resourceVersion=8"));
}

#[tokio::test]
async fn what_may_not_be_seen_is_unreadable() {
    let (events, _) = watch(vec![Step::Status(403)], 1).await;
    assert!(matches!(&events[0], WatchEvent::Unreadable(_)));
}
