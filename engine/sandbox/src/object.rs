//! Reading and writing untyped objects.

use serde_json::{Map, Value};

/// The value at a path of keys.
pub(crate) fn at<'a>(object: &'a Value, path: &[&str]) -> Option<&'a Value> {
    path.iter().try_fold(object, |value, key| value.get(key))
}

/// The text at a path; empty if there is none.
pub(crate) fn text<'a>(object: &'a Value, path: &[&str]) -> &'a str {
    at(object, path).and_then(Value::as_str).unwrap_or_default()
}

/// The list at a path; empty if there is none.
pub(crate) fn list<'a>(object: &'a Value, path: &[&str]) -> &'a [Value] {
    at(object, path)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

/// The number at a path.
pub(crate) fn number(object: &Value, path: &[&str]) -> Option<i64> {
    at(object, path).and_then(Value::as_i64)
}

/// The entries of the map at a path that are text.
pub(crate) fn texts<'a>(
    object: &'a Value,
    path: &[&str],
) -> impl Iterator<Item = (&'a str, &'a str)> {
    let map = at(object, path).and_then(Value::as_object);
    map.into_iter()
        .flatten()
        .filter_map(|(key, value)| Some((key.as_str(), value.as_str()?)))
}

/// Sets the value at a path; whatever is in the way becomes a map.
pub(crate) fn set(object: &mut Value, path: &[&str], value: impl Into<Value>) {
    let mut place = object;
    for key in path {
        if !place.is_object() {
            *place = Value::Object(Map::new());
        }
        place = &mut place[*key];
    }
    *place = value.into();
}

/// Sets the value at a path if there is none.
pub(crate) fn default(object: &mut Value, path: &[&str], value: impl Into<Value>) {
    if at(object, path).is_none_or(Value::is_null) {
        set(object, path, value);
    }
}

/// Takes the value at a path away.
pub(crate) fn remove(object: &mut Value, path: &[&str]) -> Option<Value> {
    let (last, parents) = path.split_last()?;
    let parent = parents
        .iter()
        .try_fold(object, |value, key| value.get_mut(key))?;
    parent.as_object_mut()?.remove(*last)
}

/// Copies the value at a path from one object to another, absence included.
pub(crate) fn copy(from: &Value, to: &mut Value, path: &[&str]) {
    match at(from, path) {
        Some(value) => set(to, path, value.clone()),
        None => drop(remove(to, path)),
    }
}

/// The object's name.
pub(crate) fn name(object: &Value) -> &str {
    text(object, &["metadata", "name"])
}

/// The object's namespace; empty for what has none.
pub(crate) fn namespace(object: &Value) -> &str {
    text(object, &["metadata", "namespace"])
}

/// The object's uid.
pub(crate) fn uid(object: &Value) -> &str {
    text(object, &["metadata", "uid"])
}

/// Whether the object was asked to go.
pub(crate) fn is_deleting(object: &Value) -> bool {
    at(object, &["metadata", "deletionTimestamp"]).is_some_and(Value::is_string)
}

/// The finalizers that hold the object.
pub(crate) fn finalizers(object: &Value) -> &[Value] {
    list(object, &["metadata", "finalizers"])
}

/// Whether one of these finalizers holds the object.
pub(crate) fn has_finalizer(object: &Value, names: &[&str]) -> bool {
    let mut held = finalizers(object).iter().filter_map(Value::as_str);
    held.any(|finalizer| names.contains(&finalizer))
}

/// Whether other objects own it.
pub(crate) fn is_owned(object: &Value) -> bool {
    !list(object, &["metadata", "ownerReferences"]).is_empty()
}

/// Whether it goes once something is done about what it owns.
pub(crate) fn waits_for_dependents(object: &Value) -> bool {
    is_deleting(object) && has_finalizer(object, &["orphan", "foregroundDeletion"])
}

/// An annotation of the object.
pub(crate) fn annotation<'a>(object: &'a Value, key: &str) -> Option<&'a str> {
    at(object, &["metadata", "annotations", key]).and_then(Value::as_str)
}

/// The status condition of a type.
pub(crate) fn condition<'a>(object: &'a Value, kind: &str) -> Option<&'a Value> {
    list(object, &["status", "conditions"])
        .iter()
        .find(|condition| text(condition, &["type"]) == kind)
}

/// Puts a status condition in the place of the one of its type.
pub(crate) fn set_condition(object: &mut Value, condition: Value) {
    let kind = text(&condition, &["type"]).to_owned();
    default(object, &["status", "conditions"], Value::Array(Vec::new()));
    let Some(Value::Array(conditions)) = object.pointer_mut("/status/conditions") else {
        return;
    };
    match conditions
        .iter_mut()
        .find(|known| text(known, &["type"]) == kind)
    {
        Some(known) => *known = condition,
        None => conditions.push(condition),
    }
}
