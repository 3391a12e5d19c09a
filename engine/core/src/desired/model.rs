//! What validation makes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::units::Units;
use crate::diagnostic::{Diagnostic, Source, SourceTable};
use crate::ids::{Digest, DocumentKind, Name, UnitId};
use crate::kinds::experiment::Memo;
use crate::kinds::{Cluster, Document, PodDefaults, Queue};
use crate::ledger::{Applied, Forms};
use crate::object::{Place, SourceId};
use crate::reconciler::CommitFacts;

/// The desired state of one cluster, as one commit says it. Only the loader makes it, so whoever
/// holds one holds documents that were validated.
#[derive(Debug, Clone)]
pub struct Desired {
    pub(super) commit: CommitFacts,
    pub(super) judged_by: Option<Arc<Forms>>,
    pub(super) cluster: Arc<Cluster>,
    pub(super) units: Units,
    pub(super) frozen: BTreeMap<UnitId, String>,
    pub(super) findings: Vec<Diagnostic>,
    pub(super) sources: SourceTable,
    pub(super) authors: BTreeMap<SourceId, Arc<str>>,
}

impl Desired {
    /// The commit.
    pub fn commit(&self) -> &CommitFacts {
        &self.commit
    }

    /// What the ledger said to be in force, if that decided what keeps an older form here; `None` if
    /// a snapshot before did.
    pub fn judged_by(&self) -> Option<&Arc<Forms>> {
        self.judged_by.as_ref()
    }

    /// Whether it would say the same, whatever was in force before: all that is there is in force as
    /// it stands there, and nothing else is said of it.
    pub fn is_clear(&self) -> bool {
        let mut units = self.units.iter();
        let sound = self.findings.is_empty() && self.frozen.is_empty();
        sound && units.all(|(_, unit)| unit.held.is_none())
    }

    /// The cluster that all units belong to.
    pub fn cluster(&self) -> &Arc<Cluster> {
        &self.cluster
    }

    /// One unit.
    pub fn unit(&self, id: &UnitId) -> Option<&Unit> {
        self.units.get(id).map(|unit| &**unit)
    }

    /// One unit, to keep.
    pub(crate) fn shared_unit(&self, id: &UnitId) -> Option<&Arc<Unit>> {
        self.units.get(id)
    }

    /// All units in the order of their ids; held ones too.
    pub fn units(&self) -> impl Iterator<Item = &Unit> {
        self.units.iter().map(|(_, unit)| &**unit)
    }

    /// All units of one kind, in the order of their ids; held ones too.
    pub fn units_of(&self, kind: DocumentKind) -> impl Iterator<Item = &Unit> {
        self.units.of_kind(kind).map(|(_, unit)| &**unit)
    }

    /// How many documents of each kind are in force.
    pub fn count(&self) -> BTreeMap<DocumentKind, u32> {
        let mut count = BTreeMap::new();
        for (id, _) in self.units.iter() {
            *count.entry(id.kind).or_default() += 1;
        }
        count
    }

    /// The units that are not the very same here as in an earlier snapshot (none: all of them):
    /// what they were there, and what they are here.
    pub fn differences<'a>(
        &'a self,
        before: Option<&'a Self>,
    ) -> Vec<(Option<&'a Unit>, Option<&'a Unit>)> {
        self.units.differences(before.map(|before| &before.units))
    }

    /// Documents that are in the repository, and of which no form can be used (the new one is
    /// invalid, the old one cannot be read any more), with the reason: nothing of theirs may be
    /// created, changed or deleted. They are not among the units.
    pub fn frozen(&self) -> &BTreeMap<UnitId, String> {
        &self.frozen
    }

    /// Everything that is to be said of the snapshot, errors and warnings.
    pub fn findings(&self) -> &[Diagnostic] {
        &self.findings
    }

    /// Whether it may hold documents of which nothing is told: their names are not known, as they
    /// stand in a file that cannot be parsed, or they wait for a Cluster that is not valid.
    pub fn hides_documents(&self) -> bool {
        let mut clusters = self.units_of(DocumentKind::Cluster);
        if clusters.any(|cluster| cluster.held.is_some()) {
            return true;
        }
        let mut nameless = self
            .findings
            .iter()
            .filter(|finding| finding.unit.is_none());
        nameless.any(Diagnostic::is_error)
    }

    /// Whether it tells for certain what this document asks for: it is in force as it stands there,
    /// or it is not there.
    pub fn tells_of(&self, id: &UnitId) -> bool {
        if let Some(unit) = self.unit(id) {
            return unit.held.is_none();
        }
        let mut of_units = self.findings.iter().filter_map(|it| it.unit.as_ref());
        !self.frozen.contains_key(id) && !of_units.any(|it| it == id) && !self.hides_documents()
    }

    /// Whether something is said of a document of this name that is not in force.
    pub fn is_at_fault(&self, id: &UnitId) -> bool {
        let mut of_units = self.findings.iter().filter_map(|it| it.unit.as_ref());
        self.unit(id).is_none() && of_units.any(|it| it == id)
    }

    /// The texts that places point into.
    pub fn sources(&self) -> &SourceTable {
        &self.sources
    }

    /// Asks who committed each text that a finding is about. Only whoever has the history knows.
    pub fn sign(&mut self, author_of: &mut dyn FnMut(&Source) -> Option<Arc<str>>) {
        let places = self.findings.iter().filter_map(|finding| finding.place);
        let faulty: BTreeSet<SourceId> = places.map(|place| place.source).collect();
        let author = |id| Some((id, author_of(self.sources.get(id)?)?));
        self.authors = faulty.into_iter().filter_map(author).collect();
    }

    /// Who committed the text, if a finding is about it and that is known.
    pub fn author(&self, source: SourceId) -> Option<&str> {
        self.authors.get(&source).map(|author| &**author)
    }
}

/// One document in force, with all that it refers to.
#[derive(Debug, Clone)]
pub struct Unit {
    /// What names it.
    pub id: UnitId,
    /// The form in force: the snapshot's, or an older one if `held`.
    pub document: Document,
    /// Where the document stands.
    pub place: Place,
    /// The commit, file and blob of the form in force. The commit is the one that first brought
    /// this form, as far as the loader knows; the file may have changed since in other documents,
    /// in comments or in layout.
    pub applied: Applied,
    /// Digest of what the document says and of all that it refers to: equal digests mean that
    /// nothing that this unit is made from has changed.
    pub input: Digest,
    /// An older form is in force; why.
    pub held: Option<String>,
    /// What it refers to.
    pub scope: Scope,
    /// What follows from all this, once somebody asked.
    pub memo: Memo,
}

/// What a document refers to.
#[derive(Debug, Clone)]
pub struct Scope {
    /// The cluster.
    pub cluster: Arc<Cluster>,
    /// The queue; always there for kinds that have one.
    pub queue: Option<Arc<Queue>>,
    /// The cluster's pod defaults, if it names some.
    pub pod_defaults: Option<Arc<PodDefaults>>,
}

impl Scope {
    /// Where the objects of a document go: to the queue's namespace. A valid document of a kind
    /// that makes objects has a queue; without one it could only live beside Berth itself.
    pub fn namespace(&self) -> &Name {
        let queue = self.queue.as_ref().map(|it| &it.spec.namespace);
        queue.unwrap_or(&self.cluster.spec.namespace)
    }

    /// Whether this is made of the very same documents.
    pub(super) fn is(&self, other: &Self) -> bool {
        let same_queue = match (&self.queue, &other.queue) {
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            (one, other) => one.is_none() && other.is_none(),
        };
        let same_defaults = match (&self.pod_defaults, &other.pod_defaults) {
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            (one, other) => one.is_none() && other.is_none(),
        };
        Arc::ptr_eq(&self.cluster, &other.cluster) && same_queue && same_defaults
    }

    /// Only a cluster.
    pub(super) fn of_cluster(cluster: &Arc<Cluster>) -> Self {
        Self {
            cluster: Arc::clone(cluster),
            queue: None,
            pod_defaults: None,
        }
    }
}
