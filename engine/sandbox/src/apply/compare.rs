//! What changed between two objects, field by field.

use std::collections::{BTreeMap, BTreeSet};

use berth_openapi::Shape;
use serde_json::Value;

use super::fields::{FieldSet, Step};
use super::typed::{Form, at, declared, form, item_steps};

/// The fields that are only in the new object, only in the old one, or different.
#[derive(Debug, Default)]
pub(super) struct Changes {
    pub added: FieldSet,
    pub modified: FieldSet,
    pub removed: FieldSet,
}

impl Changes {
    /// The fields that the new object gives a value of its own.
    pub fn written(&self) -> FieldSet {
        self.added.union(&self.modified)
    }

    /// Whether nothing changed.
    pub fn is_empty(&self) -> bool {
        self.written().union(&self.removed).is_empty()
    }

    fn attach(&mut self, step: &Step, below: Self) {
        self.added.attach(step.clone(), below.added);
        self.modified.attach(step.clone(), below.modified);
        self.removed.attach(step.clone(), below.removed);
    }
}

/// The values one step below another, by that step.
type Parts<'a> = BTreeMap<Step, &'a Value>;

/// What changed from `old` to `new`, both of the resolved shape.
///
/// An absent field that the server's own form of the object always holds counts as there, with its
/// zero value.
pub(super) fn compare(shape: &Shape, old: Option<&Value>, new: Option<&Value>) -> Changes {
    let mut changes = Changes::default();
    let (olds, news) = (parts(shape, old), parts(shape, new));
    let steps: BTreeSet<_> = olds.keys().chain(news.keys()).collect();
    for step in steps {
        let zero = |whole: Option<&Value>| zero(shape, step).filter(|_| whole.is_some());
        let old = olds.get(step).copied().or_else(|| zero(old));
        let new = news.get(step).copied().or_else(|| zero(new));
        visit(&mut changes, at(shape, step), step, old, new);
    }
    changes
}

fn zero<'a>(shape: &'a Shape, step: &Step) -> Option<&'a Value> {
    match step {
        Step::Field(name) => declared(shape, name)?.zero.as_ref(),
        _ => None,
    }
}

fn visit(changes: &mut Changes, of: &Shape, step: &Step, old: Option<&Value>, new: Option<&Value>) {
    match (old, new) {
        (Some(old), Some(new)) if old == new => return,
        (Some(old), Some(new)) if differ_whole(of, old, new) => {
            changes.modified.insert(step.clone());
        }
        (None, _) => changes.added.insert(step.clone()),
        (_, None) => changes.removed.insert(step.clone()),
        _ => {}
    }
    changes.attach(step, compare(of, old, new));
}

/// Whether two different values have no parts that tell the difference. Null has the form of the
/// other value.
fn differ_whole(shape: &Shape, old: &Value, new: &Value) -> bool {
    let whole = |value| !is_empty(value) && matches!(form(shape, value), Form::Leaf);
    whole(old) || whole(new) || (is_empty(old) && is_empty(new))
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(map) => map.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => false,
    }
}

/// A list whose items cannot be told apart keeps the last one of each.
fn parts<'a>(shape: &Shape, value: Option<&'a Value>) -> Parts<'a> {
    match value.map(|value| form(shape, value)) {
        None | Some(Form::Leaf) => Parts::new(),
        Some(Form::Object(map)) => map
            .iter()
            .map(|(name, each)| (Step::field(name), each))
            .collect(),
        Some(Form::List(items)) => item_steps(shape, items).into_iter().zip(items).collect(),
    }
}
