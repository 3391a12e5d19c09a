//! A tree -> a typed document.

use std::sync::Arc;

use serde::Deserialize;

use super::sound::{basis, once, sound};
use super::{API_VERSION, Document, Form, Metadata, check, schema, typed};
use crate::diagnostic::{Code, Diagnostic, closest, cut};
use crate::ids::{DocumentKind, Name, UnitId};
use crate::object::{Node, Place, SourceId};
use crate::yaml::Faulty;

/// A text that is no valid document.
#[derive(Debug, Clone, PartialEq)]
pub struct Invalid {
    /// What it names itself, as far as that could be told.
    pub unit: Option<UnitId>,
    /// Where it says its name, or where it begins.
    pub place: Place,
    /// Why; never empty.
    pub findings: Vec<Diagnostic>,
    /// What is sound of it, if that is enough of a document to look for more faults. It is never
    /// applied.
    pub sound: Option<Document>,
    /// What documents that refer to it may be judged by, as nothing in it hangs on what is at fault.
    pub basis: Option<Document>,
}

impl Invalid {
    /// Takes in what else is wrong. What stands where a fault is known already, or where a stand-in
    /// stands, is nothing new.
    fn add(&mut self, more: Vec<Diagnostic>) {
        self.findings = joined(std::mem::take(&mut self.findings), more);
        for finding in &mut self.findings {
            finding.unit.clone_from(&self.unit);
        }
    }
}

/// Findings and more of them, in the order of the text.
fn joined(mut findings: Vec<Diagnostic>, mut more: Vec<Diagnostic>) -> Vec<Diagnostic> {
    let known: Vec<_> = findings.iter().filter_map(|it| it.place).collect();
    more.retain(|it| {
        it.place
            .is_none_or(|at| at.source != SourceId::ENGINE && !known.contains(&at))
    });
    findings.append(&mut more);
    findings.sort_by_key(|finding| finding.place);
    findings
}

/// Reads a document and checks all that can be said of it alone. What it refers to is checked
/// elsewhere.
pub fn read(parsed: Result<Node, Faulty>) -> Result<Document, Invalid> {
    let (mut tree, findings, unit) = match parsed {
        Ok(tree) => {
            let unit = kind_of(&tree).ok().and_then(|kind| identity(kind, &tree));
            (tree, Vec::new(), unit)
        }
        Err(faulty) => {
            let unit = told(&faulty.tree);
            (once(faulty.tree), faulty.findings, unit)
        }
    };
    let place = tree
        .at(&["metadata", "name"])
        .map_or(tree.place, |it| it.place);
    let mut invalid = Invalid {
        unit,
        place,
        findings,
        sound: None,
        basis: None,
    };
    let kind = match kind_of(&tree) {
        Ok(kind) => kind,
        // A text that could not be read may have said it.
        Err(_) if !invalid.findings.is_empty() && tree.entries().is_empty() => return Err(invalid),
        Err(finding) => {
            invalid.add(vec![*finding]);
            return Err(invalid);
        }
    };
    let mut faults = schema::check(kind, &tree);
    if invalid.findings.is_empty() && faults.is_empty() {
        match build(kind, tree) {
            Ok(document) => return alone(document, invalid),
            // A type may say what its schema does not.
            Err(refused) => {
                let (finding, back) = *refused;
                faults.push(finding);
                tree = back;
            }
        }
    }
    invalid.sound = sound(kind, &tree, &faults);
    let merged = |it: &Diagnostic| it.code == Code::Alias;
    if invalid.findings.iter().any(merged) {
        // What a merge key or an alias would have brought is not missing too.
        faults.retain(|it| it.code != Code::MissingField);
    }
    invalid.add(faults);
    let more = invalid.sound.as_ref().map(check::alone);
    invalid.add(more.unwrap_or_default());
    invalid.basis = basis(kind, &tree, &invalid.findings);
    Err(invalid)
}

/// A document that its schema has passed, unless it has other faults.
fn alone(document: Document, mut invalid: Invalid) -> Result<Document, Invalid> {
    let findings = check::alone(&document);
    if findings.is_empty() {
        return Ok(document);
    }
    invalid.add(findings);
    invalid.basis = basis(document.kind(), document.source(), &invalid.findings);
    invalid.sound = Some(document);
    Err(invalid)
}

/// What a tree names itself, whether or not it is valid; a tree that names a key twice may say two
/// things, and then it is not told.
fn told(tree: &Node) -> Option<UnitId> {
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
        let text = version.as_str().unwrap_or_default();
        let ours = text.starts_with("berth.dev") || closest(text, [API_VERSION]).is_some();
        return Err(Box::new(finding.help(if ours {
            format!("write `apiVersion: {API_VERSION}`")
        } else {
            "keep other objects out of the state repository".to_owned()
        })));
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
            let built = DocumentKind::BUILT.map(DocumentKind::as_str);
            let help = format!("the kinds that are built are {}", built.join(", "));
            let finding = Diagnostic::error(Code::NotBuilt, kind.place, cause);
            Err(Box::new(finding.help(help)))
        }
        None => Err(Box::new(unknown_kind(name, kind))),
    }
}

fn unknown_kind(name: &str, kind: &Node) -> Diagnostic {
    let names = DocumentKind::BUILT.map(DocumentKind::as_str);
    let name = cut(name);
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

/// A tree that its schema has passed -> a document; or why it is none, and the tree.
pub(super) fn build(kind: DocumentKind, tree: Node) -> Result<Document, Box<(Diagnostic, Node)>> {
    Ok(match kind {
        DocumentKind::Cluster => Document::Cluster(form(tree)?),
        DocumentKind::PodDefaults => Document::PodDefaults(form(tree)?),
        DocumentKind::Queue => Document::Queue(form(tree)?),
        DocumentKind::Experiment => Document::Experiment(form(tree)?),
        other => {
            let cause = format!("documents of the kind `{other}` are not built yet");
            let finding = Diagnostic::error(Code::NotBuilt, tree.place, cause);
            return Err(Box::new((finding, tree)));
        }
    })
}

fn form<S: for<'de> Deserialize<'de>>(tree: Node) -> Result<Arc<Form<S>>, Box<(Diagnostic, Node)>> {
    let typed = parts(&tree).map_err(|error| {
        let place = error.place.unwrap_or(tree.place);
        Diagnostic::error(Code::WrongType, place, error.words)
    });
    match typed {
        Ok((metadata, spec)) => Ok(Arc::new(Form {
            metadata,
            spec,
            source: tree,
        })),
        Err(finding) => Err(Box::new((finding, tree))),
    }
}

fn parts<S: for<'de> Deserialize<'de>>(tree: &Node) -> Result<(Metadata, S), typed::Mistyped> {
    let part = |name: &str| tree.get(name).unwrap_or(tree);
    Ok((typed::typed(part("metadata"))?, typed::typed(part("spec"))?))
}
