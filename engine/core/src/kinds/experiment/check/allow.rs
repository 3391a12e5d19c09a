//! What a tenant may use is what the Queue allows.

use crate::desired::Scope;
use crate::diagnostic::{Code, Diagnostic};
use crate::kinds::Queue;
use crate::kinds::experiment::{Experiment, ValueSource, Variable};
use crate::kinds::pod::{Use, uses};
use crate::object::{Node, Place};

/// Everything that the document's own layer and variables use is allowed. The layers of
/// `PodDefaults` and `Queue` are the administrators' own.
pub(super) fn check(document: &Experiment, scope: &Scope) -> Vec<Diagnostic> {
    let Some(queue) = &scope.queue else {
        return Vec::new();
    };
    let pulled = |name: &String| {
        stands_in(scope.cluster.at(&["spec", "imagePullSecrets"]))
            || scope.cluster.spec.image_pull_secrets.contains(name)
    };
    let own = document.pod().map_or_else(Vec::new, uses);
    own.into_iter()
        .chain(variables(document))
        .filter(|(one, _)| !matches!(one, Use::Secret(name) if pulled(name)))
        .filter_map(|(one, place)| refuse(queue, &one, place))
        .collect()
}

fn variables(document: &Experiment) -> Vec<(Use, Place)> {
    let mut found = Vec::new();
    for (name, variable) in &document.spec.environment.variables {
        if let Variable::From {
            value_from: ValueSource::SecretKeyRef(key),
        } = variable
        {
            let path = [
                "spec",
                "environment",
                "variables",
                name,
                "valueFrom",
                "secretKeyRef",
                "name",
            ];
            found.push((Use::Secret(key.name.clone()), document.place(&path)));
        }
    }
    found
}

/// What stands in for a list that is at fault says nothing.
fn stands_in(list: Option<&Node>) -> bool {
    list.is_some_and(|list| list.place == Place::ENGINE)
}

fn refuse(queue: &Queue, one: &Use, place: Place) -> Option<Diagnostic> {
    let allow = &queue.spec.allow;
    let said = |list: &[String], field: &str, name: &String| {
        list.contains(name) || stands_in(queue.at(&["spec", "allow", field]))
    };
    let (allowed, what, field) = match one {
        Use::ServiceAccount(name) => (
            said(&allow.service_accounts, "serviceAccounts", name),
            format!("the service account `{name}`"),
            format!("add `{name}` to `allow.serviceAccounts`"),
        ),
        Use::PriorityClass(name) => (
            said(&allow.priority_classes, "priorityClasses", name),
            format!("the priority class `{name}`"),
            format!("add `{name}` to `allow.priorityClasses`"),
        ),
        Use::Secret(name) => (
            said(&allow.secrets, "secrets", name),
            format!("the Secret `{name}`"),
            format!("add `{name}` to `allow.secrets`"),
        ),
        Use::Claim(name) => (
            said(&allow.claims, "claims", name),
            format!("the claim `{name}`"),
            format!("add `{name}` to `allow.claims`"),
        ),
        Use::HostPath(path) => (
            allow.host_paths.iter().any(|folder| is_below(path, folder))
                || stands_in(queue.at(&["spec", "allow", "hostPaths"])),
            format!("the folder `{path}` of the node"),
            "add it, or a folder above it, to `allow.hostPaths`".to_owned(),
        ),
        Use::Host(field) => (
            allow.host_network,
            format!("`{field}`"),
            "say `allow.hostNetwork: true`".to_owned(),
        ),
        Use::Privileged(field) => (
            allow.privileged,
            format!("`{field}`"),
            "say `allow.privileged: true`".to_owned(),
        ),
        Use::Volume(kind) => (
            said(&allow.volumes, "volumes", kind),
            format!("volumes of the kind `{kind}`"),
            format!("add `{kind}` to `allow.volumes`"),
        ),
        Use::Unknown(field) => return Some(unknown(field, place)),
    };
    (!allowed).then(|| {
        let cause = format!("the queue `{}` does not allow {what}", queue.name());
        Diagnostic::error(Code::NotAllowedByQueue, place, cause)
            .related(queue.place(&["spec", "allow"]), "the queue")
            .help(format!("{field} of the queue, or leave it out"))
    })
}

fn unknown(field: &str, place: Place) -> Diagnostic {
    let cause = format!("Berth does not know yet what a pod reaches through `{field}`");
    Diagnostic::error(Code::NotAllowedByQueue, place, cause)
        .help("leave it out, or let an administrator set it in `PodDefaults` or the queue's `pod`")
}

/// Whether a path is a folder or below it, without any way out.
fn is_below(path: &str, folder: &str) -> bool {
    let parts = |text: &str| -> Vec<String> {
        text.split('/')
            .filter(|part| !part.is_empty() && *part != ".")
            .map(ToOwned::to_owned)
            .collect()
    };
    let (path, folder) = (parts(path), parts(folder));
    !path.iter().any(|part| part == "..") && path.starts_with(&folder)
}
