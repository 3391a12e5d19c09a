//! A reconciler, and a cluster and a status branch that do what it says; or it is fed step by step.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value as Json;

use super::{
    Anchor, Effect, FieldDrift, Identity, Input, Options, Outcome, Reconciler, Role, ServerWords,
    WatchEvent, WatchKey, What,
};
use crate::desired::fixture::Repository;
use crate::ids::{
    CommitId, DocumentKind, Name, ObjectKey, ObjectKind, ResourceVersion, Timestamp, Uid,
};
use crate::ledger::{IDENTITY, Ledger, identity_text};
use crate::observed::{NodeFact, SlotRequest, fact, marks};

/// Of one slot.
pub const SMALL: &str = "  resources: {slotsPerTrial: 1}\n";

/// The nth commit of the status branch, and of the state repository.
pub fn commit(number: u8) -> CommitId {
    CommitId::from_bytes([number; 20])
}

fn identity() -> Identity {
    Identity {
        cluster: Name::new("lab").unwrap(),
        instance: "i".into(),
        cluster_uid: "u".into(),
    }
}

/// A cluster, a state repository and a status branch, with one daemon after the other.
pub struct World {
    pub reconciler: Reconciler,
    pub repository: Repository,
    pub options: Options,
    pub objects: BTreeMap<ObjectKey, Json>,
    /// The files of the status branch.
    pub branch: BTreeMap<String, Vec<u8>>,
    /// How many commits it has; the last is its tip.
    pub commits: u8,
    /// The commit that the anchor names, if that is not the tip.
    pub anchored: Option<u8>,
    pub now: Timestamp,
    pub version: u64,
    /// What was done to the cluster, such as `create Pod vision/a`.
    pub done: Vec<String>,
    pub nodes: Vec<&'static str>,
    pub refuses_deletes: bool,
    pub refuses_creates: bool,
    /// Whether Git is away.
    pub away: bool,
    /// How often outcomes were kept in the cluster.
    pub spills: u32,
}

impl World {
    /// Two nodes of 8 slots and a queue; no daemon has begun.
    pub fn new() -> Self {
        Self::with(|options| options)
    }

    /// The same, with daemons of other options.
    pub fn with(change: impl Fn(Options) -> Options) -> Self {
        let options = change(Options::new(Name::new("lab").unwrap()));
        Self {
            reconciler: Reconciler::new(options.clone()),
            repository: Repository::new(),
            options,
            objects: BTreeMap::new(),
            branch: BTreeMap::new(),
            commits: 0,
            anchored: None,
            now: Timestamp::from_millis(1_000_000_000),
            version: 1,
            done: Vec::new(),
            nodes: vec!["n1", "n2"],
            refuses_deletes: false,
            refuses_creates: false,
            away: false,
            spills: 0,
        }
    }

    /// The same, with a status branch of one commit.
    pub fn pushed(mut self) -> Self {
        let text = identity_text(&identity()).unwrap();
        self.branch.insert(IDENTITY.to_owned(), text.into_bytes());
        self.commits = 1;
        self
    }

    /// Writes a file of the state repository, and does not commit it.
    pub fn put(&mut self, path: &str, text: &str) {
        self.repository.put(path, text);
    }

    /// Commits, and the daemon hears of it.
    pub fn commit(&mut self) {
        let desired = self.repository.load().unwrap();
        self.input(Input::Snapshot(Arc::new(desired)));
    }

    pub fn input(&mut self, input: Input) {
        self.reconciler.input(self.now, input);
    }

    /// What it wants to be done; nothing of it is.
    pub fn step(&mut self) -> Vec<Effect> {
        let effects = self.reconciler.step(self.now);
        self.judge();
        effects
    }

    /// What was committed is judged anew, if it is to be.
    fn judge(&mut self) {
        if let Some(forms) = self.reconciler.judge_by() {
            self.repository.ledger = Arc::clone(forms);
            self.repository.loader.forget();
            let desired = self.repository.again().unwrap();
            self.input(Input::Snapshot(Arc::new(desired)));
        }
    }

    pub fn wait(&mut self, time: Duration) {
        self.now = self.now.plus(time);
    }

    /// A daemon begins on what there is.
    pub fn start(&mut self) {
        self.begin();
        self.settle();
    }

    /// A daemon begins and has seen nothing yet.
    pub fn begin(&mut self) {
        self.reconciler = Reconciler::new(self.options.clone());
        self.done.clear();
        self.input(self.leads());
        self.commit();
        self.read_outside();
    }

    /// The same, and for a minute it sees all but what is in this namespace.
    pub fn begin_without(&mut self, namespace: &str) {
        self.begin();
        self.list(|watch| !matches!(watch, WatchKey::Ours(_, it) if **it == *namespace));
        for _ in 0..60 {
            self.turn();
        }
    }

    pub fn leads(&self) -> Input {
        let until = self.now.plus(Duration::from_hours(100));
        Input::Role(Role::Leader { until })
    }

    /// It reads the anchor, the spill and the branch.
    pub fn read_outside(&mut self) {
        self.read_kept();
        let files: Vec<_> = self.branch.clone().into_iter().collect();
        let tip = (self.commits > 0).then(|| commit(self.commits));
        self.input(Input::Ledger(Ledger::read(tip, &files)));
    }

    /// It reads the anchor and the spill.
    pub fn read_kept(&mut self) {
        let anchored = self.anchored.unwrap_or(self.commits);
        let anchor = Anchor {
            identity: identity(),
            status: (anchored > 0).then(|| commit(anchored)),
            next: None,
            namespaces: BTreeSet::from(["vision".to_owned()]),
            uid: Uid("anchor".into()),
            version: ResourceVersion(1),
        };
        for input in [
            Input::Identity {
                cluster_uid: "u".into(),
                anchor: Some(anchor),
                anchor_in_branch: anchored <= self.commits,
                others: Vec::new(),
                fresh_instance: "i".into(),
            },
            Input::Spill {
                data: BTreeMap::new(),
                version: None,
            },
        ] {
            self.input(input);
        }
    }

    /// All watches list what there is.
    pub fn listed(&mut self) {
        self.list(|_| true);
    }

    /// These do.
    pub fn list(&mut self, which: impl Fn(&WatchKey) -> bool) {
        for key in self.reconciler.watches().into_iter().filter(which) {
            let mut events = vec![WatchEvent::Started];
            match &key {
                WatchKey::Nodes => events.extend(self.nodes.iter().map(|name| node(name))),
                WatchKey::Ours(kind, namespace) => {
                    let ours = self.objects.iter();
                    let ours = ours.filter(|(it, object)| {
                        it.kind == *kind && it.namespace == *namespace && is_selected(object)
                    });
                    events.extend(ours.map(|(_, object)| seen(object)));
                }
                WatchKey::Occupants => {}
            }
            events.push(WatchEvent::Complete(ResourceVersion(self.version)));
            for event in events {
                self.input(Input::Watch(key.clone(), event));
            }
        }
    }

    /// Until nothing is to be done.
    pub fn settle(&mut self) {
        self.listed();
        self.rest();
    }

    /// Time passes, in which what is known is pushed.
    pub fn later(&mut self) {
        self.wait(Duration::from_mins(5));
        self.settle();
    }

    /// The same as [`settle`](Self::settle), and nothing is listed anew.
    pub fn rest(&mut self) {
        for _ in 0..100 {
            if !self.turn() && self.reconciler.due().is_none_or(|due| due > self.now) {
                return;
            }
        }
        panic!("it does not come to rest: {:?}", self.done);
    }

    /// One step, a second later; true if something was to be done.
    pub fn turn(&mut self) -> bool {
        self.wait(Duration::from_secs(1));
        let effects = self.step();
        for effect in &effects {
            let outcome = self.carry(effect);
            self.input(Input::Done(effect.id, outcome));
        }
        !effects.is_empty()
    }

    fn carry(&mut self, effect: &Effect) -> Outcome {
        self.version += 1;
        match &effect.what {
            What::Create { .. } if self.refuses_creates => refused("no right to create"),
            What::Create { key, body, .. } => {
                self.done.push(format!("create {key}"));
                self.store(key, body.clone())
            }
            What::Apply {
                key,
                body,
                dry_run: false,
                ..
            } => {
                self.done.push(format!("apply {key}"));
                self.store(key, body.clone())
            }
            What::Apply { key, .. } | What::Inspect { key, .. } => {
                let field = FieldDrift {
                    path: "data".into(),
                    live: Some("other".into()),
                    desired: None,
                    forgotten: false,
                    manager: None,
                    when: None,
                };
                let fact = fact(&self.objects[key], "i").unwrap();
                Outcome::Compared(vec![field], Box::new(fact))
            }
            What::Delete { .. } if self.refuses_deletes => refused("no right to delete"),
            What::Delete { key, .. } => {
                self.done.push(format!("delete {key}"));
                self.objects.remove(key);
                Outcome::Done(None)
            }
            What::Release { key, .. } => {
                self.done.push(format!("release {key}"));
                let Some(mut object) = self.objects.get(key).cloned() else {
                    return Outcome::Absent;
                };
                object["metadata"]["finalizers"] = Json::Array(Vec::new());
                self.store(key, object)
            }
            What::Mark {
                key,
                labels,
                annotations,
                finalizer,
                ..
            } => {
                self.done.push(format!("mark {key}"));
                let Some(mut object) = self.objects.get(key).cloned() else {
                    return Outcome::Absent;
                };
                if *finalizer {
                    object["metadata"]["finalizers"] = Json::from(vec![marks::FINALIZER]);
                }
                for (field, all) in [("labels", labels), ("annotations", annotations)] {
                    for (name, value) in all {
                        object["metadata"][field][name] = value.as_str().into();
                    }
                }
                self.store(key, object)
            }
            What::Record { .. } if self.away => Outcome::Unreachable("no route".into()),
            What::Record { files, .. } => {
                for (path, text) in files {
                    match text {
                        Some(text) => self.branch.insert(path.clone(), text.clone().into_bytes()),
                        None => self.branch.remove(path),
                    };
                }
                self.commits += 1;
                Outcome::Recorded(commit(self.commits))
            }
            What::Keep { name, data, .. } => {
                let is_spill = *name == self.reconciler.spill_name() && data.is_some();
                self.spills += u32::from(is_spill);
                Outcome::Kept(ResourceVersion(self.version))
            }
            What::Tell { .. } => Outcome::Done(None),
            What::Reload => {
                self.read_outside();
                Outcome::Done(None)
            }
        }
    }

    fn store(&mut self, key: &ObjectKey, mut body: Json) -> Outcome {
        let meta = &mut body["metadata"];
        meta["uid"] = format!("{key}").into();
        meta["resourceVersion"] = self.version.to_string().into();
        meta["creationTimestamp"] = "1970-01-12T13:46:40Z".into();
        let seen = fact(&body, "i").unwrap();
        self.objects.insert(key.clone(), body);
        Outcome::Done(Some(Box::new(seen)))
    }

    /// Somebody changes an object, and the watch tells.
    pub fn change(&mut self, key: &ObjectKey, change: impl FnOnce(&mut Json)) {
        self.change_alone(key, change);
        self.settle();
    }

    /// The same, and no other watch has passed that.
    pub fn change_alone(&mut self, key: &ObjectKey, change: impl FnOnce(&mut Json)) {
        self.version += 1;
        let object = self.objects.get_mut(key).unwrap();
        change(object);
        object["metadata"]["resourceVersion"] = self.version.to_string().into();
        let event = if is_selected(object) {
            seen(object)
        } else {
            WatchEvent::ObjectGone(key.clone(), ResourceVersion(self.version))
        };
        let watch = WatchKey::Ours(key.kind, key.namespace.clone());
        self.tell(watch, event);
    }

    /// Somebody takes an object away, finalizer and all.
    pub fn take_away(&mut self, key: &ObjectKey) {
        self.version += 1;
        self.objects.remove(key);
        let watch = WatchKey::Ours(key.kind, key.namespace.clone());
        let event = WatchEvent::ObjectGone(key.clone(), ResourceVersion(self.version));
        self.tell(watch, event);
    }

    /// A watch tells something.
    pub fn tell(&mut self, watch: WatchKey, event: WatchEvent) {
        self.input(Input::Watch(watch, event));
        self.rest();
    }

    pub fn of(&self, kind: ObjectKind) -> Vec<ObjectKey> {
        let keys = self.objects.keys().filter(|key| key.kind == kind);
        keys.cloned().collect()
    }

    /// The state of the experiment `a`, and all that is said of it.
    pub fn status(&self) -> (String, String) {
        let mut all = self.reconciler.statuses();
        let (_, status) = all
            .find(|(id, _)| id.kind == DocumentKind::Experiment)
            .unwrap();
        let words = status.message.iter().chain(&status.findings);
        let words: Vec<String> = words.cloned().collect();
        (status.state.clone(), words.join("\n"))
    }
}

fn refused(message: &str) -> Outcome {
    Outcome::Refused(ServerWords {
        code: 403,
        reason: "Forbidden".into(),
        message: message.into(),
    })
}

/// Whether the watch of ours shows it.
fn is_selected(object: &Json) -> bool {
    object["metadata"]["labels"][marks::INSTANCE] == "i"
}

fn seen(object: &Json) -> WatchEvent {
    WatchEvent::Object(Box::new(fact(object, "i").unwrap()))
}

fn node(name: &str) -> WatchEvent {
    let node = NodeFact {
        name: name.into(),
        ready: true,
        schedulable: true,
        out_of_service: false,
        taints: Vec::new(),
        labels: Vec::new(),
        allocatable: vec![SlotRequest {
            resource: "nvidia.com/gpu".into(),
            millis: 8000,
        }],
    };
    WatchEvent::Node(node, ResourceVersion(1))
}
