//! A tree -> a typed document.

use std::sync::Arc;

use serde::Deserialize;

use super::{API_VERSION, Document, Form, Metadata, schema, typed};
use crate::diagnostic::{Code, Diagnostic, closest};
use crate::ids::{DocumentKind, Name, UnitId};
use crate::object::Node;

/// A text that is no valid document.
#[derive(Debug, Clone, PartialEq)]
pub struct Invalid {
    /// What it names itself, as far as that could be told.
    pub unit: Option<UnitId>,
    /// Why; never empty.
    pub findings: Vec<Diagnostic>,
}

/// Reads a document and checks all that can be said of it alone by its schema. What it refers to
/// and what its pod layers hold is checked elsewhere.
pub fn read(tree: Node) -> Result<Document, Invalid> {
    let kind = kind_of(&tree).map_err(|finding| Invalid {
        unit: None,
        findings: vec![*finding],
    })?;
    let unit = identity(kind, &tree);
    let mut findings = schema::check(kind, &tree);
    if findings.is_empty() {
        match build(kind, tree) {
            Ok(document) => return Ok(document),
            Err(finding) => findings.push(*finding),
        }
    }
    for finding in &mut findings {
        finding.unit.clone_from(&unit);
    }
    Err(Invalid { unit, findings })
}

/// What a tree names itself, whether or not it is valid; a tree that names a key twice may say two
/// things, and then it is not told.
pub fn told(tree: &Node) -> Option<UnitId> {
    let once = |node: Option<&Node>, names: &[&str]| {
        let entries = node.map_or(&[][..], Node::entries);
        let times = |name: &&str| {
            entries
                .iter()
                .filter(|(key, _)| *key.name == **name)
                .count()
        };
        names.iter().all(|name| times(name) <= 1)
    };
    let sure = once(Some(tree), &["apiVersion", "kind", "metadata", "spec"])
        && once(tree.get("metadata"), &["name"])
        && once(tree.get("spec"), &["queue"]);
    sure.then(|| identity(kind_of(tree).ok()?, tree))?
}

/// The kind, if it is one that is built.
fn kind_of(tree: &Node) -> Result<DocumentKind, Box<Diagnostic>> {
    let help = format!("a document begins with `apiVersion: {API_VERSION}` and `kind:`");
    let Some(version) = tree.get("apiVersion") else {
        let cause = "this is not a Berth document: it has no `apiVersion`";
        let finding = Diagnostic::error(Code::NotADocument, tree.place, cause);
        return Err(Box::new(finding.help(help)));
    };
    if version.as_str() != Some(API_VERSION) {
        let cause = format!("`apiVersion` is not `{API_VERSION}`");
        let finding = Diagnostic::error(Code::NotADocument, version.place, cause);
        return Err(Box::new(
            finding.help("keep other objects out of the state repository"),
        ));
    }
    let Some(kind) = tree.get("kind") else {
        let cause = "`kind` is missing";
        let finding = Diagnostic::error(Code::MissingField, tree.place, cause);
        return Err(Box::new(finding.help(help)));
    };
    let name = kind.as_str().unwrap_or_default();
    match DocumentKind::ALL
        .into_iter()
        .find(|kind| kind.as_str() == name)
    {
        Some(known) if DocumentKind::BUILT.contains(&known) => Ok(known),
        Some(known) => {
            let cause = format!("documents of the kind `{known}` are not built yet");
            Err(Box::new(Diagnostic::error(
                Code::NotBuilt,
                kind.place,
                cause,
            )))
        }
        None => Err(Box::new(unknown_kind(name, kind))),
    }
}

fn unknown_kind(name: &str, kind: &Node) -> Diagnostic {
    let names = DocumentKind::BUILT.map(DocumentKind::as_str);
    let name: String = name.chars().take(80).collect();
    let help = match closest(&name, names) {
        Some(close) => format!("did you mean `{close}`?"),
        None => format!("the kinds are {}", names.join(", ")),
    };
    Diagnostic::error(
        Code::UnknownKind,
        kind.place,
        format!("there is no kind `{name}`"),
    )
    .help(help)
}

/// What a document names itself, whether or not it is valid.
fn identity(kind: DocumentKind, tree: &Node) -> Option<UnitId> {
    let name = |path: &[&str]| Name::new(tree.at(path)?.as_str()?).ok();
    let queue = if kind.has_queue() {
        Some(name(&["spec", "queue"])?)
    } else {
        None
    };
    Some(UnitId {
        kind,
        queue,
        name: name(&["metadata", "name"])?,
    })
}

fn build(kind: DocumentKind, tree: Node) -> Result<Document, Box<Diagnostic>> {
    Ok(match kind {
        DocumentKind::Cluster => Document::Cluster(form(tree)?),
        DocumentKind::PodDefaults => Document::PodDefaults(form(tree)?),
        DocumentKind::Queue => Document::Queue(form(tree)?),
        DocumentKind::Experiment => Document::Experiment(form(tree)?),
        other => {
            let cause = format!("documents of the kind `{other}` are not built yet");
            return Err(Box::new(Diagnostic::error(
                Code::NotBuilt,
                tree.place,
                cause,
            )));
        }
    })
}

fn form<S: for<'de> Deserialize<'de>>(tree: Node) -> Result<Arc<Form<S>>, Box<Diagnostic>> {
    let wrong = |error: typed::Mistyped| {
        let place = error.place.unwrap_or(tree.place);
        Box::new(Diagnostic::error(Code::WrongType, place, error.words))
    };
    let part = |name: &str| tree.get(name).unwrap_or(&tree);
    let metadata: Metadata = typed::typed(part("metadata")).map_err(wrong)?;
    let spec: S = typed::typed(part("spec")).map_err(wrong)?;
    Ok(Arc::new(Form {
        metadata,
        spec,
        source: tree,
    }))
}
