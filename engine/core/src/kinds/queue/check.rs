//! What the schema of a `Queue` cannot say.

use super::Queue;
use crate::diagnostic::{Code, Diagnostic, closest};
use crate::kinds::{Cluster, pod};
use crate::object::Node;

/// What is wrong with a queue alone.
pub(in crate::kinds) fn alone(queue: &Queue) -> Vec<Diagnostic> {
    let mut findings = queue
        .pod()
        .map_or_else(Vec::new, |layer| pod::check(layer, "spec.pod"));
    let kinds = pod::volume_kinds();
    let allowed = queue.at(&["spec", "allow", "volumes"]);
    for kind in allowed.map_or(&[][..], Node::items) {
        let name = kind.as_str().unwrap_or_default();
        if !kinds.contains(&name) {
            let cause = format!("there is no kind of volume `{name}` to allow");
            let help = match closest(name, kinds.iter().copied()) {
                Some(close) => format!("did you mean `{close}`?"),
                None => format!("the kinds are {}", kinds.join(", ")),
            };
            findings.push(Diagnostic::error(Code::OutOfRange, kind.place, cause).help(help));
        }
    }
    findings
}

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
