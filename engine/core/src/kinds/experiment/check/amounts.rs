//! What a container asks for fits what it may have.

use std::collections::BTreeSet;

use berth_openapi::Quantity;

use super::layers;
use crate::desired::Scope;
use crate::diagnostic::{Code, Diagnostic};
use crate::kinds::experiment::Experiment;
use crate::kinds::pod::task_of;
use crate::object::{Node, Value};

/// No request of the task is above its limit once all layers are put together, if the document
/// itself says one of the two: the server would refuse every pod (its page "Resource Management for
/// Pods and Containers").
pub(super) fn check(document: &Experiment, scope: &Scope) -> Vec<Diagnostic> {
    let Some(own) = document.pod() else {
        return Vec::new();
    };
    let layers = layers(document, scope);
    let named: BTreeSet<&str> = ["limits", "requests"]
        .into_iter()
        .filter_map(|part| task_of(own)?.at(&["resources", part]))
        .flat_map(Node::entries)
        .map(|(key, _)| &*key.name)
        .collect();
    let said = named.into_iter().filter_map(|name| above(&layers, name));
    said.collect()
}

/// The uppermost request of a resource, if it is above the uppermost limit.
fn above(layers: &[&Node], name: &str) -> Option<Diagnostic> {
    let uppermost = |part: &str| {
        let mut found = layers
            .iter()
            .filter_map(|layer| task_of(layer)?.at(&["resources", part, name]));
        let node = found.next()?;
        Some((amount(node)?, node))
    };
    let ((request, asked), (limit, most)) = (uppermost("requests")?, uppermost("limits")?);
    (request > limit).then(|| {
        let cause = format!("a request of {request} of `{name}` is above the limit of {limit}");
        Diagnostic::error(Code::OutOfRange, asked.place, cause)
            .related(most.place, "the limit")
            .help("lower the request, also if a layer below says it, or raise the limit")
    })
}

/// An amount of a resource; `None` if it is none, which is told elsewhere.
pub(super) fn amount(node: &Node) -> Option<Quantity> {
    match &node.value {
        Value::String(text) => text.parse().ok(),
        Value::Number(number) => number.to_string().parse().ok(),
        _ => None,
    }
}
