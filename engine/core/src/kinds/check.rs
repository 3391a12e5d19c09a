//! What a schema cannot say: checks of a document alone, and within what it refers to.
//!
//! Neither looks at the cluster, the ledger or the clock: whether a commit is valid does not
//! depend on them.

use super::{Document, cluster, experiment, pod, queue};
use crate::desired::Scope;
use crate::diagnostic::Diagnostic;

/// What is wrong with a document whatever it refers to: errors all, as a document with any of them
/// is not valid. Warnings come from [`within`].
pub(crate) fn alone(document: &Document) -> Vec<Diagnostic> {
    match document {
        Document::Cluster(it) => cluster::check::alone(it),
        Document::PodDefaults(it) => [("spec.cpu", it.layer(false)), ("spec.gpu", it.layer(true))]
            .into_iter()
            .filter_map(|(path, layer)| Some(pod::check(layer?, path)))
            .flatten()
            .collect(),
        Document::Queue(it) => queue::check::alone(it),
        Document::Experiment(it) => experiment::check::alone(it),
    }
}

/// What is wrong with a document within what it refers to.
pub(crate) fn within(document: &Document, scope: &Scope) -> Vec<Diagnostic> {
    match document {
        Document::Cluster(_) | Document::PodDefaults(_) => Vec::new(),
        Document::Queue(it) => queue::check::within(it, &scope.cluster),
        Document::Experiment(it) => experiment::check::within(it, scope),
    }
}
