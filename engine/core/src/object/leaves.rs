//! The leaves of a value: each with a path that does not depend on the order of keyed lists.

use std::sync::Arc;

use berth_openapi::{Shape, facts};

use super::canonical::{below, scalar};
use super::list::{Items, items};
use super::{Node, Value};
use crate::ids::DigestWriter;

/// One step of a path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// A field of a map.
    Field(Box<str>),
    /// An item of a keyed list: its key fields and their values as JSON.
    Item(Vec<(String, String)>),
    /// An item of a list that is one value.
    Index(usize),
    /// How many entries something has that is owned as a whole.
    Count,
}

/// One leaf: a scalar, an empty map or list, or the size of what is owned as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leaf {
    /// Where it is.
    pub path: Vec<Step>,
    /// Its canonical text: equal exactly if the server holds the values to be equal.
    pub text: String,
    /// Its text as it was written, for people.
    pub shown: String,
    /// Where it came from.
    pub place: super::Place,
}

/// All leaves of a value, in the order of the text. `null` is no leaf.
pub fn list_leaves(node: &Node, shape: &Shape) -> Vec<Leaf> {
    let mut walk = Walk::default();
    walk.visit(node, shape);
    walk.leaves
}

/// Path hash and value hash of every leaf, sorted by path hash: of a desired body, and of what is
/// live. If every leaf of the desired body is among the live ones, nothing needs to be applied.
/// The place of an atomic list or map also holds its size, so that an addition shows.
pub fn leaves(node: &Node, shape: &Shape) -> Arc<[(u64, u64)]> {
    let mut hashes: Vec<(u64, u64)> = list_leaves(node, shape)
        .iter()
        .map(|leaf| (hash(&path_text(&leaf.path)), hash(&leaf.text)))
        .collect();
    hashes.sort_unstable();
    hashes.into()
}

/// Whether every wanted leaf is among the live ones; both sorted, as [`leaves`] gives them.
pub fn covers(live: &[(u64, u64)], wanted: &[(u64, u64)]) -> bool {
    wanted.iter().all(|leaf| live.binary_search(leaf).is_ok())
}

/// The path as people read it: `spec.ports[port=80,protocol=TCP].targetPort`.
pub fn path_text(path: &[Step]) -> String {
    let mut text = String::new();
    for step in path {
        match step {
            Step::Field(name) => {
                if !text.is_empty() {
                    text.push('.');
                }
                text.push_str(name);
            }
            Step::Item(keys) => text.push_str(&item_text(keys)),
            Step::Index(index) => {
                text.push('[');
                text.push_str(&index.to_string());
                text.push(']');
            }
            Step::Count => text.push_str("[#]"),
        }
    }
    text
}

fn item_text(keys: &[(String, String)]) -> String {
    let keys: Vec<String> = keys
        .iter()
        .map(|(name, value)| format!("{name}={}", value.trim_matches('"')))
        .collect();
    format!("[{}]", keys.join(","))
}

fn hash(text: &str) -> u64 {
    let mut writer = DigestWriter::new("leaf/v1");
    writer.field(text.as_bytes());
    let digest = writer.finish();
    let head = digest.as_bytes().first_chunk().copied();
    u64::from_le_bytes(head.unwrap_or_default())
}

#[derive(Default)]
struct Walk {
    path: Vec<Step>,
    leaves: Vec<Leaf>,
}

impl Walk {
    fn visit(&mut self, node: &Node, shape: &Shape) {
        let shape = facts().resolve(shape);
        match &node.value {
            Value::Null => {}
            Value::Map(entries) if entries.is_empty() => self.leaf(node, "{}".into()),
            Value::List(list) if list.is_empty() => self.leaf(node, "[]".into()),
            Value::Map(entries) => {
                if owned_whole(shape) {
                    self.count(node, entries.len());
                }
                for (key, item) in entries {
                    self.step(Step::Field(key.name.clone()), item, below(shape, &key.name));
                }
            }
            Value::List(list) => self.visit_list(node, list, shape),
            _ => self.leaf(node, scalar(node, shape)),
        }
    }

    fn visit_list(&mut self, node: &Node, list: &[Node], shape: &Shape) {
        let (kind, item_shape) = items(shape);
        if kind == Items::Atomic {
            self.count(node, list.len());
        }
        for (index, item) in list.iter().enumerate() {
            let step = kind
                .key_of(item, item_shape)
                .map_or(Step::Index(index), Step::Item);
            self.step(step, item, item_shape);
        }
    }

    fn step(&mut self, step: Step, node: &Node, shape: &Shape) {
        self.path.push(step);
        self.visit(node, shape);
        self.path.pop();
    }

    fn count(&mut self, node: &Node, count: usize) {
        self.path.push(Step::Count);
        self.leaf(node, count.to_string());
        self.path.pop();
    }

    fn leaf(&mut self, node: &Node, text: String) {
        let shown = match &node.value {
            Value::List(_) | Value::Map(_) => text.clone(),
            _ => node.to_json().to_string(),
        };
        self.leaves.push(Leaf {
            path: self.path.clone(),
            text,
            shown,
            place: node.place,
        });
    }
}

fn owned_whole(shape: &Shape) -> bool {
    match shape {
        Shape::Map { atomic, .. } => *atomic,
        Shape::Object(fields) => fields.atomic,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;

    fn service(spec: &Json) -> Arc<[(u64, u64)]> {
        let shape = facts().type_named("io.k8s.api.core.v1.Service").unwrap();
        leaves(&Node::engine(&json!({ "spec": spec })), shape)
    }

    #[test]
    fn what_the_server_adds_and_rewrites_is_in_sync() {
        let wanted = json!({"selector": {"a": "1"}, "ports": [{"port": 80}, {"port": 53, "protocol": "UDP"}]});
        let live = json!({"type": "ClusterIP", "selector": {"a": "1"}, "ports": [
            {"port": 53, "protocol": "UDP", "targetPort": 53},
            {"port": 80, "protocol": "TCP", "targetPort": 80}]});
        assert!(covers(&service(&live), &service(&wanted)));
    }

    #[test]
    fn changes_are_seen() {
        let wanted = json!({"selector": {"a": "1"}, "ports": [{"port": 80, "name": "x"}]});
        for live in [
            json!({"selector": {"a": "2"}, "ports": [{"port": 80, "name": "x"}]}),
            json!({"selector": {"a": "1", "b": "1"}, "ports": [{"port": 80, "name": "x"}]}),
            json!({"selector": {"a": "1"}, "ports": [{"port": 80, "name": "y"}]}),
            json!({"selector": {"a": "1"}, "ports": [{"port": 80, "name": "x", "protocol": "UDP"}]}),
            json!({"selector": {"a": "1"}}),
        ] {
            assert!(!covers(&service(&live), &service(&wanted)), "{live}");
        }
    }

    #[test]
    fn paths_are_readable() {
        let shape = facts().type_named("io.k8s.api.core.v1.Service").unwrap();
        let node = Node::engine(&json!({"spec": {"ports": [{"port": 80, "targetPort": "http"}]}}));
        let paths: Vec<String> = list_leaves(&node, shape)
            .iter()
            .map(|leaf| path_text(&leaf.path))
            .collect();
        assert_eq!(
            paths,
            [
                "spec.ports[port=80,protocol=TCP].port",
                "spec.ports[port=80,protocol=TCP].targetPort"
            ]
        );
    }
}
