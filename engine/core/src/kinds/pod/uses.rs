//! What a layer of a pod uses beyond the ordinary.

use berth_openapi::{Shape, facts};

use super::guard::{Guard, Rule, guard};
use crate::object::{Key, Node, Place, Value};

/// One thing that a Queue must allow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::kinds) enum Use {
    ServiceAccount(String),
    PriorityClass(String),
    Secret(String),
    Claim(String),
    HostPath(String),
    /// The field that asks for it, by its path, and the value if that is short.
    Host(String),
    /// As of `Host`.
    Privileged(String),
    /// The kind of volume.
    Volume(String),
    /// A field of which Berth does not know what it reaches.
    Unknown(String),
}

/// Everything that a layer (`metadata`, `spec`) uses, each with its place.
pub(in crate::kinds) fn uses(layer: &Node) -> Vec<(Use, Place)> {
    let Some(spec) = layer.get("spec") else {
        return Vec::new();
    };
    let account = spec.get("serviceAccountName").and_then(Node::as_str);
    let mut walk = Walk {
        account: account.unwrap_or("default"),
        path: vec!["spec"],
        found: Vec::new(),
    };
    walk.value(spec, &Shape::Ref("io.k8s.api.core.v1.PodSpec".to_owned()));
    walk.found
}

struct Walk<'a> {
    /// The pod's service account.
    account: &'a str,
    /// The fields above the present one.
    path: Vec<&'a str>,
    found: Vec<(Use, Place)>,
}

impl<'a> Walk<'a> {
    fn value(&mut self, node: &'a Node, shape: &Shape) {
        // What a layer takes away it does not use.
        if node.get("$patch").and_then(Node::as_str) == Some("delete") {
            return;
        }
        let guard = guard(shape);
        match (&node.value, facts().resolve(shape)) {
            (Value::Map(entries), Shape::Object(fields)) => {
                if is_variable(shape) {
                    self.devices(node);
                }
                for (key, below) in entries {
                    let Some(shape) = fields.shape(&key.name) else {
                        continue;
                    };
                    self.path.push(&key.name);
                    if let Some(guard) = guard {
                        self.guarded(guard, key, below);
                    }
                    self.value(below, shape);
                    self.path.pop();
                }
            }
            (Value::List(items), Shape::List { item, .. }) => {
                for node in items {
                    self.value(node, item);
                }
            }
            _ => {}
        }
    }

    fn guarded(&mut self, guard: &Guard, key: &Key, node: &Node) {
        let field = || key.name.to_string();
        let path = self.path.join(".");
        let said = || match shown(node) {
            Some(value) => format!("{path}: {value}"),
            None => path.clone(),
        };
        let rule = match guard.rule(&key.name) {
            Ok(None) => return,
            Ok(Some(rule)) => rule,
            Err(()) => return self.found.push((Use::Unknown(path), key.place)),
        };
        let text = node.as_str().map(ToOwned::to_owned);
        let one = match (rule, &node.value) {
            // Null takes away the `false` that every pod starts from.
            (Rule::Token, value) if *value != Value::Bool(false) => {
                Some(Use::ServiceAccount(self.account.to_owned()))
            }
            (_, Value::Null | Value::Bool(false)) => None,
            (Rule::Account, _) => text.map(Use::ServiceAccount),
            (Rule::PriorityClass, _) => text.map(Use::PriorityClass),
            (Rule::Secret, _) => text.map(Use::Secret),
            (Rule::Claim, _) => text.map(Use::Claim),
            (Rule::HostPath, _) => text.map(Use::HostPath),
            (Rule::PrivilegedIf(value), _) => {
                (text.as_deref() == Some(value)).then(|| Use::Privileged(said()))
            }
            (_, Value::List(items)) if items.is_empty() => None,
            (Rule::Host, _) => Some(Use::Host(said())),
            (Rule::Volume, _) => return self.found.push((Use::Volume(field()), key.place)),
            (Rule::Privileged | Rule::Token, _) => Some(Use::Privileged(said())),
        };
        self.found.extend(one.map(|one| (one, node.place)));
    }

    /// A container that asks the runtime for devices by a variable gets those of others. (The
    /// variable is Berth's own in the task.)
    fn devices(&mut self, variable: &Node) {
        const NAME: &str = "NVIDIA_VISIBLE_DEVICES";
        let text = |field| variable.get(field).and_then(Node::as_str);
        let none = matches!(text("value"), Some("void" | "none" | ""));
        if text("name") == Some(NAME) && !none {
            let place = variable.get("name").map_or(variable.place, |it| it.place);
            self.found.push((Use::Privileged(NAME.to_owned()), place));
        }
    }
}

/// A value that a line has room for.
fn shown(node: &Node) -> Option<String> {
    let scalar = |node: &Node| match &node.value {
        Value::String(text) => Some(text.to_string()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    };
    let text = if node.items().is_empty() {
        scalar(node)
    } else {
        let items: Option<Vec<String>> = node.items().iter().map(scalar).collect();
        items.map(|items| format!("[{}]", items.join(", ")))
    };
    text.filter(|text| text.chars().count() <= 60)
}

fn is_variable(shape: &Shape) -> bool {
    matches!(shape, Shape::Ref(name) if name == "io.k8s.api.core.v1.EnvVar")
}
