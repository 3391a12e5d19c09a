//! What of a custom resource its definition's schema refuses, in the words of the API server.
//!
//! Left out: patterns, formats other than of numbers, and rules in CEL.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::cause::Cause;

/// One cause for each part of `object` that does not fit the structural schema; nulls are no parts.
pub fn invalid(object: &Value, schema: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    visit(object, schema, "", &mut causes);
    causes
}

fn visit(value: &Value, schema: &Value, path: &str, causes: &mut Vec<Cause>) {
    if value.is_null() {
        return;
    }
    if let Some(expected) = unexpected(value, schema) {
        let found = type_of(value);
        causes.push(Cause {
            reason: "FieldValueTypeInvalid",
            field: path.to_owned(),
            message: format!(
                "Invalid value: {found:?}: {path} in body must be of type {expected}: {found:?}"
            ),
        });
        return;
    }
    match value {
        Value::Object(_) => visit_object(value, schema, path, causes),
        Value::Array(items) => visit_list(items, schema, path, causes),
        Value::Number(_) => causes.extend(number(value, schema, path)),
        Value::String(text) => causes.extend(length(text, schema, path)),
        _ => {}
    }
    causes.extend(unsupported(value, schema, path));
}

fn visit_object(object: &Value, schema: &Value, path: &str, causes: &mut Vec<Cause>) {
    let inner = |name: &str| {
        if path.is_empty() {
            name.to_owned()
        } else {
            format!("{path}.{name}")
        }
    };
    for name in array(&schema["required"]).iter().filter_map(Value::as_str) {
        if object[name].is_null() {
            causes.push(Cause::required(&inner(name), ""));
        }
    }
    let fields = object.as_object().into_iter().flatten();
    for (name, value) in fields.clone() {
        let of = schema["properties"]
            .get(name)
            .unwrap_or(&schema["additionalProperties"]);
        visit(value, of, &inner(name), causes);
    }
    causes.extend(too_many(fields.count(), &schema["maxProperties"], path));
}

fn visit_list(items: &[Value], schema: &Value, path: &str, causes: &mut Vec<Cause>) {
    for (place, item) in items.iter().enumerate() {
        visit(item, &schema["items"], &format!("{path}[{place}]"), causes);
    }
    causes.extend(too_many(items.len(), &schema["maxItems"], path));
    if let Some(least) = schema["minItems"]
        .as_u64()
        .filter(|least| size(items.len()) < *least)
    {
        let detail = format!("{path} in body should have at least {least} items");
        causes.push(Cause::invalid(path, &items.len().into(), &detail));
    }
    duplicates(items, schema, path, causes);
}

/// Items with the same keys, and equal items of a set.
fn duplicates(items: &[Value], schema: &Value, path: &str, causes: &mut Vec<Cause>) {
    let kind = &schema["x-kubernetes-list-type"];
    if kind != "map" && kind != "set" {
        return;
    }
    let keys: Vec<_> = array(&schema["x-kubernetes-list-map-keys"])
        .iter()
        .filter_map(Value::as_str)
        .collect();
    let mut seen = BTreeSet::new();
    for (place, item) in items.iter().enumerate() {
        let id = match keys.as_slice() {
            [] => item.clone(),
            keys => keys
                .iter()
                .map(|key| ((*key).to_owned(), item[*key].clone()))
                .collect(),
        };
        if !seen.insert(id.to_string()) {
            causes.push(Cause::duplicate(&format!("{path}[{place}]"), &id));
        }
    }
}

fn number(value: &Value, schema: &Value, path: &str) -> Option<Cause> {
    let number = value.as_f64()?;
    let bound = |key: &str| schema[key].as_f64();
    let words = if bound("minimum").is_some_and(|least| number < least) {
        format!("greater than or equal to {}", schema["minimum"])
    } else if bound("maximum").is_some_and(|most| number > most) {
        format!("less than or equal to {}", schema["maximum"])
    } else {
        return None;
    };
    Some(Cause::invalid(
        path,
        value,
        &format!("{path} in body should be {words}"),
    ))
}

fn length(text: &str, schema: &Value, path: &str) -> Option<Cause> {
    let count = size(text.chars().count());
    if let Some(least) = schema["minLength"].as_u64().filter(|least| count < *least) {
        let detail = format!("{path} in body should be at least {least} chars long");
        return Some(Cause::invalid(path, &text.into(), &detail));
    }
    let most = schema["maxLength"].as_u64().filter(|most| count > *most)?;
    Some(Cause {
        reason: "FieldValueTooLong",
        field: path.to_owned(),
        message: format!("Too long: may not be more than {most} bytes"),
    })
}

fn unsupported(value: &Value, schema: &Value, path: &str) -> Option<Cause> {
    let allowed = schema["enum"]
        .as_array()
        .filter(|allowed| !allowed.contains(value))?;
    let allowed: Vec<String> = allowed.iter().map(ToString::to_string).collect();
    Some(Cause {
        reason: "FieldValueNotSupported",
        field: path.to_owned(),
        message: format!(
            "Unsupported value: {value}: supported values: {}",
            allowed.join(", ")
        ),
    })
}

fn too_many(count: usize, most: &Value, path: &str) -> Option<Cause> {
    let most = most.as_u64().filter(|most| size(count) > *most)?;
    Some(Cause {
        reason: "FieldValueTooMany",
        field: path.to_owned(),
        message: format!("Too many: {count}: must have at most {most} items"),
    })
}

/// What the schema asks for, if the value is something else.
fn unexpected(value: &Value, schema: &Value) -> Option<String> {
    if schema["x-kubernetes-int-or-string"] == true {
        let fits = value.is_string() || value.is_i64();
        return (!fits).then(|| "integer,string".to_owned());
    }
    let expected = schema["type"].as_str()?;
    let fits = match expected {
        "integer" => value.is_i64() || value.is_u64(),
        other => other == type_of(value) || (other == "number" && value.is_number()),
    };
    (!fits).then(|| expected.to_owned())
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn array(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn size(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Asks and answers as a real API server gave them.
    #[test]
    fn in_the_words_of_the_server() {
        let schema = json!({"type": "object", "required": ["spec"], "properties": {"spec": {
            "type": "object", "required": ["size", "list"], "properties": {
                "size": {"type": "integer", "minimum": 1, "maximum": 65535},
                "mode": {"type": "string", "enum": ["A", "B"]},
                "name": {"type": "string", "minLength": 2, "maxLength": 4},
                "port": {"x-kubernetes-int-or-string": true},
                "tags": {"type": "object", "additionalProperties": {"type": "string"}, "maxProperties": 2},
                "list": {
                    "type": "array", "minItems": 1, "maxItems": 2,
                    "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"],
                    "items": {"type": "object", "required": ["name"], "properties": {
                        "name": {"type": "string"}, "v": {"type": "integer", "maximum": 3},
                    }},
                },
                "set": {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}},
            },
        }}});
        let with = |name: &str, value: Value| {
            let mut spec = json!({"size": 3, "list": [{"name": "a"}]});
            spec[name] = value;
            json!({"kind": "Widget", "metadata": {}, "spec": spec})
        };
        for (object, expected) in [
            (with("size", json!(3)), ""),
            (
                json!({"spec": "x"}),
                "spec: Invalid value: \"string\": spec in body must be of type object: \"string\"",
            ),
            (json!({}), "spec: Required value"),
            (
                json!({"spec": {}}),
                "spec.size: Required value, spec.list: Required value",
            ),
            (
                with("size", json!(0)),
                "spec.size: Invalid value: 0: spec.size in body should be greater than or equal to 1",
            ),
            (
                with("size", json!(65536)),
                "spec.size: Invalid value: 65536: spec.size in body should be less than or equal to 65535",
            ),
            (
                with("list", json!([])),
                "spec.list: Invalid value: 0: spec.list in body should have at least 1 items",
            ),
            (
                with("list", json!([{"name": "a"}, {"name": "b"}, {"name": "c"}])),
                "spec.list: Too many: 3: must have at most 2 items",
            ),
            (
                with("list", json!([{"name": "a", "v": 9}])),
                "spec.list[0].v: Invalid value: 9: spec.list[0].v in body should be less than or equal to 3",
            ),
            (
                with("list", json!([{"name": "a"}, {"name": "a"}])),
                "spec.list[1]: Duplicate value: {\"name\":\"a\"}",
            ),
            (
                with("list", json!([{"v": 1}])),
                "spec.list[0].name: Required value",
            ),
            (
                with("set", json!(["a", "a"])),
                "spec.set[1]: Duplicate value: \"a\"",
            ),
            (
                with("name", json!("a")),
                "spec.name: Invalid value: \"a\": spec.name in body should be at least 2 chars long",
            ),
            (
                with("name", json!("abcde")),
                "spec.name: Too long: may not be more than 4 bytes",
            ),
            (
                with("mode", json!("C")),
                "spec.mode: Unsupported value: \"C\": supported values: \"A\", \"B\"",
            ),
            (
                with("tags", json!({"a": "", "b": "", "c": ""})),
                "spec.tags: Too many: 3: must have at most 2 items",
            ),
            (
                with("port", json!(true)),
                "spec.port: Invalid value: \"boolean\": spec.port in body must be of type integer,string: \"boolean\"",
            ),
        ] {
            let causes = invalid(&object, &schema);
            let words: Vec<_> = causes
                .iter()
                .map(|each| format!("{}: {}", each.field, each.message))
                .collect();
            assert_eq!(words.join(", "), expected);
        }
    }
}
