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
pub fn explain(node: &Node, shape: &Shape, layers: &[Layer], under: &str) -> Vec<Explained> {
    list_leaves(node, shape)
        .into_iter()
        .filter(|leaf| !matches!(leaf.path.last(), Some(Step::Count)))
        .map(|leaf| Explained {
            path: path_text(&leaf.path),
            value: leaf.shown,
            layer: layer_of(leaf.place, layers).to_owned(),
            place: (leaf.place.source != Place::ENGINE.source).then_some(leaf.place),
        })
        .filter(|field| is_under(&field.path, under))
        .collect()
}

fn is_under(path: &str, under: &str) -> bool {
    path.strip_prefix(under)
        .is_some_and(|rest| under.is_empty() || rest.is_empty() || rest.starts_with(['.', '[']))
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
}
