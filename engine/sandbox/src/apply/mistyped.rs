//! What of an applied object does not fit its type, in the words of server-side apply.

use std::collections::BTreeSet;

use berth_openapi::{ListKind, Shape, facts};
use serde_json::Value;

use super::fields::Step;
use super::go;
use super::typed::{Form, below, declared, form, item_steps};

/// The first part of `value` that does not fit the resolved shape, in a sentence.
pub(super) fn mistyped(value: &Value, shape: &Shape) -> Option<String> {
    visit(value, shape, "")
}

fn visit(value: &Value, shape: &Shape, path: &str) -> Option<String> {
    if value.is_null() {
        return None;
    }
    if let Some(expected) = unexpected(value, shape) {
        return Some(format!("{path}: {expected}"));
    }
    match (shape, value) {
        (Shape::Object(_) | Shape::Map { .. }, Value::Object(map)) => map
            .iter()
            .find_map(|(name, each)| visit_field(each, shape, &format!("{path}.{name}"), name)),
        (Shape::List { kind, .. }, Value::Array(items)) => {
            let keyless = match kind {
                ListKind::Map(keys) => keyless(items, below(shape, ""), keys, path),
                ListKind::Set | ListKind::Atomic => None,
            };
            keyless.or_else(|| visit_items(items, value, shape, path))
        }
        _ => None,
    }
}

fn visit_field(value: &Value, shape: &Shape, path: &str, name: &str) -> Option<String> {
    match facts().step(shape, name) {
        Some(of) => visit(value, of, path),
        None => Some(format!("{path}: field not declared in schema")),
    }
}

fn visit_items(items: &[Value], value: &Value, shape: &Shape, path: &str) -> Option<String> {
    let steps = match form(shape, value) {
        Form::List(items) => item_steps(shape, items),
        _ => (0..items.len()).map(Step::Index).collect(),
    };
    let mut seen = BTreeSet::new();
    if let Some(step) = steps.iter().find(|step| !seen.insert(*step)) {
        return Some(format!("{path}: duplicate entries for key {step}"));
    }
    let of = below(shape, "");
    steps
        .iter()
        .zip(items)
        .find_map(|(step, item)| visit(item, of, &format!("{path}{step}")))
}

/// An item needs one of its keys, or a default for one.
fn keyless(items: &[Value], of: &Shape, keys: &[String], path: &str) -> Option<String> {
    let has_default = |key: &str| {
        declared(of, key).is_some_and(|field| field.default.is_some() || field.zero.is_some())
    };
    let has = |item: &Value, key: &String| !item[key.as_str()].is_null() || has_default(key);
    let place = items
        .iter()
        .position(|item| !keys.iter().any(|key| has(item, key)))?;
    let keys: Vec<_> = keys.iter().map(|key| format!("{key:?}")).collect();
    Some(format!(
        "{path}: element {place}: associative list with keys has an element that omits all key \
         fields [{}] (and doesn't have default values for any key fields)",
        keys.join(" ")
    ))
}

/// What the shape asks for and what the value is instead, if it is.
fn unexpected(value: &Value, shape: &Shape) -> Option<String> {
    let plain = go::plain(value);
    let (fits, words) = match shape {
        Shape::String { .. } | Shape::Time => (
            value.is_string(),
            format!(
                "expected string, got &value.valueUnstructured{{Value:{}}}",
                go::syntax(value)
            ),
        ),
        Shape::Integer { .. } | Shape::Number => (
            value.is_number(),
            format!(
                "expected numeric (int or float), got {}",
                go::type_of(value)
            ),
        ),
        Shape::Boolean => (
            value.is_boolean(),
            format!("expected boolean, got &{{{plain}}}"),
        ),
        Shape::Quantity | Shape::IntOrString => (
            !value.is_object() && !value.is_array(),
            format!("expected any scalar, got &{{{plain}}}"),
        ),
        Shape::Object(_) | Shape::Map { .. } => {
            (value.is_object(), format!("expected map, got &{{{plain}}}"))
        }
        Shape::List { .. } => (value.is_array(), format!("expected list, got &{{{plain}}}")),
        Shape::Any | Shape::Ref(_) => (true, String::new()),
    };
    (!fits).then_some(words)
}
