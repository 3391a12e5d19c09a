//! Which nodes the pods of an experiment may go to.

use super::Experiment;
use super::render::merged_layers;
use crate::desired::Scope;
use crate::kinds::Toleration;
use crate::object::Node;

/// What the layers of a pod say of its place.
#[derive(Debug, Clone)]
pub struct Placing {
    /// Labels that the node must have.
    pub node_selector: Vec<(Box<str>, Box<str>)>,
    /// Taints that the node may have.
    pub tolerations: Vec<Toleration>,
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

/// As Kubernetes reads them: without an operator the value must be equal, and an absent one is empty.
/// What other operators would take only a scheduler can tell.
fn tolerations(pod: &Node) -> Vec<Toleration> {
    let items = pod
        .at(&["spec", "tolerations"])
        .map_or(&[][..], Node::items);
    let text = |item: &Node, name: &str| -> Box<str> {
        let text = item.get(name).and_then(Node::as_str);
        text.unwrap_or_default().into()
    };
    let equal = |item: &Node| matches!(&*text(item, "operator"), "" | "Equal");
    items
        .iter()
        .map(|item| Toleration {
            key: text(item, "key"),
            value: equal(item).then(|| text(item, "value")),
            effect: text(item, "effect"),
        })
        .collect()
}
