//! A reconciler on a cluster that does what it is told: what is held, and what an upgrade changes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value as Json, json};

use super::{
    Anchor, Effect, FieldDrift, Identity, Input, Options, Outcome, Reconciler, Role, ServerWords,
    WatchEvent, WatchKey, What,
};
use crate::desired::Desired;
use crate::desired::fixture::{Repository, experiment};
use crate::ids::{
    CommitId, DocumentKind, Name, ObjectKey, ObjectKind, ResourceVersion, Timestamp, Uid,
};
use crate::ledger::Ledger;
use crate::observed::{NodeFact, SlotRequest, fact, marks};

const GANG: &str = "  resources: {slotsPerTrial: 16}\n";

struct World {
    reconciler: Reconciler,
    objects: BTreeMap<ObjectKey, Json>,
    branch: BTreeMap<String, Vec<u8>>,
    commits: u8,
    now: Timestamp,
    version: u64,
    /// What was done to the cluster, such as `create Pod vision/a`.
    done: Vec<String>,
    nodes: Vec<&'static str>,
    refuses_deletes: bool,
}

impl World {
    /// With two nodes of 8 slots.
    fn new(desired: &Desired) -> Self {
        let mut world = Self {
            reconciler: Reconciler::new(Options::new(Name::new("lab").unwrap())),
            objects: BTreeMap::new(),
            branch: BTreeMap::new(),
            commits: 0,
            now: Timestamp::from_millis(1_000_000_000),
            version: 1,
            done: Vec::new(),
            nodes: vec!["n1", "n2"],
            refuses_deletes: false,
        };
        world.start(desired);
        world
    }

    /// A daemon begins on what there is.
    fn start(&mut self, desired: &Desired) {
        self.begin(desired);
        self.settle();
    }

    /// A daemon begins and has seen nothing yet.
    fn begin(&mut self, desired: &Desired) {
        self.reconciler = Reconciler::new(Options::new(Name::new("lab").unwrap()));
        self.done.clear();
        for input in [self.leads(), Input::Snapshot(Arc::new(desired.clone()))] {
            self.reconciler.input(self.now, input);
        }
        self.read_outside();
    }

    fn leads(&self) -> Input {
        let until = self.now.plus(Duration::from_hours(100));
        Input::Role(Role::Leader { until })
    }

    fn read_outside(&mut self) {
        let files: Vec<_> = self.branch.clone().into_iter().collect();
        let tip = (self.commits > 0).then(|| CommitId::from_bytes([self.commits; 20]));
        let identity = Identity {
            cluster: Name::new("lab").unwrap(),
            instance: "i".into(),
            cluster_uid: "u".into(),
        };
        let anchor = Anchor {
            identity,
            status: tip,
            next: None,
            namespaces: BTreeSet::from(["vision".to_owned()]),
            uid: Uid("anchor".into()),
            version: ResourceVersion(1),
        };
        for input in [
            Input::Identity {
                cluster_uid: "u".into(),
                anchor: Some(anchor),
                anchor_in_branch: true,
                others: Vec::new(),
                fresh_instance: "i".into(),
            },
            Input::Spill {
                data: BTreeMap::new(),
                version: None,
            },
            Input::Ledger(Ledger::read(tip, &files)),
        ] {
            self.reconciler.input(self.now, input);
        }
    }

    fn listed(&mut self) {
        self.list(|_| true);
    }

    fn list(&mut self, which: impl Fn(&WatchKey) -> bool) {
        for key in self.reconciler.watches().into_iter().filter(which) {
            let mut events = vec![WatchEvent::Started];
            match &key {
                WatchKey::Nodes => events.extend(self.nodes.iter().map(|name| node(name))),
                WatchKey::Ours(kind, namespace) => {
                    let ours = self.objects.iter();
                    let ours =
                        ours.filter(|(it, _)| it.kind == *kind && it.namespace == *namespace);
                    events.extend(ours.map(|(_, object)| seen(object)));
                }
                WatchKey::Occupants => {}
            }
            events.push(WatchEvent::Complete(ResourceVersion(self.version)));
            for event in events {
                self.reconciler
                    .input(self.now, Input::Watch(key.clone(), event));
            }
        }
    }

    /// Until nothing is to be done.
    fn settle(&mut self) {
        self.listed();
        self.rest();
    }

    /// The same, and nothing is listed anew.
    fn rest(&mut self) {
        for _ in 0..100 {
            if !self.turn() && self.reconciler.due().is_none_or(|due| due > self.now) {
                return;
            }
        }
        panic!("it does not come to rest: {:?}", self.done);
    }

    /// One step, a second later; true if something was to be done.
    fn turn(&mut self) -> bool {
        self.now = self.now.plus(Duration::from_secs(1));
        let effects = self.reconciler.step(self.now);
        for effect in &effects {
            let outcome = self.carry(effect);
            self.reconciler
                .input(self.now, Input::Done(effect.id, outcome));
        }
        !effects.is_empty()
    }

    fn carry(&mut self, effect: &Effect) -> Outcome {
        self.version += 1;
        match &effect.what {
            What::Create { key, body, .. } => {
                self.done.push(format!("create {key}"));
                self.put(key, body.clone())
            }
            What::Apply {
                key,
                body,
                dry_run: false,
                ..
            } => {
                self.done.push(format!("apply {key}"));
                self.put(key, body.clone())
            }
            What::Apply { key, .. } | What::Inspect { key, .. } => {
                let field = FieldDrift {
                    path: "data".into(),
                    live: Some("other".into()),
                    desired: None,
                    manager: None,
                    when: None,
                };
                let fact = fact(&self.objects[key], "i").unwrap();
                Outcome::Compared(vec![field], Box::new(fact))
            }
            What::Delete { .. } if self.refuses_deletes => Outcome::Refused(ServerWords {
                code: 403,
                reason: "Forbidden".into(),
                message: "no right to delete".into(),
            }),
            What::Delete { key, .. } => {
                self.done.push(format!("delete {key}"));
                self.objects.remove(key);
                Outcome::Done(None)
            }
            What::Release { key, .. } => {
                self.done.push(format!("release {key}"));
                Outcome::Done(None)
            }
            What::Record { files, .. } => {
                for (path, text) in files {
                    match text {
                        Some(text) => self.branch.insert(path.clone(), text.clone().into_bytes()),
                        None => self.branch.remove(path),
                    };
                }
                self.commits += 1;
                Outcome::Recorded(CommitId::from_bytes([self.commits; 20]))
            }
            What::Keep { .. } => Outcome::Kept(ResourceVersion(self.version)),
            What::Tell { .. } => Outcome::Done(None),
            What::Reload => {
                self.read_outside();
                Outcome::Done(None)
            }
        }
    }

    fn put(&mut self, key: &ObjectKey, mut body: Json) -> Outcome {
        let meta = &mut body["metadata"];
        meta["uid"] = format!("{key}").into();
        meta["resourceVersion"] = self.version.to_string().into();
        meta["creationTimestamp"] = "1970-01-12T13:46:40Z".into();
        let seen = fact(&body, "i").unwrap();
        self.objects.insert(key.clone(), body);
        Outcome::Done(Some(Box::new(seen)))
    }

    /// Somebody changes an object, and the watch tells.
    fn change(&mut self, key: &ObjectKey, change: impl FnOnce(&mut Json)) {
        self.change_alone(key, change);
        self.settle();
    }

    /// The same, and no other watch has passed that.
    fn change_alone(&mut self, key: &ObjectKey, change: impl FnOnce(&mut Json)) {
        self.version += 1;
        let object = self.objects.get_mut(key).unwrap();
        change(object);
        object["metadata"]["resourceVersion"] = self.version.to_string().into();
        let event = seen(object);
        let watch = WatchKey::Ours(key.kind, key.namespace.clone());
        self.tell(watch, event);
    }

    fn tell(&mut self, watch: WatchKey, event: WatchEvent) {
        self.reconciler.input(self.now, Input::Watch(watch, event));
        self.rest();
    }

    fn of(&self, kind: ObjectKind) -> Vec<ObjectKey> {
        let keys = self.objects.keys().filter(|key| key.kind == kind);
        keys.cloned().collect()
    }

    /// The state of the experiment `a`, and all that is said of it.
    fn status(&self) -> (String, String) {
        let mut all = self.reconciler.statuses();
        let (_, status) = all
            .find(|(id, _)| id.kind == DocumentKind::Experiment)
            .unwrap();
        let words = status.message.iter().chain(&status.findings);
        let words: Vec<String> = words.cloned().collect();
        (status.state.clone(), words.join("\n"))
    }
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

fn runs_on(name: &str) -> impl FnOnce(&mut Json) + '_ {
    move |pod| {
        pod["spec"]["nodeName"] = name.into();
        pod["status"] = json!({"phase": "Running", "startTime": "1970-01-12T13:46:41Z"});
    }
}

/// A gang of two pods that runs.
fn running() -> (Repository, World) {
    let mut repository = Repository::new();
    repository.put("a.yaml", &experiment("a", GANG));
    let mut world = World::new(&repository.load().unwrap());
    for (pod, node) in world.of(ObjectKind::Pod).iter().zip(["n1", "n2"]) {
        world.change(pod, runs_on(node));
    }
    assert_eq!(world.status().0, "Running");
    assert_eq!(world.done.len(), 3, "{:?}", world.done);
    world.done.clear();
    (repository, world)
}

#[test]
fn what_is_held_is_told_to_differ_and_neither_corrected_nor_deleted() {
    let (mut repository, mut world) = running();
    let service = world.of(ObjectKind::Service).remove(0);
    let drift = |world: &World| -> Vec<(String, bool)> {
        let entries = world.reconciler.drift();
        entries.map(|it| (it.object.clone(), it.held)).collect()
    };
    world.change(&service, |object| {
        object["metadata"]["annotations"][marks::HOLD] = "kim looks at it".into();
        object["spec"]["publishNotReadyAddresses"] = false.into();
    });
    assert_eq!(world.done, [] as [&str; 0]);
    assert_eq!(drift(&world), [(service.to_string(), true)]);
    let held = format!("`berth.dev/hold` on {service} stops all work on it");
    assert_eq!(world.status(), ("Running".to_owned(), held.clone()));

    // A commit that takes the document away takes all away but what is held.
    repository.files.remove("a.yaml");
    let desired = Arc::new(repository.load().unwrap());
    world
        .reconciler
        .input(world.now, Input::Snapshot(Arc::clone(&desired)));
    world.settle();
    assert!(world.done.len() > 1, "{:?}", world.done);
    let touched = |world: &World| {
        world
            .done
            .iter()
            .any(|it| it.contains(&service.to_string()))
    };
    assert!(!touched(&world), "{:?}", world.done);
    assert!(world.status().1.contains(&held), "{:?}", world.status());

    world.change(&service, |object| {
        let annotations = object["metadata"]["annotations"].as_object_mut();
        annotations.unwrap().remove(marks::HOLD);
    });
    assert_eq!(world.done.last().unwrap(), &format!("delete {service}"));
    assert!(!world.status().1.contains(&held), "{:?}", world.status());
}

#[test]
fn what_is_held_is_corrected_once_it_is_let_go() {
    let (_, mut world) = running();
    let service = world.of(ObjectKind::Service).remove(0);
    world.change(&service, |object| {
        object["metadata"]["annotations"][marks::HOLD] = "".into();
        object["spec"]["publishNotReadyAddresses"] = false.into();
    });
    assert_eq!(world.done, [] as [&str; 0]);
    world.change(&service, |object| {
        let annotations = object["metadata"]["annotations"].as_object_mut();
        annotations.unwrap().remove(marks::HOLD);
    });
    assert_eq!(world.done, [format!("apply {service}")]);
}

/// The version before made Services of another form, and pods that would get
/// another body today.
#[test]
fn an_upgrade_that_renders_differently_touches_nothing_that_runs() {
    let (mut repository, mut world) = running();
    for (key, object) in &mut world.objects {
        let other = "00".repeat(32);
        object["metadata"]["annotations"][marks::DIGEST] = other.into();
        match key.kind {
            ObjectKind::Pod => object["spec"]["terminationGracePeriodSeconds"] = 5.into(),
            ObjectKind::Service => object["spec"]["publishNotReadyAddresses"] = false.into(),
        }
    }
    let desired = repository.load().unwrap();
    world.start(&desired);
    assert_eq!(world.done, [] as [&str; 0]);
    assert_eq!(world.status().0, "Running");
}

/// A daemon that was killed left a Service; the next one has no room for the attempt yet, and may not
/// delete it. Once there is room it is wanted, and nothing is refused any more.
#[test]
fn a_refused_deletion_is_forgotten_once_the_object_is_wanted_again() {
    let (mut repository, mut world) = running();
    world
        .objects
        .retain(|key, _| key.kind == ObjectKind::Service);
    world.branch.clear();
    world.commits = 0;
    (world.nodes, world.refuses_deletes) = (Vec::new(), true);
    world.start(&repository.load().unwrap());
    let (_, words) = world.status();
    assert!(words.contains("no right to delete"), "{words}");

    world.nodes = vec!["n1", "n2"];
    world.now = world.now.plus(Duration::from_hours(1));
    world.settle();
    for (pod, node) in world.of(ObjectKind::Pod).iter().zip(["n1", "n2"]) {
        world.change(pod, runs_on(node));
    }
    assert_eq!(world.status(), ("Running".to_owned(), String::new()));
}

/// Another daemon may have written while this one did not hold the Lease, and its watches may lag:
/// it lists again before it makes anything.
#[test]
fn whoever_wins_the_lease_back_lists_again_first() {
    let (mut repository, mut world) = running();
    let tenure = world.reconciler.tenure();
    let follower = Input::Role(Role::Follower { holder: "b".into() });
    for role in [follower, world.leads()] {
        world.reconciler.input(world.now, role);
    }
    assert_eq!(world.reconciler.tenure(), tenure + 1);
    assert!(!world.reconciler.ready());
    repository.put(
        "b.yaml",
        &experiment("b", "  resources: {slotsPerTrial: 0}\n"),
    );
    let desired = repository.load().unwrap();
    world
        .reconciler
        .input(world.now, Input::Snapshot(Arc::new(desired)));
    assert!(world.turn(), "the branch is read again");
    world.turn();
    assert_eq!(world.done, [] as [&str; 0], "nothing was listed yet");
    world.settle();
    assert!(
        world.done.iter().any(|it| it.starts_with("create Pod")),
        "{:?}",
        world.done
    );
}

/// A node is deleted and made again, and a pod is bound to the new one. The watch of the pods tells
/// so before that of the nodes tells anything: the news that the old node went stops nothing.
#[test]
fn a_node_that_went_before_the_pod_came_stops_nothing() {
    let mut repository = Repository::new();
    repository.put("a.yaml", &experiment("a", GANG));
    let mut world = World::new(&repository.load().unwrap());
    let gone = WatchEvent::NodeGone("n1".into(), ResourceVersion(world.version));
    for (pod, node) in world.of(ObjectKind::Pod).iter().zip(["n1", "n2"]) {
        world.change_alone(pod, runs_on(node));
    }
    assert_eq!(world.status().0, "Running");
    world.done.clear();
    world.tell(WatchKey::Nodes, gone);
    assert_eq!(world.done, [] as [&str; 0]);
    assert_eq!(world.status().0, "Running");
    let version = ResourceVersion(world.version);

    // No new one came: the node went after all, and the gang is started again.
    let passed = WatchEvent::Passed(version);
    world.tell(WatchKey::Nodes, passed);
    assert!(!world.done.is_empty());
}

/// A daemon that died before it kept anything of a launch: the next one finds it by its pods.
#[test]
fn a_launch_that_was_never_kept_loses_nothing() {
    let mut repository = Repository::new();
    repository.put("a.yaml", &experiment("a", GANG));
    let desired = repository.load().unwrap();
    let mut world = World::new(&desired);
    world.branch.clear();
    world.commits = 0;
    // Its Service is seen before its pods are.
    world.begin(&desired);
    world.list(|watch| !matches!(watch, WatchKey::Ours(ObjectKind::Pod, _)));
    world.rest();
    world.settle();
    assert_eq!(world.done, [] as [&str; 0]);
}

/// What was made for a history that was rewritten since may go once that is allowed, though it is seen
/// only later, and the server's clock is an hour ahead of ours.
#[test]
fn a_rewrite_that_is_allowed_early_covers_what_is_seen_late() {
    let (mut repository, mut world) = running();
    for object in world.objects.values_mut() {
        let meta = &mut object["metadata"];
        meta["annotations"][marks::COMMIT] = CommitId::from_bytes([200; 20]).to_string().into();
        meta["creationTimestamp"] = world.now.plus(Duration::from_hours(1)).to_string().into();
    }
    world.begin(&repository.load().unwrap());
    // Something is recorded at last, though not all is seen.
    let commits = world.commits;
    for _ in 0..60 {
        world.turn();
    }
    assert!(world.commits > commits);
    repository.files.remove("a.yaml");
    repository.trailers = vec![("Berth-Allow-Rewrite".to_owned(), "yes".to_owned())];
    let desired = Arc::new(repository.load().unwrap());
    world.reconciler.input(world.now, Input::Snapshot(desired));
    world.turn();
    world.settle();
    assert_eq!(world.of(ObjectKind::Pod), []);
}
