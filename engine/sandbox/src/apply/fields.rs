//! Sets of fields, as `managedFields` writes them in its format `FieldsV1`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde_json::{Map, Value};

/// One step down an object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// A field of an object, or a key of a map.
    Field(String),
    /// An item of a list, by the JSON of its key fields.
    Key(String),
    /// An item of a set, by its JSON.
    Value(String),
    /// An item of a list, by its place.
    Index(usize),
}

impl Step {
    /// The step to the field `name`.
    pub fn field(name: &str) -> Self {
        Self::Field(name.to_owned())
    }

    fn parse(text: &str) -> Option<Self> {
        let (kind, rest) = text.split_once(':')?;
        match kind {
            "f" => Some(Self::Field(rest.to_owned())),
            "k" => Some(Self::Key(canonical(rest)?)),
            "v" => Some(Self::Value(canonical(rest)?)),
            "i" => rest.parse().ok().map(Self::Index),
            _ => None,
        }
    }

    fn print(&self) -> String {
        match self {
            Self::Field(name) => format!("f:{name}"),
            Self::Key(json) => format!("k:{json}"),
            Self::Value(json) => format!("v:{json}"),
            Self::Index(place) => format!("i:{place}"),
        }
    }
}

/// Keys are compared as text, so the text has one form: sorted and without spaces.
fn canonical(json: &str) -> Option<String> {
    serde_json::from_str::<Value>(json)
        .ok()
        .map(|value| value.to_string())
}

/// As the messages of the API server write a step.
impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Field(name) => write!(f, ".{name}"),
            Self::Key(json) => {
                let keys: BTreeMap<String, Value> = serde_json::from_str(json).unwrap_or_default();
                let keys: Vec<_> = keys
                    .iter()
                    .map(|(key, value)| format!("{key}={value}"))
                    .collect();
                write!(f, "[{}]", keys.join(","))
            }
            Self::Value(json) => write!(f, "[={json}]"),
            Self::Index(place) => write!(f, "[{place}]"),
        }
    }
}

/// A set of fields: which of the steps from here are members, and what lies below each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldSet {
    members: BTreeSet<Step>,
    /// Never holds an empty set.
    children: BTreeMap<Step, FieldSet>,
}

impl FieldSet {
    /// Reads `FieldsV1`; what is not written as such is left out.
    pub fn parse(fields: &Value) -> Self {
        let mut set = Self::default();
        for (text, below) in fields.as_object().into_iter().flatten() {
            let Some(step) = Step::parse(text) else {
                continue;
            };
            let child = Self::parse(below);
            if child.is_empty() || below.get(".").is_some() {
                set.members.insert(step.clone());
            }
            set.attach(step, child);
        }
        set
    }

    /// Writes `FieldsV1`.
    pub fn print(&self) -> Value {
        let mut fields = Map::new();
        for step in &self.members {
            fields.insert(step.print(), Value::Object(Map::new()));
        }
        for (step, child) in &self.children {
            let mut below = child.print();
            if let (true, Value::Object(map)) = (self.members.contains(step), &mut below) {
                map.insert(".".to_owned(), Value::Object(Map::new()));
            }
            fields.insert(step.print(), below);
        }
        Value::Object(fields)
    }

    /// Whether it has no member at any depth.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty() && self.children.is_empty()
    }

    /// Whether the field one step from here is a member.
    pub fn has(&self, step: &Step) -> bool {
        self.members.contains(step)
    }

    /// What lies below a step, if anything does.
    pub fn below(&self, step: &Step) -> Option<&Self> {
        self.children.get(step)
    }

    /// The steps from here with something below them.
    pub fn children(&self) -> impl Iterator<Item = (&Step, &Self)> {
        self.children.iter()
    }

    /// Adds the field one step from here.
    pub fn insert(&mut self, step: Step) {
        self.members.insert(step);
    }

    /// Adds all of `child` below `step`.
    pub fn attach(&mut self, step: Step, child: Self) {
        if child.is_empty() {
            return;
        }
        let merged = match self.children.remove(&step) {
            Some(there) => there.union(&child),
            None => child,
        };
        self.children.insert(step, merged);
    }

    /// Adds the field at a path of names.
    pub fn insert_path(&mut self, path: &[&str]) {
        match path {
            [] => {}
            [last] => self.insert(Step::field(last)),
            [first, rest @ ..] => {
                let mut child = Self::default();
                child.insert_path(rest);
                self.attach(Step::field(first), child);
            }
        }
    }

    /// The fields of either.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        let mut set = self.clone();
        set.members.extend(other.members.iter().cloned());
        for (step, child) in &other.children {
            set.attach(step.clone(), child.clone());
        }
        set
    }

    /// The fields of both.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        let mut set = Self {
            members: &self.members & &other.members,
            children: BTreeMap::new(),
        };
        for (step, child) in &self.children {
            if let Some(there) = other.below(step) {
                set.attach(step.clone(), child.intersection(there));
            }
        }
        set
    }

    /// The fields of this one that are not of `other`.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Self {
        let mut set = Self {
            members: &self.members - &other.members,
            children: BTreeMap::new(),
        };
        for (step, child) in &self.children {
            let rest = match other.below(step) {
                Some(there) => child.difference(there),
                None => child.clone(),
            };
            set.attach(step.clone(), rest);
        }
        set
    }

    /// The paths of all members, as the API server writes them: `.spec.replicas`.
    pub fn paths(&self) -> Vec<String> {
        let mut paths = Vec::new();
        self.collect_paths("", &mut paths);
        paths
    }

    fn collect_paths(&self, prefix: &str, paths: &mut Vec<String>) {
        let steps: BTreeSet<_> = self.members.iter().chain(self.children.keys()).collect();
        for step in steps {
            let path = format!("{prefix}{step}");
            if self.has(step) {
                paths.push(path.clone());
            }
            if let Some(child) = self.below(step) {
                child.collect_paths(&path, paths);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn set(value: &Value) -> FieldSet {
        FieldSet::parse(value)
    }

    #[test]
    fn reads_what_it_writes() {
        let fields = json!({
            "f:metadata": {"f:labels": {".": {}, "f:app": {}}, "f:finalizers": {"v:\"a/b\"": {}}},
            "f:spec": {"f:ports": {"k:{\"port\":80,\"protocol\":\"TCP\"}": {".": {}, "f:port": {}}}},
        });
        assert_eq!(set(&fields).print(), fields);
        assert_eq!(
            set(&fields).paths(),
            [
                ".metadata.finalizers[=\"a/b\"]",
                ".metadata.labels",
                ".metadata.labels.app",
                ".spec.ports[port=80,protocol=\"TCP\"]",
                ".spec.ports[port=80,protocol=\"TCP\"].port",
            ]
        );
    }

    #[test]
    fn is_a_set() {
        let left = set(&json!({"f:a": {".": {}, "f:b": {}}, "f:c": {}}));
        let right = set(&json!({"f:a": {"f:b": {}, "f:d": {}}}));
        assert_eq!(left.intersection(&right), set(&json!({"f:a": {"f:b": {}}})));
        assert_eq!(left.difference(&right), set(&json!({"f:a": {}, "f:c": {}})));
        assert_eq!(
            left.union(&right),
            set(&json!({"f:a": {".": {}, "f:b": {}, "f:d": {}}, "f:c": {}}))
        );
        assert!(left.difference(&left).is_empty());
    }
}
