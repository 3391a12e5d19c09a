//! What the tests work with.

use std::path::Path;
use std::time::Duration;

use berth_cluster::client::{Client, Options};
use berth_cluster::rbac::{self, Scope};
use berth_cluster::wire::Caller;
use berth_core::ids::{Digest, ObjectKey, ObjectKind, Timestamp};
use berth_core::observed::Fact;
use berth_core::reconciler::{Effect, EffectId, Outcome, What};
use http::Request;
use kube::config::Kubeconfig;
use serde_json::{Value, json};

/// How the name of the first pod of a run ends.
const FIRST: &str = "-1a2b3c4d-1-1-0";

/// One client in one namespace of queue and one of its own.
pub struct Edge {
    /// What is tried.
    pub client: Client,
    /// Whoever else works in the cluster.
    admin: Client,
    /// In whose name.
    pub caller: Caller,
    /// Where its objects are.
    pub queue: String,
}

impl Edge {
    /// Namespaces with names of this run, so that a real server can be used twice.
    pub async fn over(kubeconfig: &Path, tag: &str) -> Self {
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
    pub async fn with_the_listed_rights_only(mut self, kubeconfig: &Path) -> Self {
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

    pub async fn raw(&self, method: &str, path: &str, media: &str, body: &Value) -> Value {
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

    pub async fn carry(&self, what: What) -> Outcome {
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
    pub async fn settled(&self, name: &str, finalizers: &[&str]) -> Box<Fact> {
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

    /// A pod is the first one of the experiment of that name.
    pub fn key(&self, kind: ObjectKind, name: &str) -> ObjectKey {
        match kind {
            ObjectKind::Pod => ObjectKey::new(kind, &self.queue, &format!("{name}{FIRST}")),
            ObjectKind::Service => ObjectKey::new(kind, &self.queue, name),
        }
    }

    pub fn body(&self, key: &ObjectKey, more: &Value) -> Value {
        let experiment = key.name.strip_suffix(FIRST).unwrap_or(&key.name);
        let unit = format!("Experiment/vision/{experiment}");
        let mut body = json!({
            "apiVersion": "v1", "kind": key.kind.kind(),
            "metadata": {
                "name": key.name, "namespace": key.namespace,
                "labels": {"berth.dev/instance": self.caller.instance},
                "annotations": {"berth.dev/id": key.to_string(), "berth.dev/unit": unit},
            },
        });
        merge(&mut body, more);
        body
    }

    pub fn pod(&self, name: &str, finalizers: &[&str]) -> What {
        let key = self.key(ObjectKind::Pod, name);
        let more = json!({
            "metadata": {"finalizers": finalizers},
            "spec": {"restartPolicy": "Never", "containers": [{"name": "task", "image": "x"}]},
        });
        self.create(key, &more)
    }

    pub fn create(&self, key: ObjectKey, more: &Value) -> What {
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

pub fn now() -> Timestamp {
    let since = std::time::UNIX_EPOCH.elapsed().unwrap();
    Timestamp::default().plus(since)
}

pub fn done(outcome: Outcome) -> Box<Fact> {
    match outcome {
        Outcome::Done(Some(fact)) => fact,
        other => panic!("not done, or nothing is left: {other:?}"),
    }
}

pub fn said(outcome: Outcome) -> String {
    match outcome {
        Outcome::Refused(words) => words.message,
        other => panic!("not refused: {other:?}"),
    }
}

pub fn delete(fact: &Fact) -> What {
    What::Delete {
        key: fact.key.clone(),
        uid: fact.uid.clone(),
        version: fact.version,
    }
}

pub fn release(fact: &Fact) -> What {
    What::Release {
        key: fact.key.clone(),
        uid: fact.uid.clone(),
        version: fact.version,
    }
}
