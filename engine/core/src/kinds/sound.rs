//! What is sound of a document with faults, so that more faults can be looked for in it.

use std::sync::Arc;

use serde_json::{Value as Json, json};

use super::read::build;
use super::{Cluster, Document, schema};
use crate::diagnostic::{Code, Diagnostic, closest};
use crate::ids::DocumentKind;
use crate::object::{Key, Node, Place, Value};

/// What is at fault is taken out so often: what remains of a value may be none any more, nor what
/// held it. A document that is not sound by then is given up.
const TRIES: usize = 32;

/// A path of keys.
type Path = &'static [&'static str];

/// The document without what is at fault, `None` if too little remains. What it must have, and what
/// a check would miss because it was at fault, is replaced by stand-ins at [`Place::ENGINE`]: a
/// finding about one of those is no finding.
pub(super) fn sound(kind: DocumentKind, tree: &Node, faults: &[Diagnostic]) -> Option<Document> {
    // Where something is missing there is nothing to take out, unless it stays missing.
    let at_fault = faults.iter().filter(|it| it.code != Code::MissingField);
    let mut unsound: Vec<Place> = at_fault.filter_map(|it| it.place).collect();
    for _ in 0..TRIES {
        let mut kept = with_stand_ins(kind, tree, without(tree, &unsound)?);
        name_variables(tree, &mut kept, &unsound);
        let left = schema::check(kind, &kept);
        if !left.is_empty() {
            unsound.extend(left.iter().filter_map(|it| it.place));
            continue;
        }
        match build(kind, kept) {
            Ok(document) => return Some(document),
            // A type may say what its schema does not.
            Err(refused) => unsound.push(refused.0.place?),
        }
    }
    None
}

fn with_stand_ins(kind: DocumentKind, tree: &Node, mut kept: Node) -> Node {
    for (path, value) in required(kind) {
        if kept.at(path).is_none() {
            put(&mut kept, path, value);
        }
    }
    for (paths, stand_in, value) in missed(kind) {
        if paths.iter().any(|path| lost(tree, &kept, path)) {
            put(&mut kept, stand_in, value);
        }
    }
    kept
}

/// A variable whose value was taken out keeps its name, which may be at fault, too.
fn name_variables(tree: &Node, kept: &mut Node, unsound: &[Place]) {
    const VARIABLES: Path = &["spec", "environment", "variables"];
    let said = tree.at(VARIABLES).map_or(&[][..], Node::entries);
    let Some(Value::Map(entries)) = at_mut(kept, VARIABLES).map(|it| &mut it.value) else {
        return;
    };
    for (key, _) in said {
        let there = entries.iter().any(|(kept, _)| kept.place == key.place);
        if !there && !unsound.contains(&key.place) {
            entries.push((key.clone(), Node::engine(&json!("x"))));
        }
    }
}

fn at_mut<'a>(node: &'a mut Node, path: &[&str]) -> Option<&'a mut Node> {
    let Some((name, rest)) = path.split_first() else {
        return Some(node);
    };
    let Value::Map(entries) = &mut node.value else {
        return None;
    };
    let mut entries = entries.iter_mut();
    let (_, below) = entries.find(|(key, _)| *key.name == **name)?;
    at_mut(below, rest)
}

/// A cluster of which nothing is known: whatever hangs on it passes.
pub(crate) fn unknown_cluster() -> Option<Arc<Cluster>> {
    let mut tree = Node::engine(&json!({}));
    for (path, value) in required(DocumentKind::Cluster) {
        put(&mut tree, path, value);
    }
    for (_, stand_in, value) in missed(DocumentKind::Cluster) {
        put(&mut tree, stand_in, value);
    }
    match build(DocumentKind::Cluster, tree) {
        Ok(Document::Cluster(cluster)) => Some(cluster),
        _ => None,
    }
}

/// What a document cannot do without.
fn required(kind: DocumentKind) -> Vec<(Path, Json)> {
    let mut rows: Vec<(Path, Json)> = vec![(&["metadata", "name"], json!("x"))];
    rows.extend(match kind {
        DocumentKind::Cluster => vec![
            // No queue has this one.
            (&["spec", "namespace"] as Path, json!("berth-stand-in")),
            // Every size splits.
            (&["spec", "maxSlotsPerPod"], json!(1)),
        ],
        DocumentKind::Queue => vec![
            (&["spec", "cluster"] as Path, json!("x")),
            (&["spec", "namespace"], json!("x")),
            (&["spec", "quota"], json!(0)),
        ],
        DocumentKind::Experiment => vec![
            (&["spec", "queue"] as Path, json!("x")),
            (&["spec", "entrypoint"], json!(["x"])),
        ],
        _ => vec![(&["spec"] as Path, json!({}))],
    });
    rows
}

/// If one of these is at fault, what depends on it cannot be judged: a value that passes stands in.
fn missed(kind: DocumentKind) -> Vec<(&'static [Path], Path, Json)> {
    const SLOTS: &[Path] = &[
        &["spec", "resources"],
        &["spec", "resources", "slotsPerTrial"],
        &["spec", "resources", "maxSlotsPerPod"],
        &["spec", "onUneven"],
    ];
    const IMAGE: &[Path] = &[
        &["spec", "image"],
        &["spec", "resources"],
        &["spec", "resources", "slotsPerTrial"],
    ];
    match kind {
        DocumentKind::Cluster => missed_of_cluster(),
        DocumentKind::Experiment => vec![
            (
                &[&["spec", "hyperparameters"]],
                &["spec", "entrypoint"],
                json!(["x"]),
            ),
            (SLOTS, &["spec", "resources", "slotsPerTrial"], json!(1)),
            (IMAGE, &["spec", "image"], json!("x")),
        ],
        _ => Vec::new(),
    }
}

/// Other documents are judged by a cluster, too.
fn missed_of_cluster() -> Vec<(&'static [Path], Path, Json)> {
    const REQUESTS: &[Path] = &[
        &["spec", "slotResourceRequests"],
        &["spec", "slotResourceRequests", "cpu"],
    ];
    const SLOT: &[Path] = &[
        &["spec", "slotType"],
        &["spec", "slotResource"],
        &["spec", "slotResourceRequests"],
        &["spec", "slotResourceRequests", "cpu"],
    ];
    const IMAGES: &[Path] = &[
        &["spec", "images"],
        &["spec", "images", "cpu"],
        &["spec", "images", "gpu"],
        &["spec", "slotType"],
        &["spec", "slotResourceRequests"],
    ];
    vec![
        (REQUESTS, &["spec", "slotType"], json!("cuda")),
        (SLOT, &["spec", "slotResource"], json!("berth.dev/unknown")),
        (IMAGES, &["spec", "images"], json!({"cpu": "x", "gpu": "x"})),
        (
            &[&["spec", "onUneven"]],
            &["spec", "onUneven"],
            json!("shrink"),
        ),
        (
            &[&["spec", "imagePullSecrets"]],
            &["spec", "imagePullSecrets"],
            json!([]),
        ),
    ]
}

/// Whether the value at this path was taken out, also if its key was misspelt.
fn lost(tree: &Node, kept: &Node, path: &[&str]) -> bool {
    let Some((name, parent)) = path.split_last() else {
        return false;
    };
    let there = |node: &Node, name: &str| {
        let below = node.at(parent).and_then(|parent| parent.get(name));
        below.is_some_and(|node| node.place != Place::ENGINE)
    };
    let meant = |key: &Key| &*key.name == *name || closest(&key.name, [*name]).is_some();
    let before = tree.at(parent).map_or(&[][..], Node::entries);
    let mut gone = before
        .iter()
        .map(|(key, _)| key)
        .filter(|key| !there(kept, &key.name));
    gone.any(meant)
}

/// The tree without the fields and items that stand, or whose keys stand, at one of these places.
fn without(node: &Node, places: &[Place]) -> Option<Node> {
    if places.contains(&node.place) {
        return None;
    }
    let value = match &node.value {
        Value::Map(entries) => Value::Map(
            entries
                .iter()
                .filter(|(key, _)| !places.contains(&key.place))
                .filter_map(|(key, below)| Some((key.clone(), without(below, places)?)))
                .collect(),
        ),
        Value::List(items) => {
            Value::List(items.iter().filter_map(|it| without(it, places)).collect())
        }
        other => other.clone(),
    };
    Some(Node {
        value,
        place: node.place,
    })
}

/// Puts a stand-in at this path.
fn put(node: &mut Node, path: &[&str], value: Json) {
    let Some((name, rest)) = path.split_first() else {
        *node = Node::engine(&value);
        return;
    };
    if !matches!(node.value, Value::Map(_)) {
        *node = Node::engine(&json!({}));
    }
    if let Value::Map(entries) = &mut node.value {
        let index = entries.iter().position(|(key, _)| *key.name == **name);
        let index = index.unwrap_or_else(|| {
            let key = Key {
                name: (*name).into(),
                place: Place::ENGINE,
            };
            entries.push((key, Node::engine(&Json::Null)));
            entries.len() - 1
        });
        if let Some((_, below)) = entries.get_mut(index) {
            put(below, rest, value);
        }
    }
}

/// A tree in which each key stands once: of several the first.
pub(super) fn once(mut tree: Node) -> Node {
    match &mut tree.value {
        Value::Map(entries) => {
            let mut seen = std::collections::BTreeSet::new();
            entries.retain(|(key, _)| seen.insert(key.name.clone()));
            for (_, below) in entries {
                *below = once(std::mem::replace(below, Node::engine(&Json::Null)));
            }
        }
        Value::List(items) => {
            for item in items {
                *item = once(std::mem::replace(item, Node::engine(&Json::Null)));
            }
        }
        _ => {}
    }
    tree
}
