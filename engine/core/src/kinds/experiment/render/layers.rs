//! The layers of a pod that people write.

use std::collections::BTreeMap;

use berth_openapi::{Shape, facts};
use serde_json::json;

use super::build::{map, map_of, take};
use crate::desired::Scope;
use crate::ids::Digest;
use crate::kinds::experiment::{Experiment, size::has_gpus};
use crate::object::{Layer, Node, digest, merge};

/// The shape of a pod.
pub fn pod_shape() -> &'static Shape {
    facts()
        .type_named("io.k8s.api.core.v1.Pod")
        .unwrap_or(&Shape::Any)
}

/// One layer: its name in `outdated`, how people call it, and what it says.
struct Named<'a> {
    name: &'static str,
    title: String,
    node: Option<&'a Node>,
}

fn named<'a>(document: &'a Experiment, scope: &'a Scope) -> [Named<'a>; 3] {
    let [of_defaults, of_queue, own] = nodes(document, scope);
    let gpu = has_gpus(document, &scope.cluster.spec);
    let device = if gpu { "gpu" } else { "cpu" };
    let (defaults, queue) = (scope.pod_defaults.as_deref(), scope.queue.as_deref());
    let title = |kind: &str, name: Option<String>| format!("{kind}/{}", name.unwrap_or_default());
    [
        Named {
            name: "PodDefaults",
            title: format!(
                "{} {device}",
                title("PodDefaults", defaults.map(|it| it.name().to_string()))
            ),
            node: of_defaults,
        },
        Named {
            name: "Queue",
            title: title("Queue", queue.map(|it| it.name().to_string())),
            node: of_queue,
        },
        Named {
            name: "Experiment",
            title: title("Experiment", Some(document.name().to_string())),
            node: own,
        },
    ]
}

/// The layers that people write, the lowest first.
pub fn nodes<'a>(document: &'a Experiment, scope: &'a Scope) -> [Option<&'a Node>; 3] {
    let gpu = has_gpus(document, &scope.cluster.spec);
    let defaults = scope.pod_defaults.as_ref();
    let queue = scope.queue.as_ref();
    [
        defaults.and_then(|it| it.layer(gpu)),
        queue.and_then(|it| it.pod()),
        document.pod(),
    ]
}

/// All layers that people write, merged: `PodDefaults` < `Queue` < the document's labels and
/// annotations < its `pod`. Only `metadata` and `spec` are in it.
pub fn merged(document: &Experiment, scope: &Scope) -> Node {
    let [defaults, queue, own] = nodes(document, scope);
    let labels = metadata(document);
    [defaults, queue, Some(&labels), own]
        .into_iter()
        .flatten()
        .fold(base(), |below, layer| {
            merge(&below, &plain(layer), pod_shape())
        })
}

/// What the layers say of these fields of the spec, merged: a part of [`merged`] that costs less.
pub fn fields(document: &Experiment, scope: &Scope, names: &[&str]) -> Node {
    let parts = |layer: &Node| {
        let spec = layer.get("spec")?;
        let said = names
            .iter()
            .map(|name| Some((*name, spec.get(name)?.clone())));
        Some(map([("spec", map_of(said.flatten()))]))
    };
    nodes(document, scope)
        .into_iter()
        .filter_map(|layer| parts(layer?))
        .fold(map([]), |below, layer| merge(&below, &layer, pod_shape()))
}

/// What every pod starts from, before anybody says anything: no rights in the cluster.
fn base() -> Node {
    Node::engine(&json!({"spec": {
        "automountServiceAccountToken": false,
        "enableServiceLinks": false,
    }}))
}

fn metadata(document: &Experiment) -> Node {
    let copied = ["labels", "annotations"]
        .into_iter()
        .filter_map(|name| Some((name, document.at(&["metadata", name])?.clone())));
    map([("metadata", map_of(copied))])
}

/// A pasted pod without its `apiVersion` and `kind`.
fn plain(layer: &Node) -> Node {
    let mut layer = layer.clone();
    take(&mut layer, "apiVersion");
    take(&mut layer, "kind");
    layer
}

/// The document's labels and annotations, in `outdated`.
pub const LABELS: &str = "labels";

/// Short digests of what the pods of an attempt are rendered from and that may change within a
/// run, by layer, for `outdated`: `PodDefaults`, `Queue`, `Experiment`, [`LABELS`] and `Cluster`.
pub fn digests(document: &Experiment, scope: &Scope) -> BTreeMap<String, String> {
    let empty = map([]);
    let mut digests: BTreeMap<String, String> = named(document, scope)
        .iter()
        .map(|layer| (layer.name, of(&plain(layer.node.unwrap_or(&empty)))))
        .map(|(name, digest)| (name.to_owned(), digest.short()))
        .collect();
    let own = json!({
        "pod": digests.get("Experiment"),
        "shm": document.spec.resources.shm_size,
        "storage": document.spec.checkpoint_storage.as_ref().map(|it| &it.uri),
    });
    digests.insert("Experiment".into(), of(&Node::engine(&own)).short());
    digests.insert("Cluster".into(), cluster(document, scope).short());
    digests.insert(LABELS.into(), of(&metadata(document)).short());
    digests
}

fn of(node: &Node) -> Digest {
    digest("layer/v1", node, pod_shape())
}

fn cluster(document: &Experiment, scope: &Scope) -> Digest {
    let spec = &scope.cluster.spec;
    let own_image = document.spec.image.is_some();
    let own_storage = document.spec.checkpoint_storage.is_some();
    let slots = super::super::size::request(document.spec.resources.slots_per_trial, spec);
    let rewrites: Vec<_> = spec
        .registry_rewrites
        .iter()
        .map(|it| (&it.from, &it.to))
        .collect();
    let storage = spec.checkpoint_storage.as_ref().map(|it| &it.uri);
    of(&Node::engine(&json!({
        "images": (!own_image).then_some([&spec.images.cpu, &spec.images.gpu]),
        "rewrites": rewrites,
        "pullSecrets": spec.image_pull_secrets,
        "storage": storage.filter(|_| !own_storage),
        "slots": slots.map(|it| (it.resource, it.millis)),
    })))
}

/// The stretches of text that the fields of a pod come from, for `explain`.
pub fn sources(document: &Experiment, scope: &Scope) -> Vec<Layer> {
    let mut layers: Vec<Layer> = named(document, scope)
        .into_iter()
        .filter_map(|layer| {
            Some(Layer {
                name: layer.title,
                place: layer.node?.place,
            })
        })
        .collect();
    layers.push(Layer {
        name: format!("Experiment/{}", document.name()),
        place: document.source.place,
    });
    layers.push(Layer {
        name: format!("Cluster/{}", scope.cluster.name()),
        place: scope.cluster.source.place,
    });
    layers
}
