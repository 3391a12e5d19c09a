//! What else is wrong with documents whose cluster is not valid, or is not there: they are judged by
//! what is sound of it. Nothing of that comes into force.

use std::sync::Arc;

use super::judge::Pass;
use super::model::Scope;
use crate::diagnostic::Diagnostic;
use crate::ids::{DocumentKind, Name, UnitId};
use crate::kinds::{Cluster, Document, check, unknown_cluster};

/// A cluster that nothing is applied by.
struct Stand<'a> {
    /// The one that is meant; `None` if the snapshot names none.
    name: Option<&'a Name>,
    /// What is known of it.
    cluster: Arc<Cluster>,
}

impl Pass<'_> {
    /// Looks for what is wrong with all documents, as far as that can be told by what is sound of
    /// the cluster of this name.
    pub(super) fn provisional(&mut self, name: Option<&Name>) {
        let Some(cluster) = self.sound_cluster(name).or_else(unknown_cluster) else {
            return;
        };
        let stand = Stand { name, cluster };
        let index = self.index;
        for (id, at) in &index.valid {
            let Some(document) = self.document(at) else {
                continue;
            };
            let mut found = self.faults(&stand, &document);
            for finding in &mut found {
                finding.unit = Some(id.clone());
            }
            self.findings.append(&mut found);
        }
        self.sound(|pass, document| pass.faults(&stand, document));
    }

    /// What is sound of the cluster that is meant.
    fn sound_cluster(&self, name: Option<&Name>) -> Option<Arc<Cluster>> {
        let id = UnitId::plain(DocumentKind::Cluster, name?.clone());
        let valid = self.index.valid.get(&id).and_then(|at| self.document(at));
        let of_id = |at| {
            let (document, invalid) = self.files.sound(at)?;
            (invalid.unit.as_ref() == Some(&id)).then(|| document.clone())
        };
        let sound = || self.index.sound.iter().find_map(of_id);
        match valid.or_else(sound)? {
            Document::Cluster(cluster) => Some(cluster),
            _ => None,
        }
    }

    fn faults(&self, stand: &Stand<'_>, document: &Document) -> Vec<Diagnostic> {
        // That there is no cluster at all is said once, not of every queue.
        let unnamed = stand.name.is_none() && matches!(document, Document::Queue(_));
        let reference = self.reference(document).filter(|_| !unnamed);
        let mut found = Vec::from_iter(reference);
        if let Some(scope) = self.provisional_scope(stand, document, found.is_empty()) {
            found.extend(check::within(document, &scope));
        }
        found
    }

    /// What a document is judged within, if what it refers to is valid but for the cluster. A
    /// document whose queue is not there is judged by the one that is probably meant, or without
    /// one.
    fn provisional_scope(
        &self,
        stand: &Stand<'_>,
        document: &Document,
        has_queue: bool,
    ) -> Option<Scope> {
        let mut scope = Scope::of_cluster(&stand.cluster);
        let own = |name: &Name| stand.name.is_none_or(|own| own == name);
        let experiment = match document {
            Document::Queue(queue) => return own(&queue.spec.cluster).then_some(scope),
            Document::Experiment(experiment) => experiment,
            Document::Cluster(_) | Document::PodDefaults(_) => return None,
        };
        let defaults = stand.cluster.spec.pod_defaults.as_ref();
        let defaults = defaults.and_then(|name| self.there(DocumentKind::PodDefaults, name));
        if let Some(Document::PodDefaults(defaults)) = defaults {
            scope.pod_defaults = Some(defaults);
        }
        let queue = self.queue_meant(experiment).and_then(|name| {
            let document = self.there(DocumentKind::Queue, name)?;
            let is_fine = check::within(&document, &scope).is_empty();
            match document {
                Document::Queue(queue) if is_fine && own(&queue.spec.cluster) => Some(queue),
                _ => None,
            }
        });
        if has_queue && queue.is_none() {
            return None;
        }
        scope.queue = queue;
        Some(scope)
    }

    /// A document of the snapshot that is valid alone.
    fn there(&self, kind: DocumentKind, name: &Name) -> Option<Document> {
        self.document(self.at(kind, name)?)
    }
}
