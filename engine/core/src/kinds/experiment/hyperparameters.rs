//! How a program gets its hyperparameters.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use crate::object::{Node, Place};

/// The text of the file that `BERTH_HPARAMS_FILE` names.
pub fn file(values: &BTreeMap<String, Json>) -> String {
    serde_json::json!(values).to_string()
}

/// The value at a path such as `model.depth`; a key that holds dots itself goes first.
pub fn lookup<'a>(values: &'a BTreeMap<String, Json>, path: &str) -> Option<&'a Json> {
    find(path, &|key| values.get(key))
}

fn find<'a>(path: &str, get: &dyn Fn(&str) -> Option<&'a Json>) -> Option<&'a Json> {
    get(path).or_else(|| {
        path.match_indices('.').find_map(|(dot, _)| {
            let (head, rest) = (path.get(..dot)?, path.get(dot + 1..)?);
            let below = get(head)?.as_object()?;
            find(rest, &|key| below.get(key))
        })
    })
}

/// The argument with every `$(hp.PATH)` replaced by its value: text as it is, anything else as
/// JSON. A `$` within a value stays what it is: Kubernetes expands nothing there. References to
/// nothing and escaped ones (`$$(hp.x)`) are left alone.
pub fn substitute(argument: &str, values: &BTreeMap<String, Json>) -> String {
    parts(argument)
        .into_iter()
        .map(|part| match part {
            Part::Text(text) | Part::Open(text) => text.to_owned(),
            Part::Reference(path) => lookup(values, path).map_or_else(
                || format!("$(hp.{path})"),
                |value| verbatim(&text_of(value)),
            ),
        })
        .collect()
}

/// One hyperparameter that is no map: the keys that lead to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leaf {
    /// Outermost first.
    pub keys: Vec<Box<str>>,
    /// Where the last of them stands.
    pub place: Place,
}

impl Leaf {
    /// What `$(hp.PATH)` names it by.
    pub fn path(&self) -> String {
        self.keys.join(".")
    }

    /// The name of its variable, if it has one.
    pub fn variable(&self) -> Option<String> {
        let name = format!("BERTH_HP_{}", self.keys.join("_"));
        names_a_variable(&name).then_some(name)
    }
}

/// All hyperparameters of a tree, in the order of the text.
pub fn leaves(values: &Node) -> Vec<Leaf> {
    let mut found = Vec::new();
    collect(values, &mut Vec::new(), &mut found);
    found
}

fn collect(node: &Node, keys: &mut Vec<Box<str>>, into: &mut Vec<Leaf>) {
    for (key, below) in node.entries() {
        keys.push(key.name.clone());
        if below.entries().is_empty() {
            into.push(Leaf {
                keys: keys.clone(),
                place: key.place,
            });
        } else {
            collect(below, keys, into);
        }
        keys.pop();
    }
}

/// Name and value of every `BERTH_HP_*` variable: the keys as they are written, those of nested
/// maps joined with `_`; lists as JSON. Keys that no variable can be named by are only in the file.
pub fn variables(values: &BTreeMap<String, Json>) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for (key, value) in values {
        flatten(&format!("BERTH_HP_{key}"), value, &mut found);
    }
    found
}

fn flatten(name: &str, value: &Json, into: &mut BTreeMap<String, String>) {
    match value {
        Json::Object(map) if !map.is_empty() => {
            for (key, value) in map {
                flatten(&format!("{name}_{key}"), value, into);
            }
        }
        _ if names_a_variable(name) => {
            into.insert(name.to_owned(), verbatim(&text_of(value)));
        }
        _ => {}
    }
}

fn names_a_variable(name: &str) -> bool {
    name.bytes()
        .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'))
}

/// A text in which Kubernetes, which reads `$$` as `$` and replaces `$(NAME)`, changes nothing.
pub fn verbatim(text: &str) -> String {
    text.replace('$', "$$")
}

/// A value as an argument or a variable: text as it is, anything else as JSON.
pub fn text_of(value: &Json) -> String {
    match value {
        Json::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// A part of an argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part<'a> {
    /// Text, with what is escaped in it.
    Text(&'a str),
    /// The path of a `$(hp.PATH)`.
    Reference(&'a str),
    /// From a `$(hp.` that is not closed to the next `$(` or the end.
    Open(&'a str),
}

/// The parts of an argument, in order: put together they are all of it.
pub fn parts(argument: &str) -> Vec<Part<'_>> {
    const OPEN: &str = "$(hp.";
    let part = |from: usize, to: usize| argument.get(from..to).unwrap_or_default();
    let (mut parts, mut from, mut at) = (Vec::new(), 0, 0);
    while let Some(found) = part(at, argument.len()).find(OPEN) {
        let start = at + found;
        let inner = start + OPEN.len();
        let rest = part(inner, argument.len());
        let next = rest.find("$(").map_or(rest, |next| {
            rest.get(..next).unwrap_or_default().trim_end_matches('$')
        });
        let end = next.find(')');
        at = inner + end.map_or(next.len(), |end| end + 1);
        // An odd number of `$` before it escapes the reference.
        let before = part(from, start);
        let dollars = before.len() - before.trim_end_matches('$').len();
        if dollars.is_multiple_of(2) {
            parts.push(Part::Text(before));
            parts.push(match end {
                Some(end) => Part::Reference(part(inner, inner + end)),
                None => Part::Open(part(start, at)),
            });
            from = at;
        }
    }
    parts.push(Part::Text(part(from, argument.len())));
    parts
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn values() -> BTreeMap<String, Json> {
        serde_json::from_value(json!({
            "lr": 0.1, "name": "big $(X)", "price": "5$$", "model": {"depth": 50, "a.b": {"c": true}}, "list": [1, "x"], "bad key": 1
        }))
        .unwrap()
    }

    #[test]
    fn references_are_replaced() {
        for (argument, expected) in [
            ("--lr=$(hp.lr)", "--lr=0.1"),
            ("$(hp.model.depth)x$(hp.lr)", "50x0.1"),
            ("$(hp.model.a.b.c)", "true"),
            ("$(hp.list)", "[1,\"x\"]"),
            ("$(hp.name)", "big $$(X)"),
            ("$(hp.price)(X) $(hp.price)", "5$$$$(X) 5$$$$"),
            ("$(hp.none) $(HOME) $(hp.lr", "$(hp.none) $(HOME) $(hp.lr"),
            ("$$(hp.lr) $$$(hp.lr)", "$$(hp.lr) $$0.1"),
            ("\u{e4}$(hp.lr)\u{e4}", "\u{e4}0.1\u{e4}"),
            ("$(hp.lr $(hp.lr) $(hp.", "$(hp.lr 0.1 $(hp."),
            ("$(hp.x $$(hp.lr) $$$(hp.lr)", "$(hp.x $$(hp.lr) $$0.1"),
        ] {
            assert_eq!(substitute(argument, &values()), expected, "{argument}");
        }
        assert_eq!(
            parts("a $(hp.x) $$(hp.y) $(hp.z.w"),
            [
                Part::Text("a "),
                Part::Reference("x"),
                Part::Text(" $$(hp.y) "),
                Part::Open("$(hp.z.w"),
                Part::Text(""),
            ]
        );
    }

    #[test]
    fn variables_keep_the_keys() {
        let found = variables(&values());
        let text: Vec<String> = found.iter().map(|(k, v)| format!("{k}={v}")).collect();
        assert_eq!(
            text,
            [
                "BERTH_HP_list=[1,\"x\"]",
                "BERTH_HP_lr=0.1",
                "BERTH_HP_model_a.b_c=true",
                "BERTH_HP_model_depth=50",
                "BERTH_HP_name=big $$(X)",
                "BERTH_HP_price=5$$$$"
            ]
        );
    }

    proptest! {
        #[test]
        fn what_names_nothing_is_left_alone(argument in "[$()a-z.hp]{0,20}") {
            prop_assert_eq!(substitute(&argument, &BTreeMap::new()), argument);
        }
    }
}
