//! How the items of a list are told apart.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use berth_openapi::{ListKind, Shape, facts};

use super::{Node, Value};

/// What a list is to a merge and to a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Items<'a> {
    /// Items are found by these fields.
    Keyed(&'a [String]),
    /// Items are found by one field.
    KeyedBy(&'a String),
    /// Items are values that are there or not.
    Set,
    /// The list is one value.
    Atomic,
}

/// How the list of this resolved shape is merged, and the shape of its items. The map keys of
/// server-side apply come before the strategic merge key where both are known: they are as
/// precise as the server (ports are told apart by protocol too).
pub(super) fn items(shape: &Shape) -> (Items<'_>, &Shape) {
    let Shape::List {
        item,
        kind,
        patch_merge_key,
        patch_strategy,
    } = shape
    else {
        return (Items::Atomic, &Shape::Any);
    };
    let kind = match (kind, patch_merge_key) {
        (ListKind::Map(keys), _) => Items::Keyed(keys),
        (_, Some(key)) if patch_strategy.merge => Items::KeyedBy(key),
        (ListKind::Set, _) => Items::Set,
        (ListKind::Atomic, _) if patch_strategy.merge => Items::Set,
        (ListKind::Atomic, _) => Items::Atomic,
    };
    (kind, facts().resolve(item))
}

/// The items of a list of this shape that have the name of an earlier one, each with that one. What
/// only removes (`$patch`) is left out.
pub fn twins<'a>(list: &'a [Node], shape: &Shape) -> Vec<(&'a Node, &'a Node)> {
    let (kind, item_shape) = items(facts().resolve(shape));
    if !matches!(kind, Items::Keyed(_) | Items::KeyedBy(_)) {
        return Vec::new();
    }
    let mut first: BTreeMap<Vec<(String, String)>, &Node> = BTreeMap::new();
    let mut found = Vec::new();
    for item in list.iter().filter(|item| item.get("$patch").is_none()) {
        let Some(key) = kind.key_of(item, item_shape) else {
            continue;
        };
        match first.entry(key) {
            Entry::Occupied(earlier) => found.push((*earlier.get(), item)),
            Entry::Vacant(free) => drop(free.insert(item)),
        }
    }
    found
}

impl Items<'_> {
    /// What names `item` in its list: fields and values, with the server's defaults for absent
    /// fields. `None` if the item cannot be named; it then stands for itself.
    pub(super) fn key_of(&self, item: &Node, shape: &Shape) -> Option<Vec<(String, String)>> {
        match self {
            Self::Keyed(keys) => keys.iter().map(|key| field(item, key, shape)).collect(),
            Self::KeyedBy(key) => Some(vec![field(item, key, shape)?]),
            Self::Set => Some(vec![(String::new(), scalar(item)?)]),
            Self::Atomic => None,
        }
    }
}

fn field(item: &Node, key: &str, shape: &Shape) -> Option<(String, String)> {
    let value = match item.get(key) {
        Some(node) => scalar(node),
        None => default_of(shape, key),
    };
    Some((key.to_owned(), value?))
}

fn default_of(shape: &Shape, key: &str) -> Option<String> {
    let Shape::Object(fields) = facts().resolve(shape) else {
        return None;
    };
    fields
        .fields
        .get(key)?
        .default
        .as_ref()
        .map(ToString::to_string)
}

fn scalar(node: &Node) -> Option<String> {
    match node.value {
        Value::Null | Value::List(_) | Value::Map(_) => None,
        _ => Some(node.to_json().to_string()),
    }
}
