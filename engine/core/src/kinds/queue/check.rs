//! What the schema of a `Queue` cannot say.

use super::Queue;
use crate::diagnostic::{Code, Diagnostic};
use crate::kinds::Cluster;

/// What is wrong with a queue within its cluster.
pub(in crate::kinds) fn within(queue: &Queue, cluster: &Cluster) -> Vec<Diagnostic> {
    let place = queue.place(&["spec", "namespace"]);
    let namespace = &queue.spec.namespace;
    if *namespace == cluster.spec.namespace {
        let cause = format!("`{namespace}` is the namespace that Berth itself lives in");
        return vec![
            Diagnostic::error(Code::ReservedNamespace, place, cause)
                .related(cluster.place(&["spec", "namespace"]), "said here")
                .help("give the queue a namespace of its own"),
        ];
    }
    if namespace.as_str().starts_with("kube-") {
        let cause = format!("`{namespace}` is a namespace of Kubernetes itself");
        let finding = Diagnostic::error(Code::ReservedNamespace, place, cause);
        return vec![finding.help("give the queue a namespace of its own")];
    }
    Vec::new()
}
