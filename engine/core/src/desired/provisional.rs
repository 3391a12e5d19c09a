//! What else is wrong with documents that refer to what is not valid, or is not there: they are
//! judged by what is sound of it. Nothing of that comes into force.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::judge::Pass;
use super::model::Scope;
use crate::diagnostic::Diagnostic;
use crate::ids::{DocumentKind, Name, UnitId};
use crate::kinds::{Cluster, Document, Experiment, PodDefaults, Queue, check, unknown};
use crate::object::Place;

/// What documents are judged by.
pub(super) struct Stand {
    /// The cluster that is meant; `None` if the snapshot names none.
    name: Option<Name>,
    /// What is known of it.
    cluster: Arc<Cluster>,
    /// One of which nothing is known, if the snapshot names several.
    other: Option<Arc<Cluster>>,
    /// Layers of which nothing is known.
    layers: Arc<PodDefaults>,
}

impl Stand {
    /// By this cluster; by one of which nothing is known if there is none.
    pub fn new(
        pass: &Pass<'_>,
        name: Option<&Name>,
        cluster: Option<Arc<Cluster>>,
    ) -> Option<Self> {
        let unknown_cluster = || match unknown(DocumentKind::Cluster)? {
            Document::Cluster(cluster) => Some(cluster),
            _ => None,
        };
        let Document::PodDefaults(layers) = unknown(DocumentKind::PodDefaults)? else {
            return None;
        };
        let several = pass.index.clusters().len() > 1;
        Some(Self {
            name: name.cloned(),
            cluster: cluster.or_else(unknown_cluster)?,
            other: unknown_cluster().filter(|_| several),
            layers,
        })
    }

    /// What is known of the cluster.
    pub fn cluster(&self) -> &Arc<Cluster> {
        &self.cluster
    }

    fn is_own(&self, name: &Name) -> bool {
        self.name.as_ref().is_none_or(|own| own == name)
    }
}

impl Pass<'_> {
    /// Looks for what is wrong with all documents, as far as that can be told by what is sound of
    /// the cluster of this name.
    pub(super) fn provisional(&mut self, name: Option<&Name>) {
        let cluster = name.and_then(|name| self.sound_of(DocumentKind::Cluster, name));
        let cluster = cluster.and_then(|document| match document {
            Document::Cluster(cluster) => Some(cluster),
            _ => None,
        });
        let Some(stand) = Stand::new(self, name, cluster) else {
            return;
        };
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

    /// Says of the documents of a cluster that is not valid, and that are not at fault themselves,
    /// that they wait for it.
    pub(super) fn wait_for_cluster(&mut self, name: &Name, why: &str) {
        let of_units = self.findings.iter().filter(|it| it.is_error());
        let faulty: BTreeSet<UnitId> = of_units.filter_map(|it| it.unit.clone()).collect();
        let index = self.index;
        let sound = index.valid.iter().filter(|(id, _)| !faulty.contains(id));
        for (id, at) in sound {
            if let Some(document) = self.document(at).filter(|it| self.belongs(name, it)) {
                self.hold_by_reference(id, &document, why);
            }
        }
    }

    /// Whether a document is of this cluster.
    fn belongs(&self, name: &Name, document: &Document) -> bool {
        match document {
            Document::Cluster(_) => false,
            Document::PodDefaults(_) => true,
            Document::Queue(queue) => queue.spec.cluster == *name,
            Document::Experiment(experiment) => {
                let queue = self.sound_of(DocumentKind::Queue, &experiment.spec.queue);
                queue.is_some_and(|queue| self.belongs(name, &queue))
            }
        }
    }

    fn faults(&self, stand: &Stand, document: &Document) -> Vec<Diagnostic> {
        // That there is no cluster at all is said once, not of every queue.
        let unnamed = stand.name.is_none() && matches!(document, Document::Queue(_));
        let reference = self.reference(document).filter(|_| !unnamed);
        let reference = reference.into_iter();
        reference.chain(self.within(stand, document)).collect()
    }

    /// What is wrong with a document within what is sound of all that it refers to. What hangs on
    /// what is not sound of it is not told.
    pub(super) fn within(&self, stand: &Stand, document: &Document) -> Vec<Diagnostic> {
        let scope = match document {
            Document::Queue(queue) => stand
                .is_own(&queue.spec.cluster)
                .then(|| Scope::of_cluster(&stand.cluster)),
            Document::Experiment(experiment) => self.scope_meant(stand, experiment),
            Document::Cluster(_) | Document::PodDefaults(_) => None,
        };
        scope.map_or_else(Vec::new, |scope| check::within(document, &scope))
    }

    /// What is sound of what an experiment refers to; `None` if another cluster's queue has it. One
    /// whose queue is not there is judged by the one that is probably meant, or without one.
    fn scope_meant(&self, stand: &Stand, experiment: &Experiment) -> Option<Scope> {
        let queue = self.queue_meant(experiment).and_then(|name| {
            match self.sound_of(DocumentKind::Queue, name)? {
                Document::Queue(queue) => Some(queue),
                _ => None,
            }
        });
        let cluster = match queue.as_ref().and_then(|queue| self.cluster_said(queue)) {
            Some(name) if !stand.is_own(name) => return None,
            Some(_) => &stand.cluster,
            None => stand.other.as_ref().unwrap_or(&stand.cluster),
        };
        let hides = |queue: &Arc<Queue>| {
            queue
                .pod()
                .is_some_and(|layer| layer.place == Place::ENGINE)
        };
        let pod_defaults = if queue.as_ref().is_none_or(hides) {
            // What is below a layer of which nothing is known counts as little.
            Some(Arc::clone(&stand.layers))
        } else {
            self.defaults_meant(stand, cluster)
        };
        Some(Scope {
            cluster: Arc::clone(cluster),
            queue,
            pod_defaults,
        })
    }

    /// The cluster that a queue names, if the snapshot does, too.
    fn cluster_said<'a>(&self, queue: &'a Queue) -> Option<&'a Name> {
        let name = &queue.spec.cluster;
        let is_said = queue.place(&["spec", "cluster"]) != Place::ENGINE;
        let id = UnitId::plain(DocumentKind::Cluster, name.clone());
        (is_said && self.index.has(&id)).then_some(name)
    }

    fn defaults_meant(&self, stand: &Stand, cluster: &Cluster) -> Option<Arc<PodDefaults>> {
        let name = cluster.spec.pod_defaults.as_ref()?;
        let is_said = cluster.place(&["spec", "podDefaults"]) != Place::ENGINE;
        let found = is_said.then(|| self.sound_of(DocumentKind::PodDefaults, name));
        match found.flatten() {
            Some(Document::PodDefaults(defaults)) => Some(defaults),
            _ => Some(Arc::clone(&stand.layers)),
        }
    }

    /// A document of the snapshot, or what others may be judged by if it is not valid alone.
    fn sound_of(&self, kind: DocumentKind, name: &Name) -> Option<Document> {
        let id = UnitId::plain(kind, name.clone());
        if let Some(at) = self.index.valid.get(&id) {
            return self.document(at);
        }
        self.files.basis(self.index.basis.get(&id)?).cloned()
    }
}
