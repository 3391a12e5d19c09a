//! Which nodes the pods of an experiment may go to.

use super::Experiment;
use super::render::merged_layers;
use crate::desired::Scope;
use crate::object::Node;
use crate::observed::Taint;

/// What the layers of a pod say of its place.
#[derive(Debug, Clone)]
pub struct Placing {
    /// Labels that the node must have.
    pub node_selector: Vec<(Box<str>, Box<str>)>,
    /// Taints that the node may have.
    pub tolerations: Vec<Taint>,
}

impl Placing {
    /// Merges the layers and reads it from them.
    pub fn of(document: &Experiment, scope: &Scope) -> Self {
        let merged = merged_layers(document, scope);
        Self {
            node_selector: node_selector(&merged),
            tolerations: tolerations(&merged),
        }
    }
}

fn node_selector(pod: &Node) -> Vec<(Box<str>, Box<str>)> {
    let entries = pod
        .at(&["spec", "nodeSelector"])
        .map_or(&[][..], Node::entries);
    let pairs = entries.iter();
    pairs
        .filter_map(|(key, value)| Some((key.name.clone(), value.as_str()?.into())))
        .collect()
}

/// An absent value or effect is an empty one, and stands for all of them.
fn tolerations(pod: &Node) -> Vec<Taint> {
    let items = pod
        .at(&["spec", "tolerations"])
        .map_or(&[][..], Node::items);
    let text = |item: &Node, name: &str| {
        item.get(name)
            .and_then(Node::as_str)
            .unwrap_or_default()
            .into()
    };
    items
        .iter()
        .map(|item| Taint {
            key: text(item, "key"),
            value: text(item, "value"),
            effect: text(item, "effect"),
        })
        .collect()
}
