//! What was in force before a snapshot.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::files::{documents_in, form};
use super::model::{Desired, Unit};
use crate::diagnostic::{Source, SourceTable};
use crate::ids::{BlobId, Digest, UnitId};
use crate::kinds::Document;
use crate::ledger::{Applied, Forms};

/// Files that the ledger names, each read once a pass.
#[derive(Default)]
pub(super) struct OldForms(BTreeMap<(String, BlobId), BTreeMap<UnitId, Document>>);

/// The forms in force: of the snapshot before, or after a restart those that the ledger names. What it
/// named then says nothing of what later snapshots withdrew.
#[derive(Clone, Copy)]
pub(super) struct Past<'a> {
    pub previous: Option<&'a Desired>,
    pub ledger: &'a Forms,
    pub blobs: &'a BTreeMap<BlobId, Arc<[u8]>>,
}

impl<'a> Past<'a> {
    /// The unit of the snapshot before.
    pub fn unit(&self, id: &UnitId) -> Option<&'a Arc<Unit>> {
        self.previous?.units.get(id)
    }

    /// Where the form in force stands.
    pub fn applied(&self, id: &UnitId) -> Option<&'a Applied> {
        self.unit(id)
            .map(|unit| &unit.applied)
            .or_else(|| self.recorded(id))
    }

    /// Where the form in force stands, if only the ledger tells.
    pub fn recorded(&self, id: &UnitId) -> Option<&'a Applied> {
        let is_past = |it: &Desired| it.frozen.contains_key(id);
        let counts = self.previous.is_none_or(is_past);
        self.ledger.in_force.get(id).filter(|_| counts)
    }

    /// The last form that the ledger names, in force or not, read again.
    pub fn read(
        &self,
        id: &UnitId,
        old: &mut OldForms,
        sources: &mut SourceTable,
    ) -> Option<(Document, Applied)> {
        let applied = self.ledger.last(id)?;
        let bytes = self.blobs.get(&applied.blob)?;
        let key = (applied.path.clone(), applied.blob);
        let forms = old.0.entry(key).or_insert_with(|| {
            let source = sources.add(Source {
                path: applied.path.as_str().into(),
                blob: applied.blob,
            });
            documents_in(bytes, source)
        });
        Some((forms.get(id)?.clone(), applied.clone()))
    }

    /// Digest of the form in force.
    pub fn form(
        &self,
        id: &UnitId,
        old: &mut OldForms,
        sources: &mut SourceTable,
    ) -> Option<Digest> {
        if let Some(unit) = self.unit(id) {
            return Some(form(&unit.document));
        }
        self.recorded(id)?;
        Some(form(&self.read(id, old, sources)?.0))
    }

    /// All ids that were in force.
    pub fn ids(&self) -> BTreeSet<&'a UnitId> {
        match self.previous {
            Some(desired) => {
                let units = desired.units.iter().map(|(id, _)| id);
                units.chain(desired.frozen.keys()).collect()
            }
            None => self.ledger.in_force.keys().collect(),
        }
    }
}
