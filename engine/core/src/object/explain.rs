//! Which layer and line each field of a rendered object came from.

use std::collections::BTreeMap;

use berth_openapi::Shape;

use super::leaves::{Leaf, Step, list_leaves, path_text};
use super::{Node, Place};

/// One layer of a rendered object, for [`explain`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layer {
    /// As people call it, such as `PodDefaults/default gpu` or `Queue/vision`.
    pub name: String,
    /// The stretch of text that holds it.
    pub place: Place,
}

/// One field, explained.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explained {
    /// The path, as people read it.
    pub path: String,
    /// The value, as JSON.
    pub value: String,
    /// The layer; `engine` for what Berth sets itself.
    pub layer: String,
    /// The line; `None` for what stands in no file.
    pub place: Option<Place>,
}

/// For each leaf of a rendered object whose path begins with `under` (all for an empty text): its
/// value, layer and place. Of layers that hold a place the narrowest is its layer.
///
/// In `under` an item of a list is written as in the paths, `containers[name=task].image`, by the
/// value of its key, `containers[task].image` or `containers.task.image`, by its number from 0,
/// `containers[0].image`, or left out, which means all items. Keys that are numbers go first. A field
/// may stand in brackets too, `annotations[example.com/a]`, and of several keys one is enough: so
/// drift is written.
pub fn explain(node: &Node, shape: &Shape, layers: &[Layer], under: &str) -> Vec<Explained> {
    let mut leaves = list_leaves(node, shape);
    leaves.retain(|leaf| !matches!(leaf.path.last(), Some(Step::Count)));
    let numbers = Numbers::of(&leaves);
    leaves
        .iter()
        .filter(|leaf| is_under(&leaf.path, &numbers.in_path(&leaf.path), under))
        .map(|leaf| explained_by(leaf, layers))
        .collect()
}

fn explained_by(leaf: &Leaf, layers: &[Layer]) -> Explained {
    Explained {
        path: path_text(&leaf.path),
        value: leaf.shown.clone(),
        layer: layer_of(leaf.place, layers).to_owned(),
        place: (leaf.place.source != Place::ENGINE.source).then_some(leaf.place),
    }
}

/// The items of keyed lists in their order, by the path of their list.
struct Numbers(BTreeMap<Vec<Step>, Vec<Step>>);

impl Numbers {
    fn of(leaves: &[Leaf]) -> Self {
        let mut lists: BTreeMap<Vec<Step>, Vec<Step>> = BTreeMap::new();
        for leaf in leaves {
            for (list, step) in items(&leaf.path) {
                let items = lists.entry(list.to_vec()).or_default();
                if !items.contains(step) {
                    items.push(step.clone());
                }
            }
        }
        Self(lists)
    }

    /// The number of each step that is an item, unless it is the key of one of the list.
    fn in_path(&self, path: &[Step]) -> Vec<Option<String>> {
        let mut numbers = vec![None; path.len()];
        for (list, step) in items(path) {
            let items = self.0.get(list).map_or(&[][..], Vec::as_slice);
            let number = items.iter().position(|item| item == step);
            let number = number.map(|number| number.to_string());
            let is_key = |text: &String| items.iter().any(|it| keys(it).any(|key| key == text));
            if let Some(place) = numbers.get_mut(list.len()) {
                *place = number.filter(|number| !is_key(number));
            }
        }
        numbers
    }
}

/// The items of keyed lists in a path, each with the path of its list.
fn items(path: &[Step]) -> impl Iterator<Item = (&[Step], &Step)> {
    let steps = path.iter().enumerate();
    let items = steps.filter(|(_, step)| matches!(step, Step::Item(_)));
    items.map(|(at, step)| (path.get(..at).unwrap_or_default(), step))
}

/// The values of the keys of an item.
fn keys(item: &Step) -> impl Iterator<Item = &str> {
    let keys = match item {
        Step::Item(keys) => keys.as_slice(),
        _ => &[],
    };
    keys.iter().map(|(_, value)| value.trim_matches('"'))
}

/// The keys of an item with their names: `port=80`.
fn named(item: &Step) -> impl Iterator<Item = String> {
    let keys = match item {
        Step::Item(keys) => keys.as_slice(),
        _ => &[],
    };
    let one = |(name, value): &(String, String)| format!("{name}={}", value.trim_matches('"'));
    keys.iter().map(one)
}

/// Whether a path begins with what is left of the text.
fn is_under(path: &[Step], numbers: &[Option<String>], text: &str) -> bool {
    if text.is_empty() {
        return true;
    }
    let Some(((step, rest), (number, numbers))) = path.split_first().zip(numbers.split_first())
    else {
        return false;
    };
    let below = |left: &str| is_under(rest, numbers, left);
    let after = |name: &str| {
        let left = text.strip_prefix('.').unwrap_or(text).strip_prefix(name);
        left.is_some_and(|left| (left.is_empty() || left.starts_with(['.', '['])) && below(left))
    };
    let bracket = |item: &str| text.strip_prefix(&format!("[{item}]")).is_some_and(below);
    let written = || text.strip_prefix(&*path_text(std::slice::from_ref(step)));
    match step {
        Step::Field(name) => after(name) || bracket(name),
        Step::Item(_) | Step::Index(_) | Step::Count => {
            written().is_some_and(below)
                || keys(step).any(|key| after(key) || bracket(key))
                || named(step).any(|key| bracket(&key))
                || number.as_deref().is_some_and(bracket)
                || below(text)
        }
    }
}

fn layer_of(place: Place, layers: &[Layer]) -> &str {
    layers
        .iter()
        .filter(|layer| holds(layer.place, place))
        .min_by_key(|layer| layer.place.span.end - layer.place.span.start)
        .map_or("engine", |layer| &layer.name)
}

fn holds(outer: Place, inner: Place) -> bool {
    outer.source == inner.source
        && outer.span.start <= inner.span.start
        && inner.span.start < outer.span.end
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::object::{SourceId, Span};

    fn place(source: u32, start: u32, end: u32) -> Place {
        Place {
            source: SourceId(source),
            span: Span {
                start,
                end,
                line: start,
                column: 1,
            },
        }
    }

    #[test]
    fn each_field_has_its_layer_and_line() {
        let document = Node::from_json(&json!({"spec": {"a": 1, "b": [1, 2]}}), place(1, 55, 60));
        let engine = Node::engine(&json!({"spec": {"c": 3}}));
        let node = super::super::merge(&document, &engine, &Shape::Any);
        let layers = [
            Layer {
                name: "Experiment".into(),
                place: place(1, 0, 100),
            },
            Layer {
                name: "Experiment pod".into(),
                place: place(1, 50, 90),
            },
            Layer {
                name: "Queue".into(),
                place: place(2, 0, 100),
            },
        ];
        let lines: Vec<String> = explain(&node, &Shape::Any, &layers, "")
            .iter()
            .map(|field| {
                format!(
                    "{} {} {} {:?}",
                    field.path,
                    field.value,
                    field.layer,
                    field.place.map(|p| p.span.line)
                )
            })
            .collect();
        assert_eq!(
            lines,
            [
                "spec.a 1 Experiment pod Some(55)",
                "spec.b[0] 1 Experiment pod Some(55)",
                "spec.b[1] 2 Experiment pod Some(55)",
                "spec.c 3 engine None",
            ]
        );
        assert_eq!(explain(&node, &Shape::Any, &layers, "spec.b").len(), 2);
        assert_eq!(explain(&node, &Shape::Any, &layers, "spec.").len(), 0);
    }

    /// As drift is written: a field with dots in brackets, an item by one of its keys.
    #[test]
    fn what_drift_names_is_found() {
        let pod = Node::engine(&json!({
            "metadata": {"annotations": {"example.com/a.b": "1", "plain": "2"}},
            "spec": {"containers": [{"name": "task", "ports": [
                {"containerPort": 80, "protocol": "TCP"}, {"containerPort": 81, "protocol": "TCP"},
            ]}]},
        }));
        let shape = berth_openapi::facts()
            .type_named("io.k8s.api.core.v1.Pod")
            .unwrap();
        let found = |path: &str| explain(&pod, shape, &[], path).len();
        let table = [
            ("metadata.annotations[example.com/a.b]", 1),
            ("metadata.annotations.example.com/a.b", 1),
            ("metadata.annotations[example.com/a]", 0),
            ("metadata.annotations[plain]", 1),
            ("spec.containers[name=task].ports[containerPort=80]", 2),
            (
                "spec.containers[name=task].ports[containerPort=81].protocol",
                1,
            ),
            ("spec.containers[name=task].ports[containerPort=8]", 0),
        ];
        for (path, count) in table {
            assert_eq!(found(path), count, "{path}");
        }
    }

    #[test]
    fn an_item_is_named_by_its_key_by_the_keys_value_or_not_at_all() {
        let pod = Node::engine(&json!({"spec": {
            "containers": [{"name": "task", "image": "a"}, {"name": "log", "image": "b"}],
            "initContainers": [{"name": "get", "ports": [{"containerPort": 1}, {"containerPort": 2}]}],
            "tolerations": [{"key": "gpu"}],
        }}));
        let shape = berth_openapi::facts()
            .type_named("io.k8s.api.core.v1.Pod")
            .unwrap();
        let found = |under: &str| -> Vec<String> {
            let fields = explain(&pod, shape, &[], under);
            fields.into_iter().map(|field| field.path).collect()
        };
        let image = "spec.containers[name=task].image";
        for under in [
            image,
            "spec.containers.task.image",
            ".spec.containers[name=task].image",
        ] {
            assert_eq!(found(under), [image], "{under}");
        }
        let log = ["spec.containers[name=log].image"];
        assert_eq!(found("spec.containers[task].image"), [image]);
        assert_eq!(found("spec.containers[0].image"), [image]);
        assert_eq!(found("spec.containers[1].image"), log);
        assert_eq!(found("spec.containers[1]").len(), 2);
        // The port 1, not the second one.
        let port =
            "spec.initContainers[name=get].ports[containerPort=1,protocol=TCP].containerPort";
        assert_eq!(found("spec.initContainers[0].ports[1]"), [port]);
        assert_eq!(found("spec.containers.image").len(), 2);
        assert_eq!(found("spec.containers.log").len(), 2);
        assert_eq!(found("spec.tolerations.key"), ["spec.tolerations[0].key"]);
        for under in [
            "spec.containers.tas",
            "spec.containers[2]",
            "spec.containers[0",
            "spec.containers[tas].image",
            "spec.container",
            "spec.containers.task.",
            "x",
        ] {
            assert_eq!(found(under), [] as [&str; 0], "{under}");
        }
    }
}
