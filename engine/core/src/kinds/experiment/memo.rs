//! What follows from a unit alone, worked out once.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use super::render::layer_digests;
use super::{Experiment, Placing, identity};
use crate::desired::Scope;
use crate::ids::Digest;

/// What follows from a document and what it refers to. It is worked out when it is first asked for;
/// then it stays, as a unit never changes.
#[derive(Debug, Clone, Default)]
pub struct Memo {
    identity: OnceLock<Digest>,
    layers: OnceLock<Arc<BTreeMap<String, String>>>,
    placing: OnceLock<Arc<Placing>>,
}

impl Memo {
    /// The identity of the run that the document asks for.
    pub fn identity(&self, document: &Experiment) -> Digest {
        *self.identity.get_or_init(|| identity(document))
    }

    /// Digests of the layers of its pods.
    pub fn layers(&self, document: &Experiment, scope: &Scope) -> Arc<BTreeMap<String, String>> {
        let digests = || Arc::new(layer_digests(document, scope));
        Arc::clone(self.layers.get_or_init(digests))
    }
    /// Which nodes its pods may go to.
    pub fn placing(&self, document: &Experiment, scope: &Scope) -> Arc<Placing> {
        let placing = || Arc::new(Placing::of(document, scope));
        Arc::clone(self.placing.get_or_init(placing))
    }
}
