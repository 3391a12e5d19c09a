//! What the schema of an `Experiment` cannot say.

mod allow;
mod amounts;
mod annotations;
mod exec;
mod memory;
mod named;
mod program;
mod shell;
mod size;
mod whole;

use super::Experiment;
use super::render::layer_nodes;
use crate::desired::Scope;
use crate::diagnostic::Diagnostic;
use crate::kinds::pod;
use crate::object::{Node, Place};

/// What is wrong with an experiment whatever it refers to.
pub(in crate::kinds) fn alone(document: &Experiment) -> Vec<Diagnostic> {
    let mut findings = document
        .pod()
        .map_or_else(Vec::new, |layer| pod::check(layer, "spec.pod"));
    findings.extend(program::entrypoint(document));
    findings.extend(exec::check(document));
    findings.extend(program::hyperparameters(document));
    findings.extend(annotations::hyperparameters(document));
    findings.extend(program::variables(document));
    findings.extend(program::labels(document));
    findings.extend(program::storage(document));
    findings
}

/// What is wrong with an experiment within its cluster, queue and pod defaults; without a queue
/// only what does not depend on it, and nothing that a layer of which nothing is known could mend.
pub(in crate::kinds) fn within(document: &Experiment, scope: &Scope) -> Vec<Diagnostic> {
    let mut findings = Vec::from_iter(size::image(document, scope));
    findings.extend(shell::line(document));
    findings.extend(size::slot_resource(document, scope));
    findings.extend(annotations::together(document, scope));
    findings.extend(memory::check(document, scope));
    findings.extend(amounts::check(document, scope));
    let has_own_size = document.spec.resources.max_slots_per_pod.is_some();
    if scope.queue.is_some() || has_own_size {
        findings.extend(size::check(document, scope));
    }
    findings.extend(allow::check(document, scope));
    findings.extend(named::check(document, scope));
    findings.extend(whole::check(document, scope));
    findings
}

/// The layers of the pod, the uppermost first.
fn layers<'a>(document: &'a Experiment, scope: &'a Scope) -> Vec<&'a Node> {
    let layers = layer_nodes(document, scope).into_iter();
    layers.rev().flatten().collect()
}

/// Whether nothing is known of a layer, as a stand-in is there for one that is at fault: what the
/// others do not say may come from it.
fn is_partial(document: &Experiment, scope: &Scope) -> bool {
    let layers = layer_nodes(document, scope).into_iter().flatten();
    scope.queue.is_none() || layers.into_iter().any(|layer| layer.place == Place::ENGINE)
}
