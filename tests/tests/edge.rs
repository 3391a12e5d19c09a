//! The edge to Kubernetes against a whole API server, the sandbox or a real one: both must pass the
//! same.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking, its helpers too"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use berth_cluster::client::{Client, Options};
use berth_cluster::lease::{Candidate, Standing};
use berth_cluster::rbac::{self, Scope};
use berth_cluster::start::{kept, start};
use berth_cluster::watch::{Told, Watches};
use berth_cluster::wire::{Caller, Elector};
use berth_core::ids::{Digest, Name, ObjectKey, ObjectKind, ResourceVersion, Timestamp, Uid};
use berth_core::observed::{Fact, Ownership};
use berth_core::reconciler::{Effect, EffectId, Outcome, WatchEvent, WatchKey, What, anchor_name};
use berth_sandbox::http::Sandbox;
use berth_tests::controlplane::{self, ControlPlane};
use berth_tests::e2e::built;
use http::Request;
use kube::config::Kubeconfig;
use serde_json::{Value, json};
use tokio::sync::mpsc::Receiver;
use tokio::time::timeout;

/// One client in one namespace of queue and one of its own.
struct Edge {
    /// What is tried.
    client: Client,
    /// Whoever else works in the cluster.
    admin: Client,
    caller: Caller,
    queue: String,
}

impl Edge {
    /// Namespaces with names of this run, so that a real server can be used twice.
    async fn over(kubeconfig: &Path, tag: &str) -> Self {
        let client = connect(kubeconfig).await;
        let unique = std::process::id();
        let edge = Self {
            admin: client.clone(),
            client,
            caller: Caller {
                instance: format!("i{unique}{tag}"),
                namespace: format!("own-{unique}-{tag}"),
            },
            queue: format!("queue-{unique}-{tag}"),
        };
        for name in [&edge.caller.namespace, &edge.queue] {
            let body = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
            edge.raw("POST", "/api/v1/namespaces", "application/json", &body)
                .await;
        }
        edge
    }

    /// From now on with no other rights than those that the reference lists, granted in the
    /// namespace of the queue only. The sandbox knows no roles.
    async fn with_the_listed_rights_only(mut self, kubeconfig: &Path) -> Self {
        let (own, queue) = (self.caller.namespace.clone(), self.queue.clone());
        for mut manifest in rbac::manifests(&own, "berth", Scope::Namespaces(&[&queue])) {
            let kind = manifest["kind"].as_str().unwrap().to_lowercase();
            if kind.starts_with("cluster") {
                manifest["metadata"]["name"] = json!(own);
                if kind.ends_with("binding") {
                    manifest["roleRef"]["name"] = json!(own);
                }
            }
            let group = "/apis/rbac.authorization.k8s.io/v1";
            let path = match manifest["metadata"]["namespace"].as_str() {
                Some(namespace) => format!("{group}/namespaces/{namespace}/{kind}s"),
                None => format!("{group}/{kind}s"),
            };
            self.raw("POST", &path, "application/json", &manifest).await;
        }
        let mut config = Kubeconfig::read_from(kubeconfig).unwrap();
        for user in &mut config.auth_infos {
            let account = format!("system:serviceaccount:{own}:berth");
            user.auth_info.as_mut().unwrap().impersonate = Some(account);
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config");
        std::fs::write(&path, serde_json::to_string(&config).unwrap()).unwrap();
        self.client = connect(&path).await;
        self
    }

    async fn raw(&self, method: &str, path: &str, media: &str, body: &Value) -> Value {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("content-type", media)
            .body(body.to_string().into_bytes())
            .unwrap();
        let reply = self.admin.send(request).await.unwrap();
        let words = String::from_utf8_lossy(&reply.body).into_owned();
        assert!(
            (200..300).contains(&reply.status),
            "{method} {path}: {words}"
        );
        serde_json::from_str(&words).unwrap()
    }

    async fn carry(&self, what: What) -> Outcome {
        static NEXT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(1);
        let effect = Effect {
            id: EffectId(NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed)),
            unit: None,
            why: "a test".into(),
            what,
        };
        self.client
            .carry(&self.caller, now(), &effect, || true)
            .await
    }

    /// Makes a pod and waits until the scheduler has looked at it, which changes its version.
    async fn settled(&self, name: &str, finalizers: &[&str]) -> Box<Fact> {
        let mut fact = done(self.carry(self.pod(name, finalizers)).await);
        loop {
            tokio::time::sleep(Duration::from_millis(300)).await;
            match self.carry(self.pod(name, finalizers)).await {
                Outcome::Exists(now) if now.version == fact.version => return now,
                Outcome::Exists(now) => fact = now,
                other => panic!("{other:?}"),
            }
        }
    }

    fn key(&self, kind: ObjectKind, name: &str) -> ObjectKey {
        ObjectKey::new(kind, &self.queue, name)
    }

    fn body(&self, key: &ObjectKey, more: &Value) -> Value {
        let mut body = json!({
            "apiVersion": "v1", "kind": key.kind.kind(),
            "metadata": {
                "name": key.name, "namespace": key.namespace,
                "labels": {"berth.dev/instance": self.caller.instance},
                "annotations": {"berth.dev/id": key.to_string(), "berth.dev/unit": "Experiment/vision/a"},
            },
        });
        merge(&mut body, more);
        body
    }

    fn pod(&self, name: &str, finalizers: &[&str]) -> What {
        let key = self.key(ObjectKind::Pod, name);
        let more = json!({
            "metadata": {"finalizers": finalizers},
            "spec": {"restartPolicy": "Never", "containers": [{"name": "task", "image": "x"}]},
        });
        self.create(key, &more)
    }

    fn create(&self, key: ObjectKey, more: &Value) -> What {
        What::Create {
            digest: Digest::from_bytes([1; 32]),
            body: self.body(&key, more),
            key,
        }
    }
}

async fn connect(kubeconfig: &Path) -> Client {
    let options = Options {
        kubeconfig: Some(kubeconfig.to_owned()),
        ..Options::default()
    };
    match Client::connect(&options).await {
        Ok(client) => client,
        Err(error) => panic!("{error}; help: {}", error.help()),
    }
}

fn merge(into: &mut Value, more: &Value) {
    match (into, more) {
        (Value::Object(into), Value::Object(more)) => {
            for (name, value) in more {
                merge(into.entry(name.clone()).or_insert(Value::Null), value);
            }
        }
        (into, more) => *into = more.clone(),
    }
}

fn now() -> Timestamp {
    let since = std::time::UNIX_EPOCH.elapsed().unwrap();
    Timestamp::default().plus(since)
}

fn done(outcome: Outcome) -> Box<Fact> {
    match outcome {
        Outcome::Done(Some(fact)) => fact,
        other => panic!("not done, or nothing is left: {other:?}"),
    }
}

fn said(outcome: Outcome) -> String {
    match outcome {
        Outcome::Refused(words) => words.message,
        other => panic!("not refused: {other:?}"),
    }
}

fn delete(fact: &Fact) -> What {
    What::Delete {
        key: fact.key.clone(),
        uid: fact.uid.clone(),
        version: fact.version,
    }
}

fn release(fact: &Fact) -> What {
    What::Release {
        key: fact.key.clone(),
        uid: fact.uid.clone(),
        version: fact.version,
    }
}

const OUTCOME: &str = "berth.dev/outcome";

async fn a_name_is_the_lock(edge: &Edge) {
    let made = done(edge.carry(edge.pod("lock", &[OUTCOME])).await);
    assert!(matches!(made.ownership, Ownership::Ours(_)) && made.finalizer);
    match edge.carry(edge.pod("lock", &[OUTCOME])).await {
        Outcome::Exists(fact) => assert_eq!(fact.uid, made.uid),
        other => panic!("{other:?}"),
    }
    let nowhere = ObjectKey::new(ObjectKind::Service, "no-such-namespace", "a");
    // Who has rights in all namespaces is told that this one is missing, others that they may not.
    let words = said(edge.carry(edge.create(nowhere, &json!({}))).await);
    assert!(
        words.contains("not found; help: create the namespace")
            || words.contains("help: grant `create` on `services` in the namespace no-such"),
        "{words}"
    );
    let key = edge.key(ObjectKind::Pod, "strict");
    let words = said(
        edge.carry(edge.create(key, &json!({"spec": {"colour": "red"}})))
            .await,
    );
    assert!(words.contains("unknown field \"spec.colour\""), "{words}");
}

async fn deletes_and_releases_are_fenced(edge: &Edge) {
    let made = edge.settled("fenced", &[OUTCOME, "other.dev/x"]).await;
    let other_life = Fact {
        uid: Uid("00000000-0000-0000-0000-000000000000".into()),
        ..(*made).clone()
    };
    assert_eq!(edge.carry(delete(&other_life)).await, Outcome::Conflict);
    let other_state = Fact {
        version: ResourceVersion(made.version.0 - 1),
        ..(*made).clone()
    };
    assert_eq!(edge.carry(delete(&other_state)).await, Outcome::Conflict);
    assert_eq!(edge.carry(release(&other_state)).await, Outcome::Conflict);

    let leaving = done(edge.carry(delete(&made)).await);
    assert!(leaving.deleting.is_some() && leaving.finalizer);
    let released = done(edge.carry(release(&leaving)).await);
    assert!(
        !released.finalizer,
        "ours is off, the other one still holds it"
    );
    let path = format!("/api/v1/namespaces/{}/pods/fenced", edge.queue);
    let live = edge
        .raw("GET", &path, "application/json", &Value::Null)
        .await;
    assert_eq!(live["metadata"]["finalizers"], json!(["other.dev/x"]));
    let free = json!({"metadata": {"finalizers": null}});
    edge.raw("PATCH", &path, "application/merge-patch+json", &free)
        .await;
    assert_eq!(edge.carry(delete(&released)).await, Outcome::Absent);
    assert_eq!(edge.carry(release(&released)).await, Outcome::Absent);

    let made = edge.settled("last", &[OUTCOME]).await;
    let leaving = done(edge.carry(delete(&made)).await);
    assert_eq!(edge.carry(release(&leaving)).await, Outcome::Done(None));
}

async fn drift_is_told_by_field_and_put_right(edge: &Edge) {
    let key = edge.key(ObjectKind::Service, "drift");
    let data = json!({"spec": {"clusterIP": "None", "selector": {"lr": "0.1", "depth": "50"}}});
    let made = done(edge.carry(edge.create(key.clone(), &data)).await);
    let path = format!("/api/v1/namespaces/{}/services/drift", edge.queue);
    let by_hand = format!("{path}?fieldManager=somebody");
    let edit = json!({"spec": {"selector": {"lr": "0.2"}}});
    edge.raw("PATCH", &by_hand, "application/merge-patch+json", &edit)
        .await;

    let apply = |uid: &Uid, dry_run| {
        let mut body = edge.body(&key, &data);
        body["metadata"]["uid"] = json!(uid.0);
        let (key, uid) = (key.clone(), uid.clone());
        What::Apply {
            key,
            uid,
            body,
            dry_run,
        }
    };
    let Outcome::Compared(drift, _) = edge.carry(apply(&made.uid, true)).await else {
        panic!("not compared");
    };
    assert_eq!(drift.len(), 1, "{drift:?}");
    let field = &drift[0];
    assert_eq!(
        (
            field.path.as_str(),
            field.live.as_deref(),
            field.desired.as_deref()
        ),
        ("spec.selector.lr", Some("0.2"), Some("0.1"))
    );
    assert_eq!(field.manager.as_deref(), Some("somebody"));

    let right = done(edge.carry(apply(&made.uid, false)).await);
    assert!(right.version > made.version);
    match edge.carry(apply(&made.uid, true)).await {
        Outcome::Compared(drift, fact) => {
            assert_eq!(drift, []);
            assert_eq!(fact.version, right.version);
        }
        other => panic!("{other:?}"),
    }
    let other_life = Uid("00000000-0000-0000-0000-000000000000".into());
    assert_eq!(
        edge.carry(apply(&other_life, false)).await,
        Outcome::Conflict
    );
    assert_eq!(edge.carry(delete(&right)).await, Outcome::Done(None));
    let again = edge.carry(apply(&made.uid, false)).await;
    assert!(
        matches!(again, Outcome::Conflict | Outcome::Absent),
        "{again:?}"
    );
}

async fn the_anchor_is_compare_and_swap(edge: &Edge) {
    let cluster = Name::new("main").unwrap();
    let name = anchor_name(&cluster);
    let seen = start(&edge.client, &edge.caller.namespace, &cluster)
        .await
        .unwrap();
    assert!(!seen.cluster_uid.is_empty());
    assert_eq!((seen.anchor, seen.spill), (None, None));
    let keep = |data: Option<&str>, version| What::Keep {
        name: name.clone(),
        data: data.map(|text| BTreeMap::from([("k".to_owned(), text.to_owned())])),
        version,
    };
    let Outcome::Kept(first) = edge.carry(keep(Some("1"), None)).await else {
        panic!("not kept");
    };
    assert_eq!(edge.carry(keep(Some("2"), None)).await, Outcome::Conflict);
    let Outcome::Kept(second) = edge.carry(keep(Some("2"), Some(first))).await else {
        panic!("not kept");
    };
    assert_eq!(
        edge.carry(keep(Some("3"), Some(first))).await,
        Outcome::Conflict
    );
    let live = kept(&edge.client, &edge.caller.namespace, &name)
        .await
        .unwrap()
        .unwrap();
    assert_eq!((live.data["k"].as_str(), live.version), ("2", second));
    assert_eq!(edge.carry(keep(None, Some(first))).await, Outcome::Conflict);
    assert_eq!(
        edge.carry(keep(None, Some(second))).await,
        Outcome::Done(None)
    );
    assert_eq!(
        edge.carry(keep(None, Some(second))).await,
        Outcome::Done(None)
    );
}

async fn events_are_told_once(edge: &Edge) {
    let made = done(edge.carry(edge.pod("told", &[])).await);
    let effect = Effect {
        id: EffectId(9_999),
        unit: None,
        why: "a test".into(),
        what: What::Tell {
            key: made.key.clone(),
            uid: Some(made.uid.clone()),
            warning: false,
            reason: "Tried".into(),
            note: "a sentence".into(),
        },
    };
    let at = now();
    for _ in 0..2 {
        let told = edge.client.carry(&edge.caller, at, &effect, || true).await;
        assert_eq!(told, Outcome::Done(None));
    }
    let path = format!("/apis/events.k8s.io/v1/namespaces/{}/events", edge.queue);
    let all = edge
        .raw("GET", &path, "application/json", &Value::Null)
        .await;
    let ours = all["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|one| one["reason"] == "Tried");
    assert_eq!(ours.count(), 1);
}

async fn next(told: &mut Receiver<Told>) -> WatchEvent {
    timeout(Duration::from_secs(20), told.recv())
        .await
        .unwrap()
        .unwrap()
        .1
}

async fn a_watch_tells_what_is_there_and_what_changes(edge: &Edge) {
    let before = edge.settled("before", &[]).await;
    let (mut watches, mut told) = Watches::new(edge.client.clone(), &edge.caller.instance, 7);
    let key = WatchKey::Ours(ObjectKind::Pod, edge.queue.as_str().into());
    watches.want(&BTreeSet::from([key]));
    assert_eq!(next(&mut told).await, WatchEvent::Started);
    let mut there = BTreeSet::new();
    loop {
        match next(&mut told).await {
            WatchEvent::Object(fact) => there.insert(fact.key.name.to_string()),
            WatchEvent::Complete(_) => break,
            other => panic!("{other:?}"),
        };
    }
    assert!(there.contains("before"));
    let after = done(edge.carry(edge.pod("after", &[])).await);
    edge.carry(delete(&before)).await;
    let (mut made, mut gone) = (false, false);
    while !(made && gone) {
        match next(&mut told).await {
            WatchEvent::Object(fact) => made |= fact.uid == after.uid,
            WatchEvent::ObjectGone(key, version) => {
                gone |= key == before.key && version > before.version;
            }
            WatchEvent::Passed(_) => {}
            other => panic!("{other:?}"),
        }
    }
    let others = BTreeSet::from([WatchKey::Nodes, WatchKey::Occupants]);
    watches.want(&others);
    let mut complete = BTreeSet::new();
    while complete != others {
        let (key, event) = timeout(Duration::from_secs(20), told.recv())
            .await
            .unwrap()
            .unwrap();
        match event {
            WatchEvent::Complete(_) if others.contains(&key) => drop(complete.insert(key)),
            WatchEvent::Unreadable(words) => panic!("{words}"),
            _ => {}
        }
    }
}

async fn one_leads(edge: &Edge) {
    let (says, mut standing) = tokio::sync::watch::channel(Standing::unknown());
    let (_part, takes_part) = tokio::sync::watch::channel(true);
    let stop = tokio_util::sync::CancellationToken::new();
    let candidate = Candidate {
        client: edge.client.clone(),
        elector: Elector::new("main", &edge.caller.namespace, "me"),
        clock: now,
        dead: |_: &str| false,
        says,
        takes_part,
        stop: stop.clone(),
    };
    let task = tokio::spawn(candidate.run());
    timeout(Duration::from_secs(10), standing.wait_for(Standing::leads))
        .await
        .unwrap()
        .unwrap();
    stop.cancel();
    task.await.unwrap();
    let path = format!(
        "/apis/coordination.k8s.io/v1/namespaces/{}/leases/berth-main",
        edge.caller.namespace
    );
    let live = edge
        .raw("GET", &path, "application/json", &Value::Null)
        .await;
    assert_eq!(live["spec"]["holderIdentity"], "", "given up");
}

async fn all(edge: Edge) {
    a_name_is_the_lock(&edge).await;
    deletes_and_releases_are_fenced(&edge).await;
    drift_is_told_by_field_and_put_right(&edge).await;
    the_anchor_is_compare_and_swap(&edge).await;
    events_are_told_once(&edge).await;
    a_watch_tells_what_is_there_and_what_changes(&edge).await;
    one_leads(&edge).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_edge_works_against_the_sandbox() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let options = berth_sandbox::Options {
        nodes: Vec::new(),
        start_ms: now().millis(),
        ..berth_sandbox::Options::default()
    };
    let server = berth_sandbox::Server::new(options);
    let sandbox = Sandbox::start(server, listener, Some("sesame".into())).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config");
    std::fs::write(&path, sandbox.kubeconfig()).unwrap();
    all(Edge::over(&path, "s").await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_edge_works_against_kube_apiserver() {
    let Some(programs) = built("the edge on kube-apiserver") else {
        return;
    };
    let whole = controlplane::Options::whole();
    let plane = ControlPlane::start(&programs, &whole).await.unwrap();
    let edge = Edge::over(&plane.kubeconfig(), "r").await;
    all(edge.with_the_listed_rights_only(&plane.kubeconfig()).await).await;
}
