//! What documents refer to, and what else is wrong with those that have faults of their own.

use std::sync::Arc;

use super::judge::Pass;
use super::model::Scope;
use crate::diagnostic::{Code, Diagnostic, closest};
use crate::ids::{DocumentKind, Name, UnitId};
use crate::kinds::{Cluster, Document, Experiment, check};
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
    pub(super) fn faulty(&mut self, cluster: &Arc<Cluster>) {
        self.sound(|pass, document| {
            let mut found: Vec<Diagnostic> = pass.reference(document).into_iter().collect();
            if let Some(scope) = pass.scope_within(cluster, document, found.is_empty()) {
                found.extend(check::within(document, &scope));
            }
            found
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

    /// What a document is judged within, if all of it is valid. A document whose queue is not
    /// there is judged by the one that is probably meant, or without one.
    pub(super) fn scope_within(
        &self,
        cluster: &Arc<Cluster>,
        document: &Document,
        has_queue: bool,
    ) -> Option<Scope> {
        let mut scope = Scope::of_cluster(cluster);
        let Document::Experiment(experiment) = document else {
            let Document::Queue(queue) = document else {
                return None;
            };
            return (queue.spec.cluster == *cluster.name()).then_some(scope);
        };
        scope.pod_defaults = self.defaults_of(cluster).ok()?;
        let queue = self.queue_meant(experiment).and_then(|name| {
            let id = UnitId::plain(DocumentKind::Queue, name.clone());
            let unit = self.units.get(&id).filter(|unit| unit.held.is_none())?;
            match &unit.document {
                Document::Queue(queue) => Some(Arc::clone(queue)),
                _ => None,
            }
        });
        if has_queue && queue.is_none() {
            return None;
        }
        scope.queue = queue;
        Some(scope)
    }

    /// The queue that an experiment names; if it is not there, the one of the closest name.
    pub(super) fn queue_meant<'a>(&'a self, experiment: &'a Experiment) -> Option<&'a Name> {
        let said = &experiment.spec.queue;
        let all = || self.index.names(DocumentKind::Queue);
        if all().any(|name| name == said) {
            return Some(said);
        }
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
