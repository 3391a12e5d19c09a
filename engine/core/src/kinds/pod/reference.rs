//! The page that says of every pod field whose it is.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use berth_openapi::{Shape, facts};

use super::table::{BY_QUEUE, OWNED, Part};

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
    page
}

fn rows(path: &str, part: Part, kind: &str) -> BTreeMap<String, (&'static str, String)> {
    let mut rows = BTreeMap::new();
    if let Some(Shape::Object(fields)) = facts().type_named(kind) {
        for field in fields.fields.keys() {
            rows.insert(field.clone(), ("free", String::new()));
        }
    }
    for (field, allow) in BY_QUEUE {
        if let Some(below) = field
            .strip_prefix(path)
            .and_then(|rest| rest.strip_prefix('.'))
        {
            let container = below.starts_with("containers[]");
            if !container {
                rows.insert(below.to_owned(), ("queue", format!("`{allow}`")));
            }
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
    fn every_field_that_asks_the_queue_is_one_of_kubernetes() {
        for (field, _) in BY_QUEUE {
            let path = field.replace("[]", ".[]");
            let path: Vec<&str> = path.split('.').collect();
            assert!(
                facts().at("io.k8s.api.core.v1.Pod", &path).is_some(),
                "{field}"
            );
        }
    }
}
