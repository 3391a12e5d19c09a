//! The page that says of every pod field whose it is.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use berth_openapi::{Shape, facts};

use super::guard::{Others, Rule, guard};
use super::table::{OWNED, Part};

/// The text of `docs/reference/pod-fields.md`.
pub fn reference() -> String {
    let mut page = String::from(
        "# Whose a pod field is\n\n\
         Made from the code: `make schema` writes it.\n\n\
         A field in a layer of a pod (`PodDefaults`, `Queue.spec.pod`, `Experiment.spec.pod`) is **free**, \
         **owned** by Berth (refused with its line), or asks the **queue** (an experiment may set it if \
         the Queue's `allow` says so; `PodDefaults` and `Queue` may always set it).\n",
    );
    let tables = [
        (
            "Metadata",
            "metadata",
            Part::Metadata,
            "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta",
        ),
        ("Spec", "spec", Part::Spec, "io.k8s.api.core.v1.PodSpec"),
        (
            "The container `task`",
            "spec.containers[]",
            Part::Task,
            "io.k8s.api.core.v1.Container",
        ),
        (
            "Other containers",
            "spec.containers[]",
            Part::Sidecar,
            "io.k8s.api.core.v1.Container",
        ),
    ];
    for (title, path, part, kind) in tables {
        let _ = write!(page, "\n## {title}\n\n| Field | Whose | |\n|---|---|---|\n");
        for (field, (whose, words)) in rows(path, part, kind) {
            let _ = writeln!(page, "| `{field}` | {whose} | {words} |");
        }
    }
    page.push_str(
        "\n## What asks the queue\n\nKinds of volumes, and fields through which a pod reaches a \
         secret, a claim, the node or more rights. Init containers are as containers. A field that a \
         later Kubernetes adds to these types is refused until Berth knows it.\n\n\
         | Field | Granted by |\n|---|---|\n",
    );
    for (field, allow) in by_queue() {
        let _ = writeln!(page, "| `{field}` | {allow} |");
    }
    page
}

/// The fields that a Queue must allow, by path.
fn by_queue() -> BTreeMap<String, String> {
    let mut rows = BTreeMap::new();
    let spec = Shape::Ref("io.k8s.api.core.v1.PodSpec".to_owned());
    asking("spec", &spec, &mut rows);
    rows
}

fn asking(path: &str, shape: &Shape, into: &mut BTreeMap<String, String>) {
    let guard = guard(shape);
    match facts().resolve(shape) {
        Shape::Object(fields) => {
            for (name, field) in &fields.fields {
                let below = format!("{path}.{name}");
                if ["spec.initContainers", "spec.ephemeralContainers"].contains(&&*below) {
                    continue;
                }
                let rule = guard.and_then(|guard| guard.rule(name).ok()?);
                if let Some(rule) = rule {
                    into.insert(below.clone(), grant(rule, name));
                }
                let is_free = |guard: &super::guard::Guard| guard.free.contains(&&**name);
                let is_volume =
                    guard.is_some_and(|it| it.others == Others::Volumes && !is_free(it));
                if !is_volume || name == "ephemeral" {
                    asking(&below, &field.shape, into);
                }
            }
        }
        Shape::List { item, .. } => asking(&format!("{path}[]"), item, into),
        _ => {}
    }
}

fn grant(rule: Rule, field: &str) -> String {
    match rule {
        Rule::PrivilegedIf(value) => format!("`allow.privileged`, for `{value}`"),
        Rule::Volume => format!("`allow.volumes: [{field}]`, and what it names"),
        rule => format!("`allow.{}`", rule.allow()),
    }
}

fn rows(path: &str, part: Part, kind: &str) -> BTreeMap<String, (&'static str, String)> {
    let mut rows = BTreeMap::new();
    if let Some(Shape::Object(fields)) = facts().type_named(kind) {
        for field in fields.fields.keys() {
            rows.insert(field.clone(), ("free", String::new()));
        }
    }
    for (field, allow) in by_queue() {
        let below = field.strip_prefix(path);
        let below = below.and_then(|rest| rest.strip_prefix('.'));
        if let Some(below) = below.filter(|it| rows.contains_key(*it)) {
            rows.insert(below.to_owned(), ("queue", allow));
        }
    }
    for (_, field, instead) in OWNED.iter().filter(|(of, ..)| *of == part) {
        rows.insert((*field).to_owned(), ("owned", (*instead).to_owned()));
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_owned_field_is_one_of_kubernetes() {
        for (part, field, _) in OWNED {
            let path: &[&str] = match part {
                Part::Metadata => &["metadata"],
                Part::Spec => &["spec"],
                Part::Task | Part::Sidecar => &["spec", "containers", "[]"],
            };
            let path: Vec<&str> = path.iter().copied().chain([*field]).collect();
            assert!(
                facts().at("io.k8s.api.core.v1.Pod", &path).is_some(),
                "{field}"
            );
        }
    }

    #[test]
    fn what_asks_the_queue_is_listed() {
        let rows = by_queue();
        for (field, allow) in [
            ("spec.hostNetwork", "hostNetwork"),
            ("spec.volumes[].hostPath.path", "hostPaths"),
            ("spec.volumes[].csi", "volumes: [csi]"),
            (
                "spec.containers[].env[].valueFrom.secretKeyRef.name",
                "secrets",
            ),
            (
                "spec.volumes[].projected.sources[].serviceAccountToken",
                "serviceAccounts",
            ),
        ] {
            assert!(rows[field].contains(allow), "{field}: {}", rows[field]);
        }
    }
}
