//! The whole pod.

use serde_json::{Value as Json, json};

use super::build::{at, field_mut, items_mut, list, map, set, take, text};
use super::layers::{self, pod_shape};
use super::{HPARAMS_FOLDER, HPARAMS_NAME, PodRole, Subject, environment, image, order, rank};
use crate::kinds::experiment::{Entrypoint, Experiment, hyperparameters, size};
use crate::object::{Node, Place, Value, merge};
use crate::observed::marks::{FINALIZER, HYPERPARAMETERS, TASK};

const SPREAD: &str = "topologySpreadConstraints";
/// The folder that the program works in.
const WORK: &str = "/run/berth/work";
/// The volumes that Berth adds.
const WORK_VOLUME: &str = "berth-work";
const HPARAMS_VOLUME: &str = "berth-hparams";
const SHM_VOLUME: &str = "berth-shm";
/// Where a document says that it wants the last of them.
const SHM_SIZE: &[&str] = &["spec", "resources", "shmSize"];

/// All that people say of the pods of a trial: their layers, and the document's variables.
fn merged(subject: &Subject) -> Node {
    let layers = layers::merged(subject.document, subject.scope);
    let variables = in_task(map([("env", environment::own(subject))]));
    merge(&layers, &variables, pod_shape())
}

/// The body of one pod, every field with its place; without what the reconciler stamps. What is
/// of its rank alone, [`rank`](super::rank) knows too.
pub fn pod(subject: &Subject, role: &PodRole) -> Node {
    let mut pod = merge(&merged(subject), &engine(subject, role), pod_shape());
    if let Some(spec) = field_mut(&mut pod, "spec") {
        if role.pods > 1 {
            not_spread(spec);
        }
        order_variables(spec);
        sidecars_beside_the_task(spec);
        image::rewrite_all(spec, &subject.scope.cluster.spec.registry_rewrites);
    }
    set(&mut pod, "apiVersion", text("v1"));
    set(&mut pod, "kind", text("Pod"));
    pod
}

fn in_task(mut fields: Node) -> Node {
    set(&mut fields, "name", text(TASK));
    map([("spec", map([("containers", list([fields]))]))])
}

/// What Berth owns: it goes over everything.
fn engine(subject: &Subject, role: &PodRole) -> Node {
    let labels = subject.labels(Some(role));
    let key = subject.names().pod(role.attempt, role.rank);
    let metadata = json!({
        "name": key.name, "namespace": key.namespace, "labels": labels,
        "finalizers": [FINALIZER],
    });
    let mut spec = json!({ "restartPolicy": "Never" });
    if role.pods > 1 {
        spec["hostname"] = rank::host(role.rank).into();
        spec["subdomain"] = json!(subject.names().service(role.attempt).name);
    }
    let mut spec = Node::engine(&spec);
    set(&mut spec, "volumes", volumes(subject));
    set(&mut spec, "containers", list([task(subject, role)]));
    let secrets = &subject.scope.cluster.spec.image_pull_secrets;
    if !secrets.is_empty() {
        let place = subject.scope.cluster.place(&["spec", "imagePullSecrets"]);
        let named: Vec<Json> = secrets.iter().map(|name| json!({ "name": name })).collect();
        set(&mut spec, "imagePullSecrets", at(place, &named.into()));
    }
    let mut metadata = Node::engine(&metadata);
    set(&mut metadata, "annotations", annotations(subject.document));
    map([("metadata", metadata), ("spec", spec)])
}

/// The pods that a Service selects are replicas to the scheduler, which spreads them over nodes and
/// zones (`PodTopologySpread`, the default constraints) by counting them on all nodes, for each pod
/// anew. Ranks that talk to each other are no replicas. Constraints of a pod replace the default
/// ones, and this one counts no pods, as it has no selector.
fn not_spread(spec: &mut Node) {
    if field_mut(spec, SPREAD).is_none() {
        let none = json!([{
            "maxSkew": 1, "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "ScheduleAnyway",
        }]);
        set(spec, SPREAD, Node::engine(&none));
    }
}

fn order_variables(spec: &mut Node) {
    let containers = field_mut(spec, "containers").map(items_mut);
    let task = containers.into_iter().flatten().find(|it| is_task(it));
    if let Some(Value::List(variables)) = task
        .and_then(|task| field_mut(task, "env"))
        .map(|env| &mut env.value)
    {
        order::by_use(variables);
    }
}

fn is_task(container: &Node) -> bool {
    container.get("name").and_then(Node::as_str) == Some(TASK)
}

/// What the program reads as its file of hyperparameters, so that a pod needs no other object.
fn annotations(document: &Experiment) -> Node {
    let text = hyperparameters::file(&document.spec.hyperparameters);
    let said = document.at(&["spec", "hyperparameters"]);
    let place = said.map_or(Place::ENGINE, |node| node.place);
    map([(HYPERPARAMETERS, at(place, &text.into()))])
}

/// The names of the volumes that Berth adds to the pods of a document.
pub fn own_volumes(document: &Experiment) -> Vec<&'static str> {
    let shm = document.spec.resources.shm_size.is_some();
    let mut names = vec![WORK_VOLUME, HPARAMS_VOLUME];
    names.extend(shm.then_some(SHM_VOLUME));
    names
}

fn volumes(subject: &Subject) -> Node {
    let field = format!("metadata.annotations['{HYPERPARAMETERS}']");
    let file = json!({"path": HPARAMS_NAME, "fieldRef": {"fieldPath": field}});
    let mut volumes = vec![
        Node::engine(&json!({"name": WORK_VOLUME, "emptyDir": {}})),
        Node::engine(&json!({"name": HPARAMS_VOLUME, "downwardAPI": {"items": [file]}})),
    ];
    if let Some(size) = &subject.document.spec.resources.shm_size {
        let memory = json!({"medium": "Memory", "sizeLimit": size.as_str()});
        volumes.push(at(
            subject.document.place(SHM_SIZE),
            &json!({"name": SHM_VOLUME, "emptyDir": memory}),
        ));
    }
    list(volumes)
}

fn task(subject: &Subject, role: &PodRole) -> Node {
    let document = subject.document;
    let (image, place) = image::image(document, subject.scope);
    let mut task = map([
        ("name", text(TASK)),
        ("image", at(place, &image.into())),
        (
            "command",
            at(
                document.place(&["spec", "entrypoint"]),
                &command(subject).into(),
            ),
        ),
        ("workingDir", text(WORK)),
        ("env", environment::engine(subject, role)),
        ("volumeMounts", mounts(subject)),
        ("terminationMessagePolicy", text("FallbackToLogsOnError")),
    ]);
    if let Some(slots) = size::request(role.slots, &subject.scope.cluster.spec) {
        // The one slot of a document that says nothing of slots stands nowhere.
        let said = document.at(&["spec", "resources", "slotsPerTrial"]);
        let place = said.map_or(Place::ENGINE, |node| node.place);
        let amount = json!({&*slots.resource: quantity(slots.millis)});
        set(
            &mut task,
            "resources",
            at(place, &json!({"requests": amount, "limits": amount})),
        );
    }
    task
}

fn mounts(subject: &Subject) -> Node {
    let mut mounts = vec![
        Node::engine(&json!({"mountPath": WORK, "name": WORK_VOLUME})),
        Node::engine(
            &json!({"mountPath": HPARAMS_FOLDER, "name": HPARAMS_VOLUME, "readOnly": true}),
        ),
    ];
    if subject.document.spec.resources.shm_size.is_some() {
        let place = subject.document.place(SHM_SIZE);
        mounts.push(at(
            place,
            &json!({"mountPath": "/dev/shm", "name": SHM_VOLUME}),
        ));
    }
    list(mounts)
}

fn command(subject: &Subject) -> Vec<String> {
    let spec = &subject.document.spec;
    let fill = |word: &String| hyperparameters::substitute(word, &spec.hyperparameters);
    match &spec.entrypoint {
        Entrypoint::List(words) => words.iter().map(fill).collect(),
        Entrypoint::Shell(line) => vec!["/bin/sh".into(), "-c".into(), fill(line)],
    }
}

fn quantity(millis: u64) -> String {
    if millis.is_multiple_of(1000) {
        (millis / 1000).to_string()
    } else {
        format!("{millis}m")
    }
}

/// Containers beside the task become native sidecars: init containers that run on, which the
/// kubelet stops when the task has ended.
fn sidecars_beside_the_task(spec: &mut Node) {
    let Some(containers) = field_mut(spec, "containers") else {
        return;
    };
    let others: Vec<Node> = items_mut(containers)
        .iter()
        .filter(|container| !is_task(container))
        .cloned()
        .collect();
    if others.is_empty() {
        return;
    }
    if let Value::List(items) = &mut containers.value {
        items.retain(is_task);
    }
    let mut init = take(spec, "initContainers").unwrap_or_else(|| list([]));
    if let Value::List(items) = &mut init.value {
        items.extend(others.into_iter().map(|mut sidecar| {
            set(&mut sidecar, "restartPolicy", text("Always"));
            sidecar
        }));
    }
    set(spec, "initContainers", init);
}
