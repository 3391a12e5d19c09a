//! One layer of a pod against Kubernetes' own types and the table of owned fields.

use berth_openapi::{Fields, Quantity, Shape, facts};

use super::directive::{self, is_directive};
use super::marks;
use super::rules;
use super::table::{Part, owned};
use crate::diagnostic::{Code, Diagnostic, closest, cut};
use crate::object::{Key, Node, Value, twins};

const POD: &str = "io.k8s.api.core.v1.Pod";
/// The container of the program.
pub(super) const TASK: &str = "task";
/// Where Berth mounts what it gives to a program.
const OWN_FOLDER: &str = "/run/berth";
/// By this variable a container asks the NVIDIA runtime for GPUs, past all slots.
const DEVICES: &str = "NVIDIA_VISIBLE_DEVICES";

/// What is wrong with a layer, whatever it is a layer of. `path` says where it stands, such as
/// `spec.pod`.
pub(in crate::kinds) fn check(layer: &Node, path: &str) -> Vec<Diagnostic> {
    let mut walk = Walk::default();
    for (name, part) in [("metadata", Part::Metadata), ("spec", Part::Spec)] {
        let Some(node) = layer.get(name) else {
            continue;
        };
        let shape = facts().at(POD, &[name]).unwrap_or(&Shape::Any);
        walk.part(node, &format!("{path}.{name}"), part);
        walk.value(node, shape, &format!("{path}.{name}"));
    }
    if let Some(spec) = layer.get("spec") {
        let rules = rules::check("PodSpec", spec, &format!("{path}.spec"));
        walk.findings.extend(rules);
        walk.containers(spec, path);
        let selector = spec.get("nodeSelector").map_or(&[][..], Node::entries);
        walk.findings
            .extend(marks::selector("labels of a node", selector));
        walk.volumes(spec);
    }
    if let Some(metadata) = layer.get("metadata") {
        walk.metadata(metadata);
    }
    walk.findings.extend(directive::check(layer, path));
    walk.findings
}

#[derive(Default)]
struct Walk {
    findings: Vec<Diagnostic>,
}

impl Walk {
    fn value(&mut self, node: &Node, shape: &Shape, path: &str) {
        if let Shape::Ref(name) = shape {
            self.findings.extend(rules::check(name, node, path));
        }
        let shape = facts().resolve(shape);
        match (&node.value, shape) {
            // In a layer, null removes what is below.
            (Value::Null, _) | (_, Shape::Any) => {}
            (Value::Map(entries), Shape::Object(fields)) => self.object(entries, fields, path),
            (Value::Map(entries), Shape::Map { value, .. }) => {
                for (key, node) in entries.iter().filter(|(key, _)| !is_directive(key)) {
                    self.value(node, value, &format!("{path}.{}", key.name));
                }
            }
            (
                Value::List(items),
                Shape::List {
                    item,
                    patch_merge_key,
                    ..
                },
            ) => {
                self.twins(items, shape, path);
                for (index, node) in items.iter().enumerate() {
                    self.item(node, patch_merge_key.as_deref(), path);
                    self.value(node, item, &format!("{path}[{index}]"));
                }
            }
            _ => self.scalar(node, shape, path),
        }
    }

    fn object(&mut self, entries: &[(Key, Node)], fields: &Fields, path: &str) {
        for (key, node) in entries.iter().filter(|(key, _)| !is_directive(key)) {
            let path = format!("{path}.{}", key.name);
            match fields.shape(&key.name) {
                Some(shape) => self.value(node, shape, &path),
                None if fields.open => {}
                None => self.unknown(key, fields, &path),
            }
        }
    }

    fn unknown(&mut self, key: &Key, fields: &Fields, path: &str) {
        let version = facts().version();
        let cause = format!("Kubernetes {version} knows no field `{path}`");
        let finding = Diagnostic::error(Code::UnknownPodField, key.place, cause);
        let names = fields.fields.keys().map(String::as_str);
        let help = if let Some(close) = closest(&key.name, names) {
            format!("did you mean `{close}`?")
        } else {
            let parent = path.rsplit_once('.').map_or(path, |(parent, _)| parent);
            format!("`kubectl explain {}` lists the fields", explained(parent))
        };
        self.findings.push(finding.help(help));
    }

    /// Of two items of one name the merge would keep one without a word.
    fn twins(&mut self, items: &[Node], shape: &Shape, path: &str) {
        for (first, twin) in twins(items, shape) {
            let cause = format!("two items of `{path}` have one name");
            self.findings.push(
                Diagnostic::error(Code::DuplicateKey, twin.place, cause)
                    .related(first.place, "the first one")
                    .help("remove one of them, or give it another name"),
            );
        }
    }

    /// Items of lists that are merged by a key need it.
    fn item(&mut self, node: &Node, merge_key: Option<&str>, path: &str) {
        let (Some(merge_key), Value::Map(_)) = (merge_key, &node.value) else {
            return;
        };
        let replaces = node.get("$patch").and_then(Node::as_str) == Some("replace");
        if node.get(merge_key).is_none() && !replaces {
            let cause = format!("an item of `{path}` has no `{merge_key}`");
            let help = format!("items of layers are merged by their `{merge_key}`: add it");
            self.findings
                .push(Diagnostic::error(Code::MissingField, node.place, cause).help(help));
        }
    }

    fn scalar(&mut self, node: &Node, shape: &Shape, path: &str) {
        let wanted = match (&node.value, shape) {
            (Value::String(text), Shape::String { values, .. }) => {
                if !values.is_empty() && !values.iter().any(|value| **value == **text) {
                    self.not_one_of(node, text, values, path);
                }
                return;
            }
            (Value::String(text), Shape::Quantity) => match text.parse::<Quantity>() {
                Ok(_) => return,
                Err(_) => "an amount such as 500m or 8Gi",
            },
            (Value::Number(_), Shape::Quantity | Shape::Number)
            | (Value::String(_), Shape::IntOrString | Shape::Time)
            | (Value::Bool(_), Shape::Boolean) => return,
            (Value::Number(number), Shape::Integer { .. } | Shape::IntOrString)
                if !number.is_f64() =>
            {
                return;
            }
            (_, Shape::String { .. } | Shape::Time) => "text",
            (_, Shape::Quantity) => "an amount such as 500m or 8Gi",
            (_, Shape::Integer { .. }) => "a whole number",
            (_, Shape::IntOrString) => "a whole number or text",
            (_, Shape::Number) => "a number",
            (_, Shape::Boolean) => "true or false",
            (_, Shape::List { .. }) => "a list",
            _ => "a map",
        };
        let finding = Diagnostic::error(
            Code::WrongType,
            node.place,
            format!("`{path}` must be {wanted}"),
        );
        let help = match &node.value {
            Value::Number(_) | Value::Bool(_) if wanted == "text" => "quote it".to_owned(),
            Value::String(text) if text.parse::<f64>().is_ok() || is_flag(text) => {
                "take the quotes off".to_owned()
            }
            _ => format!("`kubectl explain {}` describes it", explained(path)),
        };
        self.findings.push(finding.help(help));
    }

    fn not_one_of(&mut self, node: &Node, text: &str, values: &[String], path: &str) {
        let cause = format!("`{path}` cannot be `{}`", cut(text));
        let help = match closest(text, values.iter().map(String::as_str)) {
            Some(close) => format!("did you mean `{close}`?"),
            None => format!("write {}", values.join(", ")),
        };
        self.findings
            .push(Diagnostic::error(Code::OutOfRange, node.place, cause).help(help));
    }

    /// Refuses the fields that are Berth's own.
    fn part(&mut self, node: &Node, path: &str, part: Part) {
        for (key, _) in node.entries() {
            if let Some(instead) = owned(part, &key.name) {
                let cause = format!("`{path}.{}` is a field that Berth sets itself", key.name);
                self.findings
                    .push(Diagnostic::error(Code::ReservedField, key.place, cause).help(instead));
            }
        }
    }

    fn containers(&mut self, spec: &Node, path: &str) {
        for container in spec.get("containers").map_or(&[][..], Node::items) {
            let task = container.get("name").and_then(Node::as_str) == Some(TASK);
            let part = if task { Part::Task } else { Part::Sidecar };
            self.part(container, &format!("{path}.spec.containers"), part);
            if task {
                self.variables(container);
                self.mounts(container);
            }
        }
        let items = |kind: &str| spec.get(kind).map_or(&[][..], Node::items);
        for container in items("containers").iter().chain(items("initContainers")) {
            self.amounts(container);
            self.label(container, "a container");
        }
        for container in items("initContainers") {
            self.sidecar_twin(container, items("containers"));
            if let Some(name) = container
                .get("name")
                .filter(|name| name.as_str() == Some(TASK))
            {
                let cause = "the name `task` is that of the program's container";
                self.findings.push(
                    Diagnostic::error(Code::ReservedField, name.place, cause)
                        .help("give it another name"),
                );
            }
        }
    }

    /// Nothing is asked for in amounts below zero.
    fn amounts(&mut self, container: &Node) {
        let parts = ["limits", "requests"].into_iter();
        let amounts = parts.filter_map(|part| container.at(&["resources", part]));
        for (key, node) in amounts.flat_map(Node::entries) {
            let text = match &node.value {
                Value::String(text) => text.to_string(),
                Value::Number(number) => number.to_string(),
                _ => continue,
            };
            if text.parse::<Quantity>().is_ok_and(|it| it.nanos() < 0) {
                let cause = format!("{text} of `{}` is below 0", key.name);
                self.findings.push(
                    Diagnostic::error(Code::OutOfRange, node.place, cause)
                        .help("write an amount of 0 or more"),
                );
            }
        }
    }

    /// Sidecars become init containers that go on, so that both share one set of names.
    fn sidecar_twin(&mut self, container: &Node, others: &[Node]) {
        let name = |of: &Node| of.get("name").and_then(Node::as_str).map(str::to_owned);
        let Some(own) = name(container).filter(|own| own != TASK) else {
            return;
        };
        if let Some(twin) = others.iter().find(|it| name(it).as_ref() == Some(&own)) {
            let cause = format!("an init container and a sidecar are both called `{own}`");
            self.findings.push(
                Diagnostic::error(Code::DuplicateKey, container.place, cause)
                    .related(twin.place, "the sidecar")
                    .help("give one of them another name"),
            );
        }
    }

    fn variables(&mut self, task: &Node) {
        for variable in task.get("env").map_or(&[][..], Node::items) {
            if let Some(name) = variable.get("name")
                && name.as_str().is_some_and(is_own_variable)
            {
                self.findings.push(own_variable(name));
            }
        }
    }

    fn mounts(&mut self, task: &Node) {
        let mounts = task.get("volumeMounts").map_or(&[][..], Node::items);
        for path in mounts.iter().filter_map(|mount| mount.get("mountPath")) {
            let text = path.as_str().unwrap_or_default().trim_end_matches('/');
            if text == OWN_FOLDER || text.starts_with(&format!("{OWN_FOLDER}/")) {
                let cause = format!("`{text}` is Berth's own folder");
                let help = format!("mount it anywhere outside of {OWN_FOLDER}");
                self.findings
                    .push(Diagnostic::error(Code::ReservedField, path.place, cause).help(help));
            }
        }
    }

    fn volumes(&mut self, spec: &Node) {
        for volume in spec.get("volumes").map_or(&[][..], Node::items) {
            self.label(volume, "a volume");
            self.source(volume);
            if let Some(name) = volume
                .get("name")
                .filter(|name| name.as_str().is_some_and(|it| it.starts_with("berth-")))
            {
                let cause = "names of volumes that begin with `berth-` are Berth's own";
                self.findings.push(
                    Diagnostic::error(Code::ReservedField, name.place, cause)
                        .help("give it another name"),
                );
            }
        }
    }

    /// Containers and volumes are named by labels of DNS (RFC 1123).
    fn label(&mut self, item: &Node, what: &str) {
        let name = item.get("name");
        let said = name.and_then(|node| Some((node, node.as_str()?)));
        if let Some((node, text)) = said.filter(|(_, text)| !is_label(text)) {
            let cause = format!("`{}` is no name for {what}", cut(text));
            let help =
                "it has letters in lower case, digits and `-`, at most 63, no `-` at its ends";
            self.findings
                .push(Diagnostic::error(Code::InvalidName, node.place, cause).help(help));
        }
    }

    /// A volume is of one kind.
    fn source(&mut self, volume: &Node) {
        let said = volume
            .entries()
            .iter()
            .filter(|(key, node)| node.value != Value::Null && !is_directive(key))
            .filter(|(key, _)| &*key.name != "name");
        if let [(first, _), (second, _), ..] = said.collect::<Vec<_>>()[..] {
            let cause = format!(
                "a volume is `{}` or `{}`, not both",
                first.name, second.name
            );
            self.findings.push(
                Diagnostic::error(Code::DuplicateKey, second.place, cause)
                    .related(first.place, "the other kind")
                    .help("make it two volumes"),
            );
        }
    }

    fn metadata(&mut self, metadata: &Node) {
        for map in ["labels", "annotations"] {
            let entries = metadata.get(map).map_or(&[][..], Node::entries);
            self.findings.extend(marks::check(map, entries));
        }
    }
}

/// A label of DNS, as RFC 1123 has it.
fn is_label(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let bytes = text.as_bytes();
    let ends = [bytes.first(), bytes.last()];
    (1..=63).contains(&bytes.len())
        && bytes.iter().all(|b| plain(*b) || *b == b'-')
        && ends.into_iter().flatten().all(|b| plain(*b))
}

fn is_flag(text: &str) -> bool {
    matches!(text, "true" | "false")
}

/// A path such as `spec.pod.spec.volumes[0].name` as `kubectl explain` takes it.
fn explained(path: &str) -> String {
    let below = [".metadata", ".spec"]
        .into_iter()
        .filter_map(|part| path.find(part))
        .min()
        .and_then(|at| path.get(at..));
    let parts = below.unwrap_or_default().split('[');
    let names = parts.map(|part| part.split_once(']').map_or(part, |(_, rest)| rest));
    format!("pod{}", names.collect::<String>())
}

/// The container of the program in a layer.
pub(in crate::kinds) fn task_of(layer: &Node) -> Option<&Node> {
    let containers = layer.at(&["spec", "containers"])?.items();
    containers
        .iter()
        .find(|container| container.get("name").and_then(Node::as_str) == Some(TASK))
}

/// Whether a variable is Berth's own.
pub(in crate::kinds) fn is_own_variable(name: &str) -> bool {
    name.starts_with("BERTH_") || name.starts_with("PET_") || name == DEVICES
}

/// Says that a variable is Berth's own.
pub(in crate::kinds) fn own_variable(name: &Node) -> Diagnostic {
    let cause = format!(
        "the variable `{}` is Berth's own",
        name.as_str().unwrap_or_default()
    );
    let help = match name.as_str() {
        Some(DEVICES) => "a program sees the GPUs of its slots, `resources.slotsPerTrial`",
        _ => "names that begin with `BERTH_` or `PET_` are set by Berth",
    };
    Diagnostic::error(Code::ReservedField, name.place, cause).help(help)
}
