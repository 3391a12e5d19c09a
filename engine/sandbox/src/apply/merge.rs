//! Lays what is applied over what is live.

use std::collections::BTreeMap;

use berth_openapi::Shape;
use serde_json::{Map, Value};

use super::fields::Step;
use super::typed::{Form, at, below, form, item_steps};

/// `live` with all that `applied` says; both have the resolved shape.
pub(super) fn merge(shape: &Shape, live: &Value, applied: &Value) -> Value {
    match (form(shape, live), form(shape, applied)) {
        (Form::Object(live), Form::Object(applied)) => merge_objects(shape, live, applied),
        (Form::List(live), Form::List(applied)) => merge_lists(shape, live, applied),
        _ => applied.clone(),
    }
}

fn merge_objects(shape: &Shape, live: &Map<String, Value>, applied: &Map<String, Value>) -> Value {
    let mut merged = live.clone();
    for (name, value) in applied {
        let value = match live.get(name) {
            Some(there) => merge(below(shape, name), there, value),
            None => value.clone(),
        };
        merged.insert(name.clone(), value);
    }
    Value::Object(merged)
}

/// Items that both have come in the applied order; the others keep their place among them.
fn merge_lists(shape: &Shape, live: &[Value], applied: &[Value]) -> Value {
    let (ours, theirs) = (item_steps(shape, live), item_steps(shape, applied));
    let lists = Lists {
        shape,
        live: ours.iter().zip(live).collect(),
        applied: theirs.iter().zip(applied).collect(),
    };
    Value::Array(lists.interleave(&ours, &theirs))
}

struct Lists<'a> {
    shape: &'a Shape,
    live: BTreeMap<&'a Step, &'a Value>,
    applied: BTreeMap<&'a Step, &'a Value>,
}

impl Lists<'_> {
    /// Before each applied item comes what stands, in the live list, before the next shared one.
    fn interleave(&self, live: &[Step], applied: &[Step]) -> Vec<Value> {
        let mut merged = Vec::new();
        let mut rest = live.iter().peekable();
        let mut shared = applied
            .iter()
            .filter(|step| self.live.contains_key(step))
            .peekable();
        for step in applied {
            let next = shared.peek().copied();
            while let Some(before) = rest.next_if(|each| Some(*each) != next) {
                merged.extend(self.only_live(before));
            }
            if next == Some(step) {
                shared.next();
                rest.next();
            }
            merged.extend(self.item(step));
        }
        merged.extend(rest.filter_map(|step| self.only_live(step)));
        merged
    }

    fn only_live(&self, step: &Step) -> Option<Value> {
        if self.applied.contains_key(step) {
            return None;
        }
        self.live.get(step).map(|item| (*item).clone())
    }

    fn item(&self, step: &Step) -> Option<Value> {
        let applied = self.applied.get(step)?;
        Some(match self.live.get(step) {
            Some(live) => merge(at(self.shape, step), live, applied),
            None => (*applied).clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use berth_openapi::facts;
    use serde_json::json;

    use super::*;

    #[test]
    fn lists_keep_both_orders() {
        let shape = facts()
            .at("io.k8s.api.core.v1.PodSpec", &["containers"])
            .unwrap();
        let list = |names: &str| {
            Value::Array(
                names
                    .chars()
                    .map(|name| json!({"name": name.to_string()}))
                    .collect(),
            )
        };
        for (live, applied, merged) in [
            ("ab", "x", "abx"),
            ("ab", "xb", "axb"),
            ("abc", "ba", "bca"),
            ("abcd", "bad", "bcad"),
            ("", "ab", "ab"),
            ("abc", "abc", "abc"),
            ("abc", "cxa", "bcxa"),
        ] {
            assert_eq!(
                merge(shape, &list(live), &list(applied)),
                list(merged),
                "{live} {applied}"
            );
        }
    }
}
