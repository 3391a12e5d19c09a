//! The types of kinds as OpenAPI documents hold them, for `kubectl explain`. The facts have no
//! descriptions.

use std::collections::{BTreeMap, BTreeSet};

use berth_openapi::{Fields, Shape, facts};
use serde_json::{Map, Value, json};

use crate::kinds::Kind;

/// The types of these kinds, and all that they refer to, by name.
pub(super) fn schemas<'a>(kinds: impl Iterator<Item = &'a Kind>) -> Map<String, Value> {
    let mut found = BTreeMap::new();
    let mut wanted = BTreeSet::new();
    for kind in kinds {
        let mut schema = match (&kind.custom, facts().type_named(&kind.type_name)) {
            (Some(custom), _) => custom.schema.clone(),
            (None, Some(shape)) => schema(shape, &mut wanted),
            (None, None) => continue,
        };
        if let Some(fields) = schema.as_object_mut() {
            let of = json!([{"group": kind.group, "version": kind.version, "kind": kind.kind}]);
            fields.insert("x-kubernetes-group-version-kind".to_owned(), of);
        }
        found.insert(name(kind), schema);
    }
    while let Some(name) = wanted.pop_first() {
        if let Some(shape) = facts().type_named(&name)
            && !found.contains_key(&name)
        {
            let schema = schema(shape, &mut wanted);
            found.insert(name, schema);
        }
    }
    found.into_iter().collect()
}

fn name(kind: &Kind) -> String {
    if kind.type_name.is_empty() {
        format!("{}.{}.{}", kind.group, kind.version, kind.kind)
    } else {
        kind.type_name.clone()
    }
}

/// A shape as a schema; the types that it names are wanted, too.
fn schema(shape: &Shape, wanted: &mut BTreeSet<String>) -> Value {
    match shape {
        Shape::String { format, values } => {
            let mut schema = typed("string", format.as_deref());
            if !values.is_empty() {
                schema["enum"] = json!(values);
            }
            schema
        }
        Shape::Integer { format } => typed("integer", format.as_deref()),
        Shape::Number => typed("number", None),
        Shape::Boolean => typed("boolean", None),
        Shape::Quantity => typed("string", None),
        Shape::IntOrString => typed("string", Some("int-or-string")),
        Shape::Time => typed("string", Some("date-time")),
        Shape::Object(fields) => object(fields, wanted),
        Shape::Map { value, .. } => {
            let value = schema(value, wanted);
            json!({"type": "object", "additionalProperties": value})
        }
        Shape::List { item, .. } => json!({"type": "array", "items": schema(item, wanted)}),
        Shape::Any => typed("object", None),
        Shape::Ref(name) => {
            wanted.insert(name.clone());
            json!({"allOf": [{"$ref": format!("#/components/schemas/{name}")}]})
        }
    }
}

fn typed(name: &str, format: Option<&str>) -> Value {
    let mut schema = json!({"type": name});
    if let Some(format) = format {
        schema["format"] = json!(format);
    }
    schema
}

fn object(fields: &Fields, wanted: &mut BTreeSet<String>) -> Value {
    let fields_of = fields.fields.iter();
    let properties: Map<String, Value> = fields_of
        .map(|(name, field)| (name.clone(), schema(&field.shape, wanted)))
        .collect();
    let mut schema = json!({"type": "object", "properties": properties});
    if !fields.required.is_empty() {
        schema["required"] = json!(fields.required);
    }
    schema
}
