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
    /// Paths that hold what they contained, as it cannot be told what of it is at fault or where it
    /// is now.
    pub holding: BTreeMap<Arc<str>, Holding>,
    /// Faulty documents of which something is sound.
    pub sound: Vec<At>,
    /// Faulty documents that others may be judged by, each given once.
    pub basis: BTreeMap<UnitId, At>,
    /// Ids of which there are two.
    twice: BTreeSet<UnitId>,
    /// Why, in the order of the paths.
    pub findings: Vec<Diagnostic>,
    /// Where each id was named first, when the index was made.
    first: BTreeMap<UnitId, Place>,
}

/// A path that holds what it contained.
pub(super) struct Holding {
    /// What is wrong, as the end of a sentence about the path.
    pub state: String,
    /// Where.
    pub place: Place,
    /// Documents may stand there of which nothing is known.
    pub hides: bool,
}

impl Index {
    /// Looks at all files.
    pub fn of(files: &Files) -> Self {
        let mut index = Self::default();
        for (path, file) in &files.by_path {
            match &file.parsed {
                Ok(documents) => index.file(path, documents),
                Err(findings) => {
                    index.keep(path, "cannot be read", true, findings);
                    index.findings.extend(findings.iter().cloned());
                }
            }
        }
        // A document that is given twice, or once validly and once not, is not valid.
        let faulty = &index.faulty;
        index.valid.retain(|id, _| !faulty.contains(id));
        // Which of two is meant cannot be told.
        let twice = &index.twice;
        index.basis.retain(|id, _| !twice.contains(id));
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

    fn file(&mut self, path: &Arc<str>, documents: &[Result<Valid, Invalid>]) {
        for (number, document) in documents.iter().enumerate() {
            let path = Arc::clone(path);
            match document {
                Ok(valid) => {
                    let id = valid.document.id();
                    self.named(&id, name_place(&valid.document));
                    self.valid.entry(id).or_insert(At { path, number });
                }
                Err(invalid) => {
                    if invalid.unit.is_none() {
                        let words = "holds a document whose kind or name cannot be told";
                        self.keep(&path, words, true, &invalid.findings);
                    } else if documents.len() == 1 {
                        // It may have been given another name as well.
                        self.keep(&path, "is not valid", false, &invalid.findings);
                    }
                    self.findings.extend(invalid.findings.iter().cloned());
                    if let Some(id) = &invalid.unit {
                        self.named(id, invalid.place);
                        self.faulty.insert(id.clone());
                    }
                    if let Some(id) = invalid.unit.as_ref().filter(|_| invalid.basis.is_some()) {
                        let path = Arc::clone(&path);
                        self.basis.insert(id.clone(), At { path, number });
                    }
                    if invalid.sound.is_some() {
                        self.sound.push(At { path, number });
                    }
                }
            }
        }
    }

    /// The file holds what it contained.
    fn keep(&mut self, path: &Arc<str>, words: &str, hides: bool, findings: &[Diagnostic]) {
        let first = findings.iter().find_map(|it| Some((it.place?, &it.cause)));
        let Some((place, cause)) = first else {
            return;
        };
        self.holding
            .entry(Arc::clone(path))
            .or_insert_with(|| Holding {
                state: format!("{words}: {cause}"),
                place,
                hides,
            });
    }

    /// A path where documents may stand of which nothing is known.
    pub fn hiding(&self) -> Option<&Arc<str>> {
        let mut all = self.holding.iter();
        all.find_map(|(path, holding)| holding.hides.then_some(path))
    }

    /// A document names itself; a second one of the same name is at fault, and so is the first.
    fn named(&mut self, id: &UnitId, place: Place) {
        let Some(first) = self.first.get(id) else {
            self.first.insert(id.clone(), place);
            return;
        };
        let cause = format!("there are two documents `{id}`");
        let mut finding = Diagnostic::error(Code::DuplicateDocument, place, cause)
            .related(*first, "the other one")
            .help("rename or remove one of them");
        finding.unit = Some(id.clone());
        self.findings.push(finding);
        self.faulty.insert(id.clone());
        self.twice.insert(id.clone());
    }

    /// Whether there is such a document, valid or not.
    pub fn has(&self, id: &UnitId) -> bool {
        self.valid.contains_key(id) || self.faulty.contains(id)
    }

    /// The experiments of these names in all queues, valid or not.
    pub fn namesakes(&self, names: &BTreeSet<&Name>) -> impl Iterator<Item = &UnitId> {
        let all = self.valid.keys().chain(&self.faulty);
        let all = all.filter(|id| id.kind == DocumentKind::Experiment);
        all.filter(|id| names.contains(&id.name))
    }

    /// Where an id is named first.
    pub fn place(&self, id: &UnitId) -> Option<Place> {
        self.first.get(id).copied()
    }

    /// The names of all clusters, each once.
    pub fn clusters(&self) -> Vec<Name> {
        let mut names: Vec<Name> = self.names(DocumentKind::Cluster).cloned().collect();
        names.sort_unstable();
        names.dedup();
        names
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
