//! Strategic merge patch: lists are merged by the keys that their types name.

use berth_openapi::{PatchStrategy, Shape, facts};
use serde_json::{Map, Value};

use super::go;
use super::patch::{OBJECT, PatchError};
use super::typed::{below, declared};

const PATCH: &str = "$patch";
const RETAIN: &str = "$retainKeys";
const ORDER: &str = "$setElementOrder/";
const DELETE: &str = "$deleteFromPrimitiveList/";

type Object = Map<String, Value>;

/// `live` with the patch applied.
pub(super) fn merge(shape: &Shape, live: &Value, patch: &Value) -> Result<Value, PatchError> {
    let (Some(live), Some(patch)) = (live.as_object(), patch.as_object()) else {
        return Err(PatchError::Undecodable(PatchError::no(OBJECT, patch)));
    };
    merge_objects(facts().resolve(shape), live, patch).map(Value::Object)
}

fn merge_objects(shape: &Shape, live: &Object, patch: &Object) -> Result<Object, PatchError> {
    match directive(patch)? {
        Directive::Replace => return Ok(plain_object(patch)),
        Directive::Delete => return Ok(Object::new()),
        Directive::Merge => {}
    }
    let mut merged = live.clone();
    retain(&mut merged, patch)?;
    for (name, order) in prefixed(patch, ORDER) {
        let patched = patch
            .get(name)
            .cloned()
            .unwrap_or_else(|| Value::Array(Vec::new()));
        merge_field(&mut merged, shape, name, &patched)?;
        put_in_order(&mut merged, shape, name, order, live.get(name));
    }
    let ordered = |name: &String| patch.contains_key(&format!("{ORDER}{name}"));
    for (name, value) in patch
        .iter()
        .filter(|(name, _)| !name.starts_with('$') && !ordered(name))
    {
        merge_field(&mut merged, shape, name, value)?;
    }
    for (name, gone) in prefixed(patch, DELETE) {
        let gone = array(gone);
        if let Some(Value::Array(items)) = merged.get_mut(name) {
            items.retain(|item| !gone.contains(item));
        }
    }
    Ok(merged)
}

fn merge_field(
    merged: &mut Object,
    shape: &Shape,
    name: &str,
    value: &Value,
) -> Result<(), PatchError> {
    if value.is_null() {
        merged.remove(name);
        return Ok(());
    }
    let strategy = strategy_of(shape, name);
    let of = below(shape, name);
    let value = match (merged.get(name), value) {
        (Some(Value::Object(there)), Value::Object(patch)) if !strategy.replace => {
            Value::Object(merge_objects(of, there, patch)?)
        }
        (Some(Value::Array(there)), Value::Array(patch)) if strategy.merge => {
            Value::Array(merge_lists(of, there, patch)?)
        }
        (Some(Value::Object(_)), Value::Object(_)) => plain(value),
        // With nothing to merge with, an object that holds a directive is none.
        (_, Value::Object(patch)) if patch.contains_key(PATCH) => {
            merged.remove(name);
            return Ok(());
        }
        _ => plain(value),
    };
    merged.insert(name.to_owned(), value);
    Ok(())
}

fn strategy_of(shape: &Shape, name: &str) -> PatchStrategy {
    declared(shape, name)
        .map(|field| field.patch_strategy)
        .unwrap_or_default()
}

fn merge_key(shape: &Shape) -> Option<&str> {
    match shape {
        Shape::List {
            patch_merge_key, ..
        } => patch_merge_key.as_deref(),
        _ => None,
    }
}

/// Lists of values are united; lists of objects are merged by their key.
fn merge_lists(shape: &Shape, live: &[Value], patch: &[Value]) -> Result<Vec<Value>, PatchError> {
    let Some(key) = merge_key(shape) else {
        let mut merged = live.to_vec();
        for value in patch {
            if !merged.contains(value) {
                merged.push(value.clone());
            }
        }
        sort(&mut merged, None, patch, live);
        return Ok(merged);
    };
    let replaces = |item: &Value| item[PATCH] == "replace";
    if patch.iter().any(replaces) {
        return Ok(plain_items(patch));
    }
    let mut merged = live.to_vec();
    for item in patch {
        merge_item(&mut merged, shape, key, item)?;
    }
    sort(&mut merged, Some(key), patch, live);
    Ok(merged)
}

fn merge_item(
    merged: &mut Vec<Value>,
    shape: &Shape,
    key: &str,
    item: &Value,
) -> Result<(), PatchError> {
    let Some(patch) = item.as_object() else {
        return Err(PatchError::Malformed(
            "expecting a list of maps: invalid patch format of a list".to_owned(),
        ));
    };
    let Some(value) = patch.get(key) else {
        return Err(PatchError::Malformed(format!(
            "map: {} does not contain declared merge key: {key}",
            go::plain(item)
        )));
    };
    if directive(patch)? == Directive::Delete {
        merged.retain(|each| each.get(key) != Some(value));
        return Ok(());
    }
    match merged.iter_mut().find(|each| each.get(key) == Some(value)) {
        Some(Value::Object(there)) => *there = merge_objects(below(shape, ""), there, patch)?,
        _ => merged.push(plain(item)),
    }
    Ok(())
}

#[derive(PartialEq, Eq)]
enum Directive {
    Merge,
    Replace,
    Delete,
}

fn directive(patch: &Object) -> Result<Directive, PatchError> {
    match patch.get(PATCH).map(Value::as_str) {
        None | Some(Some("merge")) => Ok(Directive::Merge),
        Some(Some("replace")) => Ok(Directive::Replace),
        Some(Some("delete")) => Ok(Directive::Delete),
        Some(other) => Err(PatchError::Malformed(format!(
            "unknown patch type: {} in map: {}",
            other.unwrap_or_default(),
            go::plain(&Value::Object(patch.clone()))
        ))),
    }
}

/// Drops what `$retainKeys` does not name.
fn retain(merged: &mut Object, patch: &Object) -> Result<(), PatchError> {
    let Some(keys) = patch.get(RETAIN) else {
        return Ok(());
    };
    let keys = array(keys);
    let kept = |name: &String| keys.iter().any(|key| key == name);
    let named = |name: &&String| !name.starts_with('$') && !patch[*name].is_null();
    if !patch.keys().filter(named).all(kept) {
        return Err(PatchError::Malformed(
            "invalid patch format of retainKeys".to_owned(),
        ));
    }
    merged.retain(|name, _| kept(name));
    Ok(())
}

fn prefixed<'a>(patch: &'a Object, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a Value)> {
    patch
        .iter()
        .filter_map(move |(name, value)| Some((name.strip_prefix(prefix)?, value)))
}

fn array(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// Puts the items that `order` names into its order; the others keep their place as they can.
fn put_in_order(
    merged: &mut Object,
    shape: &Shape,
    name: &str,
    order: &Value,
    live: Option<&Value>,
) {
    let key = merge_key(below(shape, name));
    let before = live.map(array).unwrap_or_default();
    if let Some(Value::Array(items)) = merged.get_mut(name) {
        sort(items, key, array(order), before);
    }
}

/// Puts the items that `order` names into its order; the others come before those that they came
/// before.
fn sort(items: &mut Vec<Value>, key: Option<&str>, order: &[Value], before: &[Value]) {
    let id = |item: &Value| key.map_or_else(|| item.clone(), |key| item[key].clone());
    let place = |list: &[Value], item: &Value| list.iter().position(|each| *each == id(item));
    let order: Vec<_> = order.iter().map(id).collect();
    let before: Vec<_> = before.iter().map(id).collect();
    let (mut named, others): (Vec<_>, Vec<_>) = std::mem::take(items)
        .into_iter()
        .partition(|item| place(&order, item).is_some());
    named.sort_by_key(|item| place(&order, item));
    let mut others = others.into_iter().peekable();
    for item in named {
        let here = place(&before, &item);
        while let Some(other) =
            others.next_if(|other| here.is_some() && place(&before, other) < here)
        {
            items.push(other);
        }
        items.push(item);
    }
    items.extend(others);
}

/// A value without directives, for where there is nothing to merge with.
fn plain(value: &Value) -> Value {
    match value {
        Value::Object(map) if map.get(PATCH).is_some_and(|each| each == "delete") => Value::Null,
        Value::Object(map) => Value::Object(plain_object(map)),
        Value::Array(items) => Value::Array(plain_items(items)),
        other => other.clone(),
    }
}

fn plain_object(map: &Object) -> Object {
    let fields = map.iter().filter(|(name, _)| !is_directive(name));
    fields
        .map(|(name, value)| (name.clone(), plain(value)))
        .collect()
}

fn is_directive(name: &str) -> bool {
    name == PATCH || name == RETAIN || name.starts_with(ORDER) || name.starts_with(DELETE)
}

/// Items that only say what to do with the list, or to delete, are none.
fn plain_items(items: &[Value]) -> Vec<Value> {
    let stays = |item: &&Value| match item.as_object() {
        Some(map) => map
            .get(PATCH)
            .is_none_or(|each| each != "delete" && map.len() > 1),
        None => true,
    };
    items.iter().filter(stays).map(plain).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn patched(live: &Value, patch: &Value) -> Value {
        let shape = facts()
            .type_named("io.k8s.api.apps.v1.DeploymentSpec")
            .unwrap();
        merge(shape, live, patch).unwrap()
    }

    fn pod(spec: impl Into<Value>) -> Value {
        json!({"template": {"spec": spec.into()}})
    }

    #[test]
    fn lists_are_merged_by_their_keys() {
        let live = pod(json!({"containers": [
            {"name": "a", "image": "1", "ports": [{"containerPort": 80, "name": "web"}], "args": ["x"]},
            {"name": "b"},
        ]}));
        let patch = pod(json!({"containers": [
            {"name": "a", "image": "2", "ports": [{"containerPort": 80, "name": "http"}], "args": ["y"]},
            {"name": "b", "$patch": "delete"},
            {"name": "c"},
        ]}));
        assert_eq!(
            patched(&live, &patch),
            pod(json!({"containers": [
                {"name": "a", "image": "2", "ports": [{"containerPort": 80, "name": "http"}], "args": ["y"]},
                {"name": "c"},
            ]}))
        );
    }

    #[test]
    fn directives() {
        for (live, patch, expected) in [
            (
                json!({"a": 1, "b": 2}),
                json!({"$patch": "replace", "c": 3}),
                json!({"c": 3}),
            ),
            (json!({"a": 1}), json!({"$patch": "delete"}), json!({})),
            (
                json!({"a": 1, "b": 2}),
                json!({"a": null, "d": {"$patch": "merge", "e": 1}}),
                json!({"b": 2}),
            ),
            (
                json!({"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}}),
                json!({"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}),
                json!({"strategy": {"type": "Recreate"}}),
            ),
            (
                pod(json!({"volumes": [{"name": "v", "emptyDir": {}}]})),
                pod(
                    json!({"volumes": [{"$retainKeys": ["name", "configMap"], "name": "v", "configMap": {"name": "c"}}]}),
                ),
                pod(json!({"volumes": [{"name": "v", "configMap": {"name": "c"}}]})),
            ),
            (
                pod(json!({"tolerations": [{"key": "a"}], "volumes": [{"name": "v"}]})),
                pod(
                    json!({"tolerations": [{"key": "b"}], "volumes": [{"$patch": "replace"}, {"name": "w"}]}),
                ),
                pod(json!({"tolerations": [{"key": "b"}], "volumes": [{"name": "w"}]})),
            ),
        ] {
            assert_eq!(patched(&live, &patch), expected, "{patch}");
        }
    }

    #[test]
    fn primitive_lists_are_united_ordered_and_shortened() {
        let shape = facts()
            .type_named("io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta")
            .unwrap();
        let merged =
            |patch: Value| merge(shape, &json!({"finalizers": ["a", "b"]}), &patch).unwrap();
        assert_eq!(
            merged(json!({"finalizers": ["b", "c"]})),
            json!({"finalizers": ["a", "b", "c"]})
        );
        assert_eq!(
            merged(json!({"$deleteFromPrimitiveList/finalizers": ["a"]})),
            json!({"finalizers": ["b"]})
        );
        assert_eq!(
            merged(json!({"$setElementOrder/finalizers": ["c", "a"], "finalizers": ["c"]})),
            json!({"finalizers": ["c", "a", "b"]})
        );
    }

    #[test]
    fn the_order_is_set_among_objects() {
        let named = |names: &str| {
            let items = names.chars().map(|name| json!({"name": name.to_string()}));
            Value::Array(items.collect())
        };
        let live = pod(json!({"containers": named("abc")}));
        let patch = pod(json!({
            "$setElementOrder/containers": named("dc"), "containers": named("d"),
        }));
        assert_eq!(
            patched(&live, &patch),
            pod(json!({"containers": named("dabc")}))
        );
    }

    #[test]
    fn a_missing_key_is_refused() {
        let shape = facts().type_named("io.k8s.api.core.v1.PodSpec").unwrap();
        let live = json!({"containers": [{"name": "a"}]});
        let error = merge(shape, &live, &json!({"containers": [{"image": "i"}]})).unwrap_err();
        assert!(
            error
                .to_string()
                .ends_with("does not contain declared merge key: name")
        );
    }
}
