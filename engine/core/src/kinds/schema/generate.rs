//! Types -> JSON Schema 2020-12.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};

use super::not_built;
use crate::ids::DocumentKind;
use crate::kinds::cluster::ClusterSpec;
use crate::kinds::experiment::ExperimentSpec;
use crate::kinds::pod_defaults::PodDefaultsSpec;
use crate::kinds::queue::QueueSpec;
use crate::kinds::{API_VERSION, Metadata};

const DRAFT: &str = "https://json-schema.org/draft/2020-12/schema";

/// All schemas by the name of their file: one a kind, and `document.json` for any kind.
pub fn all() -> Vec<(String, Value)> {
    let mut files: Vec<(String, Value)> = DocumentKind::BUILT
        .into_iter()
        .map(|kind| (file_name(kind), of_kind(kind)))
        .collect();
    files.push(("document.json".to_owned(), any_kind()));
    files
}

/// The schema of one kind; `true` for kinds that are not built.
pub(super) fn of_kind(kind: DocumentKind) -> Value {
    match kind {
        DocumentKind::Cluster => {
            document::<ClusterSpec>(kind, "Identity and rules of one cluster.")
        }
        DocumentKind::PodDefaults => {
            document::<PodDefaultsSpec>(kind, "What every pod starts from.")
        }
        DocumentKind::Queue => {
            document::<QueueSpec>(kind, "A resource pool: who may use how much of a cluster.")
        }
        DocumentKind::Experiment => document::<ExperimentSpec>(
            kind,
            "A program, the slots that it runs on, and what to do when it ends.",
        ),
        _ => Value::Bool(true),
    }
}

/// `PodDefaults` is in `pod-defaults.json`.
fn file_name(kind: DocumentKind) -> String {
    let mut name = String::new();
    for (at, letter) in kind.as_str().char_indices() {
        if letter.is_ascii_uppercase() && at > 0 {
            name.push('-');
        }
        name.push(letter.to_ascii_lowercase());
    }
    name + ".json"
}

fn any_kind() -> Value {
    let branches: Vec<Value> = DocumentKind::BUILT
        .into_iter()
        .map(|kind| {
            json!({
                "if": {"properties": {"kind": {"const": kind.as_str()}}},
                "then": {"$ref": file_name(kind)},
            })
        })
        .collect();
    json!({
        "$schema": DRAFT,
        "title": "Berth document",
        "description": "Any document of a Berth state repository.",
        "type": "object",
        "properties": {
            "apiVersion": {"const": API_VERSION},
            "kind": {"enum": DocumentKind::BUILT.map(DocumentKind::as_str)},
        },
        "required": ["apiVersion", "kind", "metadata", "spec"],
        "allOf": branches,
    })
}

fn document<S: JsonSchema>(kind: DocumentKind, description: &str) -> Value {
    let settings = SchemaSettings::draft2020_12().for_deserialize();
    let mut generator = SchemaGenerator::new(settings);
    let metadata = generator.subschema_for::<Metadata>();
    let spec = generator.subschema_for::<S>();
    let mut definitions = generator.take_definitions(true);
    for (name, sentence) in not_built::FIELDS
        .iter()
        .map(|(owner, field, sentence)| ((owner, field), sentence))
    {
        refuse(&mut definitions, name.0, name.1, sentence);
    }
    let mut schema = json!({
        "$schema": DRAFT,
        "title": kind.as_str(),
        "description": description,
        "type": "object",
        "properties": {
            "apiVersion": {"const": API_VERSION, "description": "The version of these documents."},
            "kind": {"const": kind.as_str(), "description": "The kind of this document."},
            "metadata": metadata,
            "spec": spec,
        },
        "required": ["apiVersion", "kind", "metadata", "spec"],
        "additionalProperties": false,
        "$defs": definitions,
    });
    tidy(&mut schema);
    schema
}

/// Says in the schema itself that a field is not built yet.
fn refuse(definitions: &mut Map<String, Value>, owner: &str, field: &str, sentence: &str) {
    let fields = definitions
        .get_mut(owner)
        .and_then(|definition| definition.get_mut("properties"))
        .and_then(Value::as_object_mut);
    if let Some(fields) = fields {
        fields.insert(
            field.to_owned(),
            json!({"not": {}, "description": sentence}),
        );
    }
}

/// An optional field is left out, never null: takes `null` out of what is allowed, and what only
/// Rust knows.
fn tidy(schema: &mut Value) {
    match schema {
        Value::Object(map) => {
            if let Some(Value::Array(types)) = map.get_mut("type") {
                types.retain(|name| name != "null");
                if let [only] = types.as_slice() {
                    let only = only.clone();
                    map.insert("type".to_owned(), only);
                }
            }
            if let Some(one) = the_other(map.get("anyOf")) {
                map.remove("anyOf");
                map.extend(one);
            }
            map.retain(|key, value| match key.as_str() {
                "default" => !value.is_null(),
                // A width of integers in Rust says nothing to an editor.
                "format" => !value
                    .as_str()
                    .is_some_and(|format| format.starts_with("uint")),
                _ => true,
            });
            map.values_mut().for_each(tidy);
        }
        Value::Array(items) => items.iter_mut().for_each(tidy),
        _ => {}
    }
}

/// The branch beside `null`.
fn the_other(branches: Option<&Value>) -> Option<Map<String, Value>> {
    match branches?.as_array()?.as_slice() {
        [Value::Object(one), null] if null["type"] == "null" => Some(one.clone()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sentence_has_its_place() {
        let all: Vec<Value> = all().into_iter().map(|(_, schema)| schema).collect();
        for (owner, field, sentence) in not_built::FIELDS {
            let path = format!("/$defs/{owner}/properties/{field}/description");
            assert!(
                all.iter()
                    .any(|schema| schema.pointer(&path) == Some(&json!(sentence))),
                "{path}"
            );
        }
        for (owner, ..) in not_built::VALUES {
            let path = format!("/$defs/{owner}/oneOf");
            assert!(
                all.iter().any(|schema| schema.pointer(&path).is_some()),
                "{path}"
            );
        }
    }

    #[test]
    fn every_field_is_described() {
        for (file, schema) in all() {
            let definitions = schema["$defs"].as_object().cloned().unwrap_or_default();
            for (owner, definition) in definitions {
                let fields = definition["properties"]
                    .as_object()
                    .cloned()
                    .unwrap_or_default();
                for (field, schema) in fields {
                    let described =
                        schema.get("description").is_some() || schema.get("$ref").is_some();
                    assert!(described, "{file}: {owner}.{field}");
                }
            }
        }
    }
}
