//! An object seen through its shape: what is owned as a whole, and what in parts.

use std::collections::BTreeSet;

use berth_openapi::{Field, ListKind, Shape, facts};
use serde_json::{Map, Value};

use super::fields::{FieldSet, Step};

static ANY: Shape = Shape::Any;

/// How a value is merged and owned.
pub(super) enum Form<'a> {
    /// As a whole.
    Leaf,
    /// Each field on its own.
    Object(&'a Map<String, Value>),
    /// Each item on its own.
    List(&'a [Value]),
}

/// The form of a value of a resolved shape. What does not fit its shape is a leaf.
pub(super) fn form<'a>(shape: &Shape, value: &'a Value) -> Form<'a> {
    match (shape, value) {
        (Shape::Object(fields), Value::Object(map)) if !fields.atomic => Form::Object(map),
        (Shape::Map { atomic: false, .. } | Shape::Any, Value::Object(map)) => Form::Object(map),
        (
            Shape::List {
                kind: ListKind::Set | ListKind::Map(_),
                ..
            },
            Value::Array(items),
        ) => Form::List(items),
        _ => Form::Leaf,
    }
}

/// The resolved shape of a field, a value or an item of a resolved shape.
pub(super) fn below<'a>(shape: &'a Shape, step: &str) -> &'a Shape {
    facts().step(shape, step).unwrap_or(&ANY)
}

/// The resolved shape of what a step leads to.
pub(super) fn at<'a>(shape: &'a Shape, step: &Step) -> &'a Shape {
    match step {
        Step::Field(name) => below(shape, name),
        _ => below(shape, ""),
    }
}

/// The step to an item of a list with this shape, by its keys or its value.
pub(super) fn item_step(shape: &Shape, place: usize, item: &Value) -> Step {
    match shape {
        Shape::List {
            kind: ListKind::Set,
            ..
        } => Step::Value(item.to_string()),
        Shape::List {
            kind: ListKind::Map(keys),
            item: of,
            ..
        } => {
            let of = facts().resolve(of);
            let key = |name: &String| Some((name.clone(), key_value(of, item, name)?));
            Step::Key(Value::Object(keys.iter().filter_map(key).collect()).to_string())
        }
        _ => Step::Index(place),
    }
}

/// The field `name`, if the shape declares it.
pub(super) fn declared<'a>(shape: &'a Shape, name: &str) -> Option<&'a Field> {
    match shape {
        Shape::Object(fields) => fields.fields.get(name),
        _ => None,
    }
}

/// The value of a key field, or its default; a key that has neither is left out.
fn key_value(of: &Shape, item: &Value, name: &str) -> Option<Value> {
    let default = || {
        let field = declared(of, name)?;
        field.default.as_ref().or(field.zero.as_ref()).cloned()
    };
    item.get(name)
        .filter(|value| !value.is_null())
        .cloned()
        .or_else(default)
}

/// The steps to the items of a list, in order.
pub(super) fn item_steps(shape: &Shape, items: &[Value]) -> Vec<Step> {
    items
        .iter()
        .enumerate()
        .map(|(place, item)| item_step(shape, place, item))
        .collect()
}

/// All fields that `value` says something about: what an applier owns.
pub fn fieldset_of(value: &Value, shape: &Shape) -> FieldSet {
    let shape = facts().resolve(shape);
    let mut set = FieldSet::default();
    match form(shape, value) {
        Form::Leaf => {}
        Form::Object(map) => map
            .iter()
            .for_each(|(name, each)| add_field(&mut set, shape, name, each)),
        Form::List(items) => add_items(&mut set, shape, items),
    }
    set
}

fn add_field(set: &mut FieldSet, shape: &Shape, name: &str, value: &Value) {
    let (step, of) = (Step::field(name), below(shape, name));
    let empty = value.as_object().is_some_and(Map::is_empty);
    if empty || declared(shape, name).is_none() || matches!(form(of, value), Form::Leaf) {
        set.insert(step.clone());
    }
    set.attach(step, fieldset_of(value, of));
}

/// An item that is there twice is owned as a whole.
fn add_items(set: &mut FieldSet, shape: &Shape, items: &[Value]) {
    let steps = item_steps(shape, items);
    let mut seen = BTreeSet::new();
    let twice: BTreeSet<_> = steps.iter().filter(|step| !seen.insert(*step)).collect();
    for (step, item) in steps.iter().zip(items) {
        set.insert(step.clone());
        if !twice.contains(step) {
            set.attach(step.clone(), fieldset_of(item, at(shape, step)));
        }
    }
}

/// The same set, with every declared field that has members below it as a member itself.
pub(super) fn with_parents(set: &FieldSet, shape: &Shape) -> FieldSet {
    let mut full = set.clone();
    for (step, child) in set.children() {
        if matches!(step, Step::Field(name) if declared(shape, name).is_some()) {
            full.insert(step.clone());
        }
        full.attach(step.clone(), with_parents(child, at(shape, step)));
    }
    full
}

/// The value without the fields of `set`, or nothing if nothing is left.
pub(super) fn without(value: &Value, shape: &Shape, set: &FieldSet) -> Option<Value> {
    match form(shape, value) {
        Form::Leaf => Some(value.clone()),
        Form::Object(map) if map.is_empty() => Some(value.clone()),
        Form::Object(map) => {
            let keep = |(name, each): (&String, &Value)| {
                let rest = without_step(each, shape, set, &Step::field(name))?;
                Some((name.clone(), rest))
            };
            let left: Map<_, _> = map.iter().filter_map(keep).collect();
            (!left.is_empty()).then_some(Value::Object(left))
        }
        Form::List(items) => {
            let steps = item_steps(shape, items);
            let keep = |(step, item)| without_step(item, shape, set, step);
            let left: Vec<_> = steps.iter().zip(items).filter_map(keep).collect();
            (items.is_empty() || !left.is_empty()).then_some(Value::Array(left))
        }
    }
}

fn without_step(value: &Value, shape: &Shape, set: &FieldSet, step: &Step) -> Option<Value> {
    if set.has(step) {
        return None;
    }
    match set.below(step) {
        Some(child) => without(value, at(shape, step), child),
        None => Some(value.clone()),
    }
}
