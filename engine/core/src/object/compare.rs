//! What differs between the live object and what an apply would make of it, and who changed it.

use std::collections::BTreeMap;

use berth_openapi::Shape;
use serde_json::Value as Json;

use super::Node;
use super::leaves::{Leaf, Step, list_leaves, path_text};
use crate::reconciler::FieldDrift;

/// Longest value that a report shows.
const SHOWN: usize = 120;

/// The fields that differ between the live object and the server's answer to a dry-run apply,
/// sorted by path. What the server itself keeps (`metadata.managedFields`, `resourceVersion`,
/// `generation`, `uid`, `creationTimestamp`, `status`) does not count. The manager and time of a
/// field are those of the last other manager than `ours` that holds it in the live object.
pub fn compare(live: &Json, merged: &Json, shape: &Shape, ours: &str) -> Vec<FieldDrift> {
    let (before, after) = (fields(live, shape), fields(merged, shape));
    let mut paths: Vec<&Vec<Step>> = before.keys().chain(after.keys()).collect();
    paths.sort();
    paths.dedup();
    paths
        .into_iter()
        .filter(|path| {
            before.get(*path).map(|leaf| &leaf.text) != after.get(*path).map(|leaf| &leaf.text)
        })
        .map(|path| {
            let changed = manager(live, path, ours);
            FieldDrift {
                path: path_text(path),
                live: before.get(path).map(|leaf| shown(&leaf.shown)),
                desired: after.get(path).map(|leaf| shown(&leaf.shown)),
                manager: changed.as_ref().map(|(_, name)| name.clone()),
                when: changed.and_then(|(time, _)| time),
            }
        })
        .collect()
}

fn fields(object: &Json, shape: &Shape) -> BTreeMap<Vec<Step>, Leaf> {
    list_leaves(&Node::engine(object), shape)
        .into_iter()
        .filter(|leaf| !kept_by_server(&leaf.path))
        .map(|leaf| (leaf.path.clone(), leaf))
        .collect()
}

fn kept_by_server(path: &[Step]) -> bool {
    let field = |index: usize| match path.get(index) {
        Some(Step::Field(name)) => Some(&**name),
        _ => None,
    };
    match (field(0), field(1)) {
        (Some("status"), _) => true,
        (Some("metadata"), Some(name)) => matches!(
            name,
            "managedFields" | "resourceVersion" | "generation" | "uid" | "creationTimestamp"
        ),
        _ => false,
    }
}

/// A value as a report shows it: no longer than that.
pub(crate) fn shown(text: &str) -> String {
    if text.chars().count() <= SHOWN {
        return text.to_owned();
    }
    text.chars().take(SHOWN).chain(['\u{2026}']).collect()
}

/// Time and name of the last manager, other than ours, that owns the field.
fn manager(live: &Json, path: &[Step], ours: &str) -> Option<(Option<String>, String)> {
    let text = |entry: &Json, name: &str| entry[name].as_str().map(str::to_owned);
    live["metadata"]["managedFields"]
        .as_array()?
        .iter()
        .filter(|entry| entry["manager"] != ours && owns(&entry["fieldsV1"], path))
        .filter_map(|entry| Some((text(entry, "time"), text(entry, "manager")?)))
        .max()
}

/// Whether a set of fields, as `fieldsV1` writes it, holds this path or one above it.
fn owns(fields: &Json, path: &[Step]) -> bool {
    let Some(map) = fields.as_object() else {
        return false;
    };
    let Some((step, rest)) = path.split_first() else {
        return true;
    };
    match map.iter().find(|(name, _)| names(name, step)) {
        Some((_, below)) if below.as_object().is_some_and(serde_json::Map::is_empty) => true,
        Some((_, below)) => owns(below, rest),
        None => false,
    }
}

/// Whether a key of `fieldsV1` (`f:spec`, `k:{"port":80}`, `v:"text"`) is this step.
fn names(key: &str, step: &Step) -> bool {
    match (key.split_once(':'), step) {
        (Some(("f", name)), Step::Field(field)) => name == &**field,
        (Some(("v", value)), Step::Item(keys)) => {
            keys.iter().any(|(name, v)| name.is_empty() && v == value)
        }
        (Some(("k", json)), Step::Item(keys)) => {
            let wanted: BTreeMap<&str, &str> =
                keys.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
            serde_json::from_str::<BTreeMap<String, Json>>(json).is_ok_and(|found| {
                found.len() == wanted.len()
                    && found
                        .iter()
                        .all(|(k, v)| wanted.get(k.as_str()) == Some(&v.to_string().as_str()))
            })
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use berth_openapi::facts;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_report_names_field_values_manager_and_time() {
        let live = json!({
            "metadata": {"resourceVersion": "9", "labels": {"a": "1"}, "managedFields": [
                {"manager": "berth", "time": "2026-11-20T08:00:00Z", "fieldsV1": {"f:spec": {"f:ports": {"k:{\"port\":80,\"protocol\":\"TCP\"}": {".": {}, "f:port": {}}}}}},
                {"manager": "kubectl-edit", "time": "2026-11-20T09:00:00Z", "fieldsV1": {"f:spec": {"f:selector": {}, "f:ports": {"k:{\"port\":80,\"protocol\":\"TCP\"}": {"f:name": {}}}}}}
            ]},
            "spec": {"selector": {"run": "x"}, "ports": [{"port": 80, "protocol": "TCP", "name": "edited"}]}
        });
        let merged = json!({
            "metadata": {"resourceVersion": "10", "labels": {"a": "1", "b": "2"}},
            "spec": {"selector": {"run": "y"}, "ports": [{"port": 80, "protocol": "TCP", "name": "http"}]}
        });
        let shape = facts().type_named("io.k8s.api.core.v1.Service").unwrap();
        let found = compare(&live, &merged, shape, "berth");
        let lines: Vec<String> = found
            .iter()
            .map(|drift| {
                format!(
                    "{} {:?} -> {:?} by {:?} at {:?}",
                    drift.path, drift.live, drift.desired, drift.manager, drift.when
                )
            })
            .collect();
        assert_eq!(
            lines,
            [
                r#"metadata.labels.b None -> Some("\"2\"") by None at None"#,
                r#"spec.ports[port=80,protocol=TCP].name Some("\"edited\"") -> Some("\"http\"") by Some("kubectl-edit") at Some("2026-11-20T09:00:00Z")"#,
                r#"spec.selector.run Some("\"x\"") -> Some("\"y\"") by Some("kubectl-edit") at Some("2026-11-20T09:00:00Z")"#,
            ]
        );
        assert_eq!(compare(&live, &live, shape, "berth"), []);
    }
}
