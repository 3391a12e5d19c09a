//! What is not valid keeps its last applied form.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::files::form;
use super::index::name_place;
use super::judge::Pass;
use super::model::{Scope, Unit};
use crate::diagnostic::{Code, Diagnostic};
use crate::ids::{DigestWriter, DocumentKind, Name, UnitId};
use crate::kinds::experiment::Memo;
use crate::kinds::{Cluster, Document};
use crate::object::Place;

impl Pass<'_> {
    /// A document is not valid: says why and keeps its old form.
    pub(super) fn refuse(&mut self, id: &UnitId, mut findings: Vec<Diagnostic>) {
        for finding in &mut findings {
            finding.unit = Some(id.clone());
        }
        let why = findings.iter().find(|finding| finding.is_error());
        let why = why.map_or_else(String::new, |finding| finding.cause.clone());
        self.findings.append(&mut findings);
        self.bad.insert(id.clone(), why.clone());
        self.hold(id, &why);
    }

    /// A document is valid, but what it refers to is not: what is in force stands still.
    pub(super) fn hold_by_reference(&mut self, id: &UnitId, document: &Document, why: &str) {
        self.hold(id, why);
        let in_force = self
            .units
            .get(id)
            .is_some_and(|unit| form(&unit.document) == form(document));
        if !in_force {
            let mut finding = Diagnostic::warning(
                Code::HeldByReference,
                name_place(document),
                format!("not applied yet: {why}"),
            );
            finding.unit = Some(id.clone());
            self.findings.push(finding);
        }
    }

    /// An experiment that is gone from its queue and not valid in another one stays where it was.
    pub(super) fn moved(&mut self) {
        let gone = self.past.ids().into_iter().filter(|id| {
            let is_known = self.units.contains_key(id) || self.frozen.contains_key(*id);
            id.kind == DocumentKind::Experiment && !is_known && !self.index.has(id)
        });
        let gone: Vec<&UnitId> = gone.collect();
        let index = self.index;
        let names = gone.iter().map(|id| &id.name).collect();
        let mut faulty: BTreeMap<&Name, (&UnitId, String)> = BTreeMap::new();
        for id in index.namesakes(&names) {
            if let Some(why) = self.fault(id) {
                faulty.insert(&id.name, (id, why));
            }
        }
        for id in gone {
            let Some((new, why)) = faulty.get(&id.name) else {
                continue;
            };
            let why = format!("it is now `{new}`, which is not valid: {why}");
            let place = index.place(new).unwrap_or(Place::ENGINE);
            let cause = format!("`{id}` keeps its last form: {why}");
            let mut finding = Diagnostic::warning(Code::HeldByPlace, place, cause);
            finding.unit = Some(id.clone());
            self.findings.push(finding);
            self.bad.insert(id.clone(), why.clone());
            self.hold(id, &why);
            self.elsewhere = true;
        }
    }

    /// What is wrong with a document that is new, or with its queue.
    fn fault(&self, id: &UnitId) -> Option<String> {
        if self.past.applied(id).is_some() {
            return None;
        }
        let queue = UnitId::plain(DocumentKind::Queue, id.queue.clone()?);
        let fault = self.bad.get(id).or_else(|| self.bad.get(&queue));
        fault.cloned()
    }

    /// Keeps the old form of a document, if there is one.
    pub(super) fn hold(&mut self, id: &UnitId, why: &str) {
        if let Some(before) = self.past.unit(id) {
            let unit = if before.held.as_deref() == Some(why) {
                Arc::clone(before)
            } else {
                Arc::new(Unit {
                    held: Some(why.to_owned()),
                    ..Unit::clone(before)
                })
            };
            self.units.insert(id.clone(), unit);
        } else if let Some(unit) = self.last_form(id, why) {
            self.units.insert(id.clone(), Arc::new(unit));
        } else if self.past.applied(id).is_some() {
            self.frozen.insert(id.clone(), why.to_owned());
        }
    }

    /// The form that the ledger names, with what it refers to as that is in force now.
    fn last_form(&mut self, id: &UnitId, why: &str) -> Option<Unit> {
        self.past.recorded(id)?;
        let (document, applied) = self.past.read(id, &mut self.old, &mut self.files.sources)?;
        let scope = self.scope_of(&document)?;
        let mut input = DigestWriter::new("held/v2");
        input.field(form(&document).as_bytes());
        Some(Unit {
            id: id.clone(),
            place: name_place(&document),
            document,
            applied,
            input: input.finish(),
            held: Some(why.to_owned()),
            scope,
            memo: Memo::default(),
        })
    }

    /// What an old form refers to, as it is in force now or was last.
    fn scope_of(&mut self, document: &Document) -> Option<Scope> {
        let mut scope = match document {
            Document::Cluster(cluster) => return Some(Scope::of_cluster(cluster)),
            _ => Scope::of_cluster(&self.settled_cluster()?),
        };
        let Document::Experiment(experiment) = document else {
            return Some(scope);
        };
        match self.form_in_force(DocumentKind::Queue, &experiment.spec.queue)? {
            Document::Queue(queue) => scope.queue = Some(queue),
            _ => return None,
        }
        if let Some(name) = scope.cluster.spec.pod_defaults.clone() {
            match self.form_in_force(DocumentKind::PodDefaults, &name)? {
                Document::PodDefaults(defaults) => scope.pod_defaults = Some(defaults),
                _ => return None,
            }
        }
        Some(scope)
    }

    fn settled_cluster(&self) -> Option<Arc<Cluster>> {
        let mut clusters = self.units.of_kind(DocumentKind::Cluster);
        clusters.find_map(|(_, unit)| match &unit.document {
            Document::Cluster(cluster) => Some(Arc::clone(cluster)),
            _ => None,
        })
    }

    /// The settled form, or that which the ledger names though it is not in the repository any more.
    fn form_in_force(&mut self, kind: DocumentKind, name: &Name) -> Option<Document> {
        let id = UnitId::plain(kind, name.clone());
        if let Some(unit) = self.units.get(&id) {
            return Some(unit.document.clone());
        }
        let sources = &mut self.files.sources;
        Some(self.past.read(&id, &mut self.old, sources)?.0)
    }
}
