//! Every verb of every rule that the reference lists is needed by a call of ours, and the refusal of
//! that call names verb, resource and namespace. How such words reach the log and the status, `rights`
//! shows for whole rules.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use berth_cluster::client::{Client, Options};
use berth_cluster::rbac::{CLUSTER, OWN, QUEUE, Rule};
use berth_cluster::start::{cluster_uid, kept, start};
use berth_cluster::watch::Watches;
use berth_cluster::wire::{Caller, Elector};
use berth_core::ids::{Digest, Name, ObjectKey, ObjectKind, ResourceVersion, Timestamp};
use berth_core::observed::Fact;
use berth_core::reconciler::{Effect, EffectId, Outcome, Role, WatchEvent, WatchKey, What};
use berth_tests::e2e::{On, Right, Setting, Stage};
use serde_json::{Value, json};

use crate::rights::Where;

const PATIENCE: Duration = Duration::from_mins(1);

/// Berth's side of the API, without a daemon.
struct Edge {
    client: Client,
    caller: Caller,
    queue: String,
    made: u32,
}

async fn each_verb_of_each_rule_is_missed(on: On) {
    let mut stage = Stage::build(Setting {
        documents: false,
        daemon: false,
        proxy: Some(0),
        ..Setting::usual(on)
    })
    .await;
    let mut edge = Edge::of(&stage).await;
    let places = [
        (Where::Cluster, CLUSTER),
        (Where::Queue, QUEUE),
        (Where::Own, OWN),
    ];
    for (place, rules) in places {
        for rule in rules {
            for verb in rule.verbs {
                let what = format!("{verb} {} of {place:?}", rule.resource);
                println!("without {what}");
                let said = edge.without(&mut stage, place, rule, verb).await;
                for words in names(&stage, place, rule, verb) {
                    assert!(
                        said.contains(&words),
                        "without {what}, no {words} in: {said}"
                    );
                }
            }
        }
    }
}

/// What must be said.
fn names(stage: &Stage, place: Where, rule: &Rule, verb: &str) -> [String; 2] {
    let (resource, group) = (rule.resource, rule.group);
    let right = format!("cannot {verb} resource \"{resource}\" in API group \"{group}\"");
    [right, place.words(stage, resource)]
}

impl Edge {
    async fn of(stage: &Stage) -> Self {
        let options = Options {
            kubeconfig: Some(stage.flags().kubeconfig),
            ..Options::default()
        };
        Self {
            client: Client::connect(&options).await.unwrap(),
            caller: Caller {
                instance: "verbs".to_owned(),
                namespace: stage.names().own(),
            },
            queue: stage.names().queue(),
            made: 0,
        }
    }

    /// The words of the call that needs this right, made without it.
    async fn without(
        &mut self,
        stage: &mut Stage,
        place: Where,
        rule: &Rule,
        verb: &'static str,
    ) -> String {
        let within = match (place, rule.resource, verb) {
            // The cluster's role grants it for all namespaces.
            (Where::Queue, "pods", "list" | "watch") => None,
            _ => Some(place.namespace(stage)),
        };
        let right = Right {
            verb,
            group: rule.group,
            resource: rule.resource,
            within,
        };
        // Watches begin with a list only on servers that cannot stream it.
        stage
            .proxy
            .as_ref()
            .unwrap()
            .refuse_streamed_lists(verb == "list");
        let said = match (place, rule.resource) {
            (Where::Queue, "events") => {
                stage.cluster.deny(&right);
                said(self.carry(self.told()).await)
            }
            (Where::Queue, resource) => self.of_queue(stage, &right, kind(resource)).await,
            (Where::Cluster, "namespaces") => {
                stage.cluster.deny(&right);
                cluster_uid(&self.client).await.unwrap_err().to_string()
            }
            (Where::Cluster, "nodes") => {
                stage.cluster.deny(&right);
                self.unreadable(WatchKey::Nodes).await
            }
            (Where::Cluster, _) => {
                stage.cluster.deny(&right);
                self.unreadable(WatchKey::Occupants).await
            }
            (Where::Own, "leases") => self.of_lease(stage, &right).await,
            (Where::Own, _) => self.of_own(stage, &right).await,
        };
        stage.cluster.allow_all();
        said
    }

    async fn of_queue(&mut self, stage: &Stage, right: &Right, kind: ObjectKind) -> String {
        let create = self.create(kind);
        if right.verb == "create" {
            stage.cluster.deny(right);
            return said(self.carry(create).await);
        }
        let Outcome::Done(Some(fact)) = self.carry(create.clone()).await else {
            panic!("not made: {create:?}");
        };
        stage.cluster.deny(right);
        let what = match (right.verb, kind) {
            ("list" | "watch", _) => {
                let key = WatchKey::Ours(kind, self.queue.as_str().into());
                return self.unreadable(key).await;
            }
            // The name is taken: by whom?
            ("get", _) => create,
            ("patch", ObjectKind::Pod) => release(&fact),
            ("patch", _) => apply(&fact, create),
            ("delete", _) => delete(&fact),
            (verb, _) => panic!("no call of ours needs to {verb} {kind:?}"),
        };
        said(self.carry(what).await)
    }

    async fn of_own(&mut self, stage: &Stage, right: &Right) -> String {
        self.made += 1;
        let name = format!("kept-{}", self.made);
        let keep = |data: Option<&str>, version| What::Keep {
            name: name.clone(),
            data: data.map(|text| BTreeMap::from([("a".to_owned(), text.to_owned())])),
            version,
        };
        if right.verb == "create" {
            stage.cluster.deny(right);
            return said(self.carry(keep(Some("1"), None)).await);
        }
        let Outcome::Kept(version) = self.carry(keep(Some("1"), None)).await else {
            panic!("not kept: {name}");
        };
        stage.cluster.deny(right);
        match right.verb {
            "list" => {
                let name = Name::new("nobody").unwrap();
                let start = start(&self.client, &self.caller.namespace, &name).await;
                start.unwrap_err().to_string()
            }
            "get" => {
                let read = kept(&self.client, &self.caller.namespace, &name).await;
                read.unwrap_err().to_string()
            }
            "update" => said(self.carry(keep(Some("2"), Some(version))).await),
            "delete" => said(self.carry(keep(None, Some(version))).await),
            verb => panic!("no call of ours needs to {verb} it"),
        }
    }

    /// The server's words on the request of an election that needs the right.
    async fn of_lease(&mut self, stage: &Stage, right: &Right) -> String {
        self.made += 1;
        let name = format!("cluster-{}", self.made);
        let mut elector = Elector::new(&name, &self.caller.namespace, "me");
        let mut now = now();
        if right.verb == "update" {
            while !matches!(elector.role(now), Role::Leader { .. }) {
                self.campaign(&mut elector, now).await.unwrap();
            }
        }
        stage.cluster.deny(right);
        loop {
            // Every renewal is due by then.
            now = now.plus(Duration::from_secs(10));
            if let Err(words) = self.campaign(&mut elector, now).await {
                return words;
            }
        }
    }

    /// The next request; what the server says to refuse it.
    async fn campaign(&self, elector: &mut Elector, now: Timestamp) -> Result<(), String> {
        let request = elector.next_request(now).unwrap().unwrap();
        let reply = self.client.send(request).await.unwrap();
        elector.answered(now, &reply.answer());
        match reply.status {
            403 => Err(
                serde_json::from_slice::<Value>(&reply.body).unwrap()["message"]
                    .as_str()
                    .unwrap()
                    .to_owned(),
            ),
            _ => Ok(()),
        }
    }

    /// Why a view cannot be seen.
    async fn unreadable(&self, key: WatchKey) -> String {
        let (mut watches, mut told) = Watches::new(self.client.clone(), &self.caller.instance, 7);
        watches.want(&BTreeSet::from([key]));
        let words = async {
            loop {
                if let (_, WatchEvent::Unreadable(words)) = told.recv().await.unwrap() {
                    return words;
                }
            }
        };
        tokio::time::timeout(PATIENCE, words).await.unwrap()
    }

    async fn carry(&self, what: What) -> Outcome {
        let effect = Effect {
            id: EffectId(1),
            unit: None,
            why: "a test".into(),
            what,
        };
        let sent = self.client.carry(&self.caller, now(), &effect, || true);
        sent.await
    }

    fn create(&mut self, kind: ObjectKind) -> What {
        self.made += 1;
        let key = ObjectKey::new(kind, &self.queue, &format!("made-{}", self.made));
        let mut body = json!({
            "apiVersion": "v1", "kind": kind.kind(),
            "metadata": {
                "name": key.name, "namespace": key.namespace,
                "labels": {"berth.dev/instance": self.caller.instance},
                "annotations": {"berth.dev/id": key.to_string(), "berth.dev/unit": "Experiment/vision/a"},
            },
        });
        match kind {
            ObjectKind::Pod => {
                body["spec"] = json!({
                    "schedulerName": "nobody", "serviceAccountName": "default",
                    "containers": [{"name": "task", "image": "registry.example.com/train:1"}],
                });
            }
            ObjectKind::Service => body["spec"] = json!({"clusterIP": "None"}),
        }
        let digest = Digest::from_bytes([1; 32]);
        What::Create { key, digest, body }
    }

    fn told(&self) -> What {
        What::Tell {
            key: ObjectKey::new(ObjectKind::Pod, &self.queue, "told"),
            uid: None,
            warning: true,
            reason: "Tried".into(),
            note: "a sentence".into(),
        }
    }
}

fn kind(resource: &str) -> ObjectKind {
    match resource {
        "pods" => ObjectKind::Pod,
        "services" => ObjectKind::Service,
        other => panic!("no call of ours is about {other}"),
    }
}

fn release(fact: &Fact) -> What {
    let (key, uid) = (fact.key.clone(), fact.uid.clone());
    let version = fact.version;
    What::Release { key, uid, version }
}

fn delete(fact: &Fact) -> What {
    let (key, uid) = (fact.key.clone(), fact.uid.clone());
    let version: ResourceVersion = fact.version;
    What::Delete { key, uid, version }
}

fn apply(fact: &Fact, create: What) -> What {
    let What::Create { mut body, key, .. } = create else {
        panic!("no create: {create:?}");
    };
    body["metadata"]["uid"] = json!(fact.uid.0);
    What::Apply {
        key,
        uid: fact.uid.clone(),
        body,
        dry_run: false,
    }
}

fn said(outcome: Outcome) -> String {
    match outcome {
        Outcome::Refused(words) => words.message,
        other => panic!("not refused: {other:?}"),
    }
}

fn now() -> Timestamp {
    let since = std::time::UNIX_EPOCH.elapsed().unwrap();
    Timestamp::default().plus(since)
}

on_both! {
    each_verb_of_each_rule_is_missed,
}
