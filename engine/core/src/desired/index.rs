//! Who is who in a snapshot.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::files::{At, Changed, File, Files, Valid};
use crate::diagnostic::{Code, Diagnostic};
use crate::ids::{DocumentKind, Name, UnitId};
use crate::kinds::{Document, Invalid};
use crate::object::Place;

/// The valid documents of a snapshot by id, and what is not valid.
#[derive(Default)]
pub(super) struct Index {
    /// Documents that are valid alone and of which there is one.
    pub valid: BTreeMap<UnitId, At>,
    /// Ids that a faulty document names.
    pub faulty: BTreeSet<UnitId>,
    /// Paths of files that hold what they contained, as it cannot be told what of it is at fault;
    /// and why.
    pub holding: BTreeMap<Arc<str>, String>,
    /// Why, in the order of the paths.
    pub findings: Vec<Diagnostic>,
}

impl Index {
    /// Looks at all files.
    pub fn of(files: &Files) -> Self {
        let mut index = Self::default();
        for (path, file) in &files.by_path {
            match &file.parsed {
                Ok(documents) => index.file(files, path, documents),
                Err(findings) => {
                    index.keep(path, findings);
                    index.findings.extend(findings.iter().cloned());
                }
            }
        }
        // A document that is given twice, or once validly and once not, is not valid.
        let faulty = &index.faulty;
        index.valid.retain(|id, _| !faulty.contains(id));
        index
    }

    /// Takes in files that changed, of which all was valid and is valid, and of which nothing but
    /// experiments was and is said. Gives the ids that they said or say; `None` if it is not so: then
    /// this index is of no use any more.
    pub fn update(&mut self, files: &Files, changed: &[Changed]) -> Option<BTreeSet<UnitId>> {
        let mut touched = BTreeSet::new();
        for before in changed.iter().filter_map(|(_, before)| before.as_ref()) {
            for id in experiments(before)? {
                self.valid.remove(&id);
                touched.insert(id);
            }
        }
        for (path, _) in changed {
            let Some(file) = files.by_path.get(path) else {
                continue;
            };
            for (number, id) in experiments(file)?.into_iter().enumerate() {
                let path = Arc::clone(path);
                if self.valid.insert(id.clone(), At { path, number }).is_some() {
                    return None;
                }
                touched.insert(id);
            }
        }
        // Another file may say the same id, invalidly or twice.
        let alone = touched.is_disjoint(&self.faulty);
        // What went may be held by a file that cannot be parsed.
        let settled =
            self.holding.is_empty() || touched.iter().all(|id| self.valid.contains_key(id));
        (alone && settled).then_some(touched)
    }

    fn file(&mut self, files: &Files, path: &Arc<str>, documents: &[Result<Valid, Invalid>]) {
        for (number, document) in documents.iter().enumerate() {
            match document {
                Ok(valid) => {
                    let path = Arc::clone(path);
                    self.add(files, At { path, number }, &valid.document);
                }
                Err(invalid) => {
                    // One that is alone may have been given another name as well.
                    if invalid.unit.is_none() || documents.len() == 1 {
                        self.keep(path, &invalid.findings);
                    }
                    self.faulty.extend(invalid.unit.clone());
                    self.findings.extend(invalid.findings.iter().cloned());
                }
            }
        }
    }

    /// The file holds what it contained.
    fn keep(&mut self, path: &Arc<str>, findings: &[Diagnostic]) {
        let why = findings.first().map(|finding| finding.cause.clone());
        let why = why.unwrap_or_else(|| format!("{path} cannot be read"));
        self.holding.entry(Arc::clone(path)).or_insert(why);
    }

    fn add(&mut self, files: &Files, at: At, document: &Document) {
        let id = document.id();
        let Some(first) = self.valid.get(&id) else {
            self.valid.insert(id, at);
            return;
        };
        let first_place = files.valid(first).map(|first| name_place(&first.document));
        let cause = format!("there are two documents `{id}`");
        let mut finding = Diagnostic::error(Code::DuplicateDocument, name_place(document), cause)
            .help("rename or remove one of them");
        if let Some(place) = first_place {
            finding = finding.related(place, "the other one");
        }
        finding.unit = Some(id.clone());
        self.findings.push(finding);
        self.faulty.insert(id);
    }

    /// The names of all documents of a kind, valid or not: what a reference may have meant.
    pub fn names(&self, kind: DocumentKind) -> impl Iterator<Item = &Name> {
        let of_kind = move |id: &&UnitId| id.kind == kind;
        let faulty = self.faulty.iter().filter(of_kind);
        self.valid
            .keys()
            .filter(of_kind)
            .chain(faulty)
            .map(|id| &id.name)
    }
}

/// The ids of a file's documents in their order, if all are valid and experiments: nothing refers
/// to experiments.
fn experiments(file: &File) -> Option<Vec<UnitId>> {
    let documents = file.parsed.as_ref().ok()?.iter();
    let id = |document: &Result<Valid, Invalid>| {
        let id = document.as_ref().ok()?.document.id();
        (id.kind == DocumentKind::Experiment).then_some(id)
    };
    documents.map(id).collect()
}

/// Where a document says its name.
pub(super) fn name_place(document: &Document) -> Place {
    let source = document.source();
    source
        .at(&["metadata", "name"])
        .map_or(source.place, |name| name.place)
}
