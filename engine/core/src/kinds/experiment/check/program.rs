//! The program: its entrypoint, hyperparameters, variables, labels.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use crate::diagnostic::{Code, Diagnostic, closest, cut};
use crate::kinds::cluster::check::{climbs, upwards};
use crate::kinds::experiment::Experiment;
use crate::kinds::experiment::hyperparameters::{self, Leaf, Part, lookup, parts};
use crate::kinds::pod::{
    is_own_variable, marks, names_a_variable, no_variable, own_variable, task_of,
};
use crate::object::{Key, Node, Place, Value};

/// The arguments of the entrypoint, or its one line.
pub(super) fn words(document: &Experiment) -> &[Node] {
    let entrypoint = document.at(&["spec", "entrypoint"]);
    entrypoint.map_or(&[][..], |node| match node.items() {
        [] => std::slice::from_ref(node),
        items => items,
    })
}

/// `$(hp.PATH)` is closed and names a hyperparameter.
pub(super) fn entrypoint(document: &Experiment) -> Vec<Diagnostic> {
    let mut findings = Vec::new();
    for word in words(document) {
        let parts = parts(word.as_str().unwrap_or_default());
        findings.extend(parts.into_iter().filter_map(|part| match part {
            Part::Text(_) => None,
            Part::Reference(path) => reference(document, path, word.place),
            Part::Open(text) => Some(open(text, word.place)),
        }));
    }
    findings
}

fn reference(document: &Experiment, path: &str, place: Place) -> Option<Diagnostic> {
    match lookup(&document.spec.hyperparameters, path) {
        None => Some(unknown(document, path, place)),
        Some(Json::Object(_)) => {
            let cause = format!("the hyperparameter `{path}` is a map");
            let finding = Diagnostic::error(Code::UnknownHyperparameter, place, cause);
            Some(finding.help("name a value in it, or read BERTH_HPARAMS_FILE"))
        }
        Some(_) => None,
    }
}

/// A reference without its end: the program would get it as it stands there.
fn open(text: &str, place: Place) -> Diagnostic {
    let ends = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | ',' | ';');
    let text = text.split(ends).next().unwrap_or_default();
    let text = cut(text);
    let cause = format!("`{text}` has no `)`");
    Diagnostic::error(Code::UnknownHyperparameter, place, cause).help(format!(
        "write `$(hp.PATH)`, or `$${}` if the program should get this text",
        text.trim_start_matches('$')
    ))
}

fn unknown(document: &Experiment, path: &str, place: Place) -> Diagnostic {
    let mut paths = Vec::new();
    for (key, value) in &document.spec.hyperparameters {
        leaves(key, value, &mut paths);
    }
    let cause = match path.trim() {
        "" => format!("`$(hp.{path})` names no hyperparameter"),
        path => format!("there is no hyperparameter `{}`", cut(path)),
    };
    let finding = Diagnostic::error(Code::UnknownHyperparameter, place, cause);
    match closest(path, paths.iter().map(String::as_str)) {
        Some(close) => finding.help(format!("did you mean `$(hp.{close})`?")),
        None if paths.is_empty() => finding.help("add it to `hyperparameters`"),
        None => finding.help(format!("the hyperparameters are {}", paths.join(", "))),
    }
}

fn leaves(path: &str, value: &Json, into: &mut Vec<String>) {
    match value {
        Json::Object(map) => map
            .iter()
            .for_each(|(key, value)| leaves(&format!("{path}.{key}"), value, into)),
        _ => into.push(path.to_owned()),
    }
}

/// Ranges to search in are not built yet; values are written as they are, and no two of them have
/// one name.
pub(super) fn hyperparameters(document: &Experiment) -> Vec<Diagnostic> {
    let mut findings = Vec::new();
    if let Some(values) = document.at(&["spec", "hyperparameters"]) {
        ranges(values, &mut findings);
        let leaves = hyperparameters::leaves(values);
        twins(&leaves, Leaf::variable, &mut findings);
        twins(
            &leaves,
            |leaf| Some(format!("$(hp.{})", leaf.path())),
            &mut findings,
        );
    }
    findings
}

/// Says of leaves of one name that there are two; of two names of a leaf the first is enough.
fn twins(leaves: &[Leaf], name: impl Fn(&Leaf) -> Option<String>, into: &mut Vec<Diagnostic>) {
    let mut seen: BTreeMap<String, &Leaf> = BTreeMap::new();
    for leaf in leaves {
        let Some(name) = name(leaf) else {
            continue;
        };
        let Some(first) = seen.get(&name) else {
            seen.insert(name, leaf);
            continue;
        };
        if into.iter().any(|it| it.place == Some(leaf.place)) {
            continue;
        }
        let cause = format!("two hyperparameters become `{name}`");
        into.push(
            Diagnostic::error(Code::Ambiguous, leaf.place, cause)
                .related(first.place, "the other one")
                .help("rename one of them"),
        );
    }
}

fn ranges(node: &Node, findings: &mut Vec<Diagnostic>) {
    let kind = node.get("type").and_then(Node::as_str).unwrap_or_default();
    let field = |names: &[&str]| names.iter().any(|name| node.get(name).is_some());
    let is_range = match kind {
        "int" | "double" | "log" => field(&["minval", "maxval"]),
        "categorical" => field(&["vals"]),
        "const" => field(&["val"]),
        _ => false,
    };
    if is_range {
        let cause = format!("hyperparameters of the type `{kind}` are not built yet");
        findings.push(
            Diagnostic::error(Code::NotBuilt, node.place, cause).help("write the value itself"),
        );
        return;
    }
    for (_, below) in node.entries() {
        ranges(below, findings);
    }
}

/// Variables have names that Kubernetes takes and that are not Berth's.
pub(super) fn variables(document: &Experiment) -> Vec<Diagnostic> {
    let variables = document
        .at(&["spec", "environment", "variables"])
        .map_or(&[][..], Node::entries);
    let finding = |key: &Key| {
        let named = Node {
            value: Value::String(key.name.clone()),
            place: key.place,
        };
        if is_own_variable(&key.name) {
            return Some(own_variable(&named));
        }
        // (Kubernetes takes a space, but no program can be told of it.)
        let valid = names_a_variable(&key.name) && !key.name.contains(' ');
        (!valid).then(|| no_variable(&key.name, &named))
    };
    let mut findings: Vec<Diagnostic> = variables
        .iter()
        .filter_map(|(key, _)| finding(key))
        .collect();
    findings.extend(said_twice(document, variables));
    findings
}

/// A variable is given by `environment` or by the document's own layer of the task, not by both.
fn said_twice<'a>(
    document: &'a Experiment,
    variables: &'a [(Key, Node)],
) -> impl Iterator<Item = Diagnostic> + 'a {
    let task = document.pod().and_then(task_of);
    let own = task
        .and_then(|task| task.get("env"))
        .map_or(&[][..], Node::items);
    let names = own.iter().filter_map(|variable| variable.get("name"));
    names.filter_map(|name| {
        let text = name.as_str()?;
        let (key, _) = variables.iter().find(|(key, _)| *key.name == *text)?;
        let cause = format!("the variable `{text}` is given here and in `environment`");
        let finding = Diagnostic::error(Code::Ambiguous, name.place, cause);
        Some(
            finding
                .related(key.place, "the other one")
                .help("keep one of the two"),
        )
    })
}

/// Labels and annotations go onto pods.
pub(super) fn labels(document: &Experiment) -> Vec<Diagnostic> {
    let maps = ["labels", "annotations"].into_iter();
    maps.flat_map(|map| {
        let entries = document.at(&["metadata", map]);
        marks::check(map, entries.map_or(&[][..], Node::entries))
    })
    .collect()
}

/// Checkpoints stay below their prefix.
pub(super) fn storage(document: &Experiment) -> Option<Diagnostic> {
    let storage = document.spec.checkpoint_storage.as_ref()?;
    climbs(&storage.uri).then(|| upwards(document.place(&["spec", "checkpointStorage", "uri"])))
}
