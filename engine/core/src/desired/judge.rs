//! One pass over a snapshot for one cluster: which form of each document is in force.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::files::{At, Files, form};
use super::index::{Index, name_place};
use super::model::{Scope, Unit};
use super::past::{OldForms, Past};
use super::provisional::Stand;
use super::units::Units;
use crate::diagnostic::Diagnostic;
use crate::ids::{BlobId, Digest, DigestWriter, DocumentKind, Name, UnitId};
use crate::kinds::experiment::Memo;
use crate::kinds::{Cluster, Document, PodDefaults, Queue, check};
use crate::ledger::Applied;
use crate::reconciler::CommitFacts;

/// What a pass finds out.
pub(super) struct Pass<'a> {
    pub files: &'a mut Files,
    pub index: &'a Index,
    pub past: Past<'a>,
    pub commit: &'a CommitFacts,
    /// Why documents are not valid, by id.
    pub bad: BTreeMap<UnitId, String>,
    pub units: Units,
    pub frozen: BTreeMap<UnitId, String>,
    pub findings: Vec<Diagnostic>,
    /// What holds a document that is gone is not its own path.
    pub elsewhere: bool,
    pub old: OldForms,
}

impl Pass<'_> {
    /// Settles every document of the cluster. `None` if there is no form of the cluster itself.
    pub fn run(&mut self, name: &Name) -> Option<Arc<Cluster>> {
        let id = UnitId::plain(DocumentKind::Cluster, name.clone());
        if let Some(cluster) = self.cluster(&id) {
            self.all(DocumentKind::PodDefaults, |pass, id, at| {
                pass.pod_defaults(&cluster, id, at);
            });
            self.all(DocumentKind::Queue, |pass, id, at| {
                pass.queue(&cluster, id, at);
            });
            let stand = Stand::new(self, Some(name), Some(Arc::clone(&cluster)))?;
            self.all(DocumentKind::Experiment, |pass, id, at| {
                pass.experiment(&stand, id, at);
            });
            self.moved();
            self.faulty(&stand);
            return Some(cluster);
        }
        self.provisional(Some(name));
        let why = format!("Cluster {name} is not valid: {}", self.why(&id));
        self.hold(&id, &why);
        let cluster = match &self.units.get(&id)?.document {
            Document::Cluster(cluster) => Arc::clone(cluster),
            _ => return None,
        };
        for kind in DocumentKind::BUILT {
            let ids: Vec<UnitId> = self
                .past
                .ids()
                .into_iter()
                .filter(|id| id.kind == kind)
                .cloned()
                .collect();
            for id in &ids {
                self.hold(id, &why);
            }
        }
        self.wait_for_cluster(name, &why);
        Some(cluster)
    }

    /// Settles one experiment of a snapshot that says the same as the one before of all that
    /// experiments refer to.
    pub fn experiment_alone(&mut self, stand: &Stand, id: &UnitId) {
        self.bad.remove(id);
        self.units.remove(id);
        self.frozen.remove(id);
        let index = self.index;
        if let Some(at) = index.valid.get(id) {
            self.experiment(stand, id, at);
        }
    }

    /// Settles all documents of a kind: the valid ones by `settle`, then those that are not.
    fn all(&mut self, kind: DocumentKind, mut settle: impl FnMut(&mut Self, &UnitId, &At)) {
        let index = self.index;
        for (id, at) in index.valid.iter().filter(|(id, _)| id.kind == kind) {
            settle(self, id, at);
        }
        let bad: Vec<(UnitId, String)> = self
            .bad
            .iter()
            .filter(|(id, _)| id.kind == kind)
            .map(|(id, why)| (id.clone(), why.clone()))
            .collect();
        for (id, why) in bad {
            if !self.units.contains_key(&id) {
                self.hold(&id, &why);
            }
        }
    }

    /// The cluster in the form of the snapshot, if that is valid.
    fn cluster(&mut self, id: &UnitId) -> Option<Arc<Cluster>> {
        let at = self.index.valid.get(id)?;
        let Document::Cluster(cluster) = self.document(at)? else {
            return None;
        };
        let scope = Scope::of_cluster(&cluster);
        let document = Document::Cluster(Arc::clone(&cluster));
        if let Some(finding) = self.reference(&document) {
            self.refuse(id, vec![finding]);
            return None;
        }
        let input = self.input(at, &[])?;
        self.judge(id, at, document, scope, input)
            .then_some(cluster)
    }

    fn pod_defaults(&mut self, cluster: &Arc<Cluster>, id: &UnitId, at: &At) {
        let (Some(document), Some(input)) = (self.document(at), self.input(at, &[])) else {
            return;
        };
        let scope = Scope::of_cluster(cluster);
        self.judge(id, at, document, scope, input);
    }

    fn queue(&mut self, cluster: &Arc<Cluster>, id: &UnitId, at: &At) {
        let Some(Document::Queue(queue)) = self.document(at) else {
            return;
        };
        if queue.spec.cluster != *cluster.name() {
            // It is none of our business, but its cluster must exist.
            if let Some(finding) = self.reference(&Document::Queue(queue)) {
                self.refuse(id, vec![finding]);
            }
            return;
        }
        let refers_to = [self.at(DocumentKind::Cluster, cluster.name())];
        let Some(input) = self.input(at, &refers_to) else {
            return;
        };
        let scope = Scope::of_cluster(cluster);
        self.judge(id, at, Document::Queue(queue), scope, input);
    }

    fn experiment(&mut self, stand: &Stand, id: &UnitId, at: &At) {
        let cluster = stand.cluster();
        let Some(document @ Document::Experiment(_)) = self.document(at) else {
            return;
        };
        if let Some(finding) = self.reference(&document) {
            // The rest is checked all the same, by the queue that is probably meant.
            let mut findings = vec![finding];
            findings.extend(self.within(stand, &document));
            return self.refuse(id, findings);
        }
        let (queue, defaults) = match (self.queue_of(id), self.defaults_of(cluster)) {
            (None, _) => return,
            (Some(Ok(queue)), Ok(defaults)) => (queue, defaults),
            (Some(Err(why)), _) | (_, Err(why)) => return self.wait(stand, id, &document, &why),
        };
        let refers_to = [
            self.at(DocumentKind::Cluster, cluster.name()),
            self.at(DocumentKind::Queue, queue.name()),
            defaults
                .as_ref()
                .and_then(|it| self.at(DocumentKind::PodDefaults, it.name())),
        ];
        let Some(input) = self.input(at, &refers_to) else {
            return;
        };
        let scope = Scope {
            cluster: Arc::clone(cluster),
            queue: Some(queue),
            pod_defaults: defaults,
        };
        self.judge(id, at, document, scope, input);
    }

    /// The queue in force of an experiment, or why there is none; `None` if that is another cluster's.
    fn queue_of(&self, id: &UnitId) -> Option<Result<Arc<Queue>, String>> {
        let queue_id = UnitId::plain(DocumentKind::Queue, id.queue.clone()?);
        let unit = self.units.get(&queue_id);
        match unit.map(|unit| (&unit.document, &unit.held)) {
            Some((Document::Queue(queue), None)) => Some(Ok(Arc::clone(queue))),
            None if !self.bad.contains_key(&queue_id) => None,
            _ => Some(Err(format!("{queue_id} is not valid"))),
        }
    }

    /// An experiment refers to what is not valid: it waits for that, unless it is not valid itself.
    fn wait(&mut self, stand: &Stand, id: &UnitId, document: &Document, why: &str) {
        let mut findings = self.within(stand, document);
        if findings.iter().any(Diagnostic::is_error) {
            return self.refuse(id, findings);
        }
        for finding in &mut findings {
            finding.unit = Some(id.clone());
        }
        self.findings.append(&mut findings);
        self.hold_by_reference(id, document, why);
    }

    fn defaults_of(&self, cluster: &Cluster) -> Result<Option<Arc<PodDefaults>>, String> {
        let Some(name) = &cluster.spec.pod_defaults else {
            return Ok(None);
        };
        let id = UnitId::plain(DocumentKind::PodDefaults, name.clone());
        match self.units.get(&id).map(|unit| (&unit.document, &unit.held)) {
            Some((Document::PodDefaults(defaults), None)) => Ok(Some(Arc::clone(defaults))),
            _ => Err(format!("{id} is not valid")),
        }
    }

    /// Checks a document within its scope; takes it if it is valid, holds it if not.
    fn judge(
        &mut self,
        id: &UnitId,
        at: &At,
        document: Document,
        scope: Scope,
        input: Input,
    ) -> bool {
        let findings = self.checked(at, input.text, &document, &scope);
        if findings.iter().any(Diagnostic::is_error) {
            self.refuse(id, findings.to_vec());
            return false;
        }
        self.findings.extend(findings.iter().cloned());
        let unit = self.unit(id, at, document, scope, input.form);
        self.units.insert(id.clone(), unit);
        true
    }

    /// What a check of these texts says; asked once.
    fn checked(
        &mut self,
        at: &At,
        input: Digest,
        document: &Document,
        scope: &Scope,
    ) -> Arc<[Diagnostic]> {
        let known = self.files.valid(at).and_then(|it| it.checked.as_ref());
        if let Some((_, findings)) = known.filter(|(of, _)| *of == input) {
            return Arc::clone(findings);
        }
        let mut findings = check::within(document, scope);
        for finding in &mut findings {
            finding.unit = Some(document.id());
        }
        let findings: Arc<[Diagnostic]> = findings.into();
        if let Some(valid) = self.files.valid_mut(at) {
            valid.checked = Some((input, Arc::clone(&findings)));
        }
        findings
    }

    /// The unit of a valid document; the one before if nothing changed, not even where it stands.
    fn unit(
        &mut self,
        id: &UnitId,
        at: &At,
        document: Document,
        scope: Scope,
        input: Digest,
    ) -> Arc<Unit> {
        let place = name_place(&document);
        let same = self.past.unit(id).filter(|unit| {
            unit.input == input
                && unit.held.is_none()
                && unit.applied.path == *at.path
                && unit.place == place
                && unit.scope.is(&scope)
        });
        if let Some(unit) = same {
            return Arc::clone(unit);
        }
        Arc::new(Unit {
            id: id.clone(),
            applied: self.applied(id, at, &document),
            document,
            place,
            input,
            held: None,
            scope,
            memo: Memo::default(),
        })
    }

    /// Which commit brought this form: the one before, if the file said the same then.
    fn applied(&mut self, id: &UnitId, at: &At, document: &Document) -> Applied {
        let blob = self
            .files
            .by_path
            .get(&at.path)
            .map_or(BlobId::from_bytes([0; 20]), |file| file.blob);
        let before = self
            .past
            .applied(id)
            .filter(|applied| applied.path == *at.path);
        let (old, sources) = (&mut self.old, &mut self.files.sources);
        let before = before.filter(|applied| {
            applied.blob == blob || self.past.form(id, old, sources) == Some(form(document))
        });
        before.cloned().unwrap_or_else(|| Applied {
            commit: self.commit.id,
            path: at.path.to_string(),
            blob,
        })
    }

    fn why(&self, id: &UnitId) -> String {
        self.bad
            .get(id)
            .cloned()
            .unwrap_or_else(|| "the document is not there".to_owned())
    }

    /// The document of the snapshot that stands there.
    pub(super) fn document(&self, at: &At) -> Option<Document> {
        Some(self.files.valid(at)?.document.clone())
    }

    /// Where a document of the snapshot stands.
    pub(super) fn at(&self, kind: DocumentKind, name: &Name) -> Option<&At> {
        self.index.valid.get(&UnitId::plain(kind, name.clone()))
    }

    /// Digests of a document and of those that it refers to.
    fn input(&self, at: &At, refers_to: &[Option<&At>]) -> Option<Input> {
        self.files.valid(at)?;
        let mut form = DigestWriter::new("input/v2");
        let mut text = DigestWriter::new("checked/v1");
        for at in std::iter::once(Some(at)).chain(refers_to.iter().copied()) {
            let valid = at.and_then(|at| self.files.valid(at));
            form.field(valid.map_or(&[][..], |valid| valid.form.as_bytes()));
            let file = at.and_then(|at| self.files.by_path.get(&at.path));
            text.field(file.map_or(&[][..], |file| file.blob.as_bytes()));
        }
        Some(Input {
            form: form.finish(),
            text: text.finish(),
        })
    }
}

/// What a document is judged by.
#[derive(Clone, Copy)]
struct Input {
    /// What the documents say.
    form: Digest,
    /// The texts that they stand in: findings have places.
    text: Digest,
}
