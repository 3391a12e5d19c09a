//! What documents refer to, and what else is wrong with those that have faults of their own.

use super::judge::Pass;
use super::provisional::Stand;
use crate::diagnostic::{Code, Diagnostic, closest};
use crate::ids::{DocumentKind, Name, UnitId};
use crate::kinds::{Document, Experiment};
use crate::object::{Place, SourceId};

impl Pass<'_> {
    /// That a document refers to one that is not there.
    pub(super) fn reference(&self, document: &Document) -> Option<Diagnostic> {
        let (path, kind, name): (&[&str], _, _) = match document {
            Document::Cluster(it) => (
                &["spec", "podDefaults"],
                DocumentKind::PodDefaults,
                it.spec.pod_defaults.as_ref()?,
            ),
            Document::Queue(it) => (
                &["spec", "cluster"],
                DocumentKind::Cluster,
                &it.spec.cluster,
            ),
            Document::Experiment(it) => (&["spec", "queue"], DocumentKind::Queue, &it.spec.queue),
            Document::PodDefaults(_) => return None,
        };
        let id = UnitId::plain(kind, name.clone());
        if self.index.has(&id) || self.bad.contains_key(&id) {
            return None;
        }
        let place = document.source().at(path)?.place;
        Some(self.unresolved(place, &id))
    }

    /// What else is wrong with documents that have faults of their own.
    pub(super) fn faulty(&mut self, stand: &Stand) {
        self.sound(|pass, document| {
            let reference = pass.reference(document).into_iter();
            reference.chain(pass.within(stand, document)).collect()
        });
    }

    /// Looks for more in what is sound of faulty documents; only what is new is kept.
    pub(super) fn sound(&mut self, look: impl Fn(&Self, &Document) -> Vec<Diagnostic>) {
        let mut all = Vec::new();
        for at in &self.index.sound {
            let Some((document, invalid)) = self.files.sound(at) else {
                continue;
            };
            let known: Vec<Place> = invalid.findings.iter().filter_map(|it| it.place).collect();
            let new = |it: &Diagnostic| {
                it.place
                    .is_some_and(|at| at.source != SourceId::ENGINE && !known.contains(&at))
            };
            all.extend(look(self, document).into_iter().filter(new).map(|it| {
                let unit = invalid.unit.clone();
                Diagnostic { unit, ..it }
            }));
        }
        self.findings.append(&mut all);
    }

    /// The queue that an experiment names; if it is not there, the one of the closest name.
    pub(super) fn queue_meant<'a>(&'a self, experiment: &'a Experiment) -> Option<&'a Name> {
        let said = &experiment.spec.queue;
        let id = UnitId::plain(DocumentKind::Queue, said.clone());
        if self.index.has(&id) {
            return Some(said);
        }
        let all = || self.index.names(DocumentKind::Queue);
        let close = closest(said.as_str(), all().map(Name::as_str))?;
        all().find(|name| name.as_str() == close)
    }

    fn unresolved(&self, place: Place, id: &UnitId) -> Diagnostic {
        let cause = format!("there is no {} `{}`", id.kind, id.name);
        let names: Vec<&str> = self.index.names(id.kind).map(Name::as_str).collect();
        let unread = self.index.hiding();
        let help = match (closest(id.name.as_str(), names.iter().copied()), unread) {
            (Some(close), _) => format!("did you mean `{close}`?"),
            (None, Some(path)) => {
                format!("mend {path} first, which may hold it and cannot be read")
            }
            (None, None) if names.is_empty() => format!("add a document of the kind {}", id.kind),
            (None, None) => format!("the documents of this kind are {}", some(&names)),
        };
        Diagnostic::error(Code::UnresolvedReference, place, cause).help(help)
    }
}

/// A few names, for people.
fn some(names: &[&str]) -> String {
    let shown: Vec<String> = names
        .iter()
        .take(5)
        .map(|name| format!("`{name}`"))
        .collect();
    let more = names.len().saturating_sub(shown.len());
    let tail = if more > 0 {
        format!(" and {more} more")
    } else {
        String::new()
    };
    shown.join(", ") + &tail
}
