//! What is sound of a document with faults, so that more faults can be looked for in it.

use serde_json::{Value as Json, json};

use super::read::build;
use super::{Document, schema};
use crate::diagnostic::{Code, Diagnostic, closest};
use crate::ids::DocumentKind;
use crate::object::{Key, Node, Place, Value};

/// What is at fault is taken out so often: what remains of a value may be none any more, nor what
/// held it. A document that is not sound by then is given up.
const TRIES: usize = 32;

/// A path of keys.
type Path = &'static [&'static str];

/// If one of these is at fault, this value stands in there.
type Missed = (&'static [Path], Path, Json);

/// The document without what is at fault, `None` if too little remains. What it must have, and what
/// a check would miss because it was at fault, is replaced by stand-ins at [`Place::ENGINE`]: a
/// finding about one of those is no finding.
pub(super) fn sound(kind: DocumentKind, tree: &Node, faults: &[Diagnostic]) -> Option<Document> {
    without_faults(kind, tree, places(faults).0, &Use::More)
}

/// What other documents may be judged by of one that is at fault: [`sound`], less all that hangs on
/// what is at fault; `None` if that cannot be told.
pub(super) fn basis(kind: DocumentKind, tree: &Node, faults: &[Diagnostic]) -> Option<Document> {
    // Nothing refers to an experiment; what an alias or a merge key would bring may be anything.
    if kind.has_queue() || faults.iter().any(|it| it.code == Code::Alias) {
        return None;
    }
    let (mut wrong, missing) = places(faults);
    // Of a field that is given twice nobody knows which one counts.
    let twice = faults.iter().filter(|it| it.code == Code::DuplicateKey);
    wrong.extend(twice.flat_map(|it| it.related.iter().map(|(place, _)| *place)));
    without_faults(kind, tree, wrong, &Use::Others { missing })
}

/// What a document without its faults is for.
enum Use {
    /// To look for more faults in it.
    More,
    /// To judge others by it. These places miss something.
    Others { missing: Vec<Place> },
}

/// Where something is wrong, and where something is missing: there is nothing to take out, unless
/// it stays missing.
fn places(faults: &[Diagnostic]) -> (Vec<Place>, Vec<Place>) {
    let of = |missing: bool| {
        let of = faults
            .iter()
            .filter(|it| (it.code == Code::MissingField) == missing);
        of.filter_map(|it| it.place).collect()
    };
    (of(false), of(true))
}

fn without_faults(
    kind: DocumentKind,
    tree: &Node,
    mut unsound: Vec<Place>,
    to: &Use,
) -> Option<Document> {
    for _ in 0..TRIES {
        let kept = without(tree, &unsound)?;
        let mut kept = with_stand_ins(kind, tree, kept, &unsound, to);
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

fn with_stand_ins(
    kind: DocumentKind,
    tree: &Node,
    mut kept: Node,
    unsound: &[Place],
    to: &Use,
) -> Node {
    for (path, value) in required(kind) {
        if kept.at(path).is_none() {
            put(&mut kept, path, value);
        }
    }
    let mut rows = missed(kind);
    if let Use::Others { .. } = to {
        rows.extend(missed_by_others(kind));
    }
    let names: Vec<&str> = rows.iter().flat_map(|row| row.1).copied().collect();
    let known = matches!(to, Use::Others { .. }).then_some(&*names);
    for (paths, stand_in, value) in &rows {
        let lost = |path: &Path| lost(tree, path, value, unsound, known);
        // Of a list or a layer, any part may be what a check misses.
        let whole = (value.is_array() || value.is_object()) && paths.contains(stand_in);
        let at_fault = || match (to, tree.at(stand_in)) {
            (Use::Others { missing }, Some(said)) if whole => {
                holds_any(said, unsound) || holds_any(said, missing)
            }
            _ => false,
        };
        if paths.iter().any(lost) || at_fault() {
            put(&mut kept, stand_in, value.clone());
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

/// A document of which nothing is known: whatever hangs on it passes.
pub(crate) fn unknown(kind: DocumentKind) -> Option<Document> {
    let mut tree = Node::engine(&json!({}));
    for (path, value) in required(kind) {
        put(&mut tree, path, value);
    }
    for (_, stand_in, value) in missed(kind).into_iter().chain(missed_by_others(kind)) {
        put(&mut tree, stand_in, value);
    }
    build(kind, tree).ok()
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
            // Every size fits.
            (&["spec", "quota"], json!(1_000_000)),
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
fn missed(kind: DocumentKind) -> Vec<Missed> {
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
fn missed_of_cluster() -> Vec<Missed> {
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

/// What only documents that are judged by one of this kind would miss. What stands in for a list or
/// a layer says nothing of it.
fn missed_by_others(kind: DocumentKind) -> Vec<Missed> {
    // Which of its layers a pod starts from hangs on the slot, too.
    const DEFAULTS: &[Path] = &[
        &["spec", "podDefaults"],
        &["spec", "slotType"],
        &["spec", "slotResourceRequests"],
    ];
    match kind {
        DocumentKind::Cluster => vec![(DEFAULTS, DEFAULTS[0], json!("x"))],
        DocumentKind::Queue => missed_of_queue(),
        DocumentKind::PodDefaults => vec![
            (&[&["spec", "cpu"]], &["spec", "cpu"], json!({})),
            (&[&["spec", "gpu"]], &["spec", "gpu"], json!({})),
        ],
        _ => Vec::new(),
    }
}

fn missed_of_queue() -> Vec<Missed> {
    const SIZE: Path = &["spec", "maxSlotsPerPod"];
    const LISTS: [&[Path]; 6] = [
        &[&["spec", "allow", "serviceAccounts"]],
        &[&["spec", "allow", "priorityClasses"]],
        &[&["spec", "allow", "secrets"]],
        &[&["spec", "allow", "claims"]],
        &[&["spec", "allow", "hostPaths"]],
        &[&["spec", "allow", "volumes"]],
    ];
    const FLAGS: [&[Path]; 2] = [
        &[&["spec", "allow", "hostNetwork"]],
        &[&["spec", "allow", "privileged"]],
    ];
    let lists = LISTS.into_iter().map(|paths| (paths, paths[0], json!([])));
    let flags = FLAGS
        .into_iter()
        .map(|paths| (paths, paths[0], json!(true)));
    let others = [
        (&[SIZE] as &[Path], SIZE, json!(1)),
        (&[&["spec", "pod"]], &["spec", "pod"], json!({})),
    ];
    lists.chain(flags).chain(others).collect()
}

/// Whether the value at this path, or what holds it, was taken out, also if its key was misspelt, or
/// nothing is said at all. A map or a list whose key resembles none of the `known` ones may be any
/// that is not there, if such are given.
fn lost(
    tree: &Node,
    path: &[&str],
    value: &Json,
    unsound: &[Place],
    known: Option<&[&str]>,
) -> bool {
    let at = |depth: usize| {
        let (name, above) = (path[depth], tree.at(&path[..depth]));
        let above = above.map_or(&[][..], Node::entries);
        let is_there = above.iter().any(|(key, _)| *key.name == *name);
        let ends = depth + 1 == path.len();
        let meant = |key: &Key, node: &Node| {
            let fits = match &node.value {
                Value::Map(_) => !ends || value.is_object(),
                Value::List(_) => ends && value.is_array(),
                _ => false,
            };
            let close = |names: &[&str]| closest(&key.name, names.iter().copied()).is_some();
            let any = |known| fits && !is_there && unsound.contains(&key.place) && !close(known);
            *key.name == *name || close(&[name]) || known.is_some_and(any)
        };
        let mut gone = above
            .iter()
            .filter(|(key, node)| unsound.contains(&key.place) || unsound.contains(&node.place));
        gone.any(|(key, node)| meant(key, node))
    };
    tree.get("spec").is_none() || (0..path.len()).any(at)
}

/// Whether the value, or anything in it, stands at one of these places.
fn holds_any(node: &Node, places: &[Place]) -> bool {
    let below =
        |(key, below): &(Key, Node)| places.contains(&key.place) || holds_any(below, places);
    places.contains(&node.place)
        || node.entries().iter().any(below)
        || node.items().iter().any(|item| holds_any(item, places))
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
