//! Which layer and line each field of a rendered object came from.

use berth_openapi::Shape;

use super::leaves::{Step, list_leaves, path_text};
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
/// In `under` an item of a list is written as in the paths, `containers[name=task].image`, or by
/// the value of its key, `containers.task.image`, or left out, which means all items.
pub fn explain(node: &Node, shape: &Shape, layers: &[Layer], under: &str) -> Vec<Explained> {
    list_leaves(node, shape)
        .into_iter()
        .filter(|leaf| !matches!(leaf.path.last(), Some(Step::Count)))
        .filter(|leaf| is_under(&leaf.path, under))
        .map(|leaf| Explained {
            path: path_text(&leaf.path),
            value: leaf.shown,
            layer: layer_of(leaf.place, layers).to_owned(),
            place: (leaf.place.source != Place::ENGINE.source).then_some(leaf.place),
        })
        .collect()
}

/// Whether a path begins with what is left of the text.
fn is_under(path: &[Step], text: &str) -> bool {
    if text.is_empty() {
        return true;
    }
    let Some((step, rest)) = path.split_first() else {
        return false;
    };
    let after = |name: &str| {
        let left = text.strip_prefix('.').unwrap_or(text).strip_prefix(name);
        left.is_some_and(|left| {
            (left.is_empty() || left.starts_with(['.', '['])) && is_under(rest, left)
        })
    };
    match step {
        Step::Field(name) => after(name),
        Step::Index(_) | Step::Item(_) | Step::Count => {
            let written = path_text(std::slice::from_ref(step));
            let named = match step {
                Step::Item(keys) => keys.iter().any(|(_, value)| after(value.trim_matches('"'))),
                _ => false,
            };
            let bracket = text.strip_prefix(&*written);
            bracket.is_some_and(|left| is_under(rest, left)) || named || is_under(rest, text)
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

    #[test]
    fn an_item_is_named_by_its_key_by_the_keys_value_or_not_at_all() {
        let pod = Node::engine(&json!({"spec": {
            "containers": [{"name": "task", "image": "a"}, {"name": "log", "image": "b"}],
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
        assert_eq!(found("spec.containers.image").len(), 2);
        assert_eq!(found("spec.containers.log").len(), 2);
        assert_eq!(found("spec.tolerations.key"), ["spec.tolerations[0].key"]);
        for under in [
            "spec.containers.tas",
            "spec.container",
            "spec.containers.task.",
            "x",
        ] {
            assert_eq!(found(under), [] as [&str; 0], "{under}");
        }
    }
}
