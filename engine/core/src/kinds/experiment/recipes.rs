//! The objects of an attempt, as recipes.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use berth_openapi::{Shape, facts};
use serde_json::Value as Json;

use super::Experiment;
use super::render::{PodRole, Subject};
use crate::desired::Scope;
use crate::ids::{Digest, DigestWriter, Name, ObjectKey};
use crate::kinds::{Recipe, Upkeep};
use crate::object::{Node, digest, leaves};
use crate::observed::Fact;

/// What the recipes of one trial are made from; it owns all of it, as bodies are rendered later.
#[derive(Clone)]
pub struct Kitchen {
    /// The document.
    pub document: Arc<Experiment>,
    /// What it refers to.
    pub scope: Scope,
    /// Where the objects are.
    pub namespace: Name,
    /// The digest of the run's identity.
    pub identity: Digest,
    /// The run's short digest.
    pub run: String,
    /// Counted from 1.
    pub trial: u32,
    /// Digests of the layers.
    pub layers: Arc<BTreeMap<String, String>>,
    /// What all pods of the trial are made from, once one was rendered.
    pub merged: Arc<OnceLock<Node>>,
}

/// Recipes that were worked out before from the same unit, by object.
type Made<'a> = &'a dyn Fn(&ObjectKey) -> Option<Recipe>;

impl Kitchen {
    /// The trial, to render it.
    pub fn subject(&self) -> Subject<'_> {
        Subject {
            document: &self.document,
            scope: &self.scope,
            namespace: &self.namespace,
            run: &self.run,
            trial: self.trial,
        }
    }

    /// The digest of a pod's desired form: of what it is rendered from.
    pub fn pod_digest(&self, role: &PodRole) -> Digest {
        let mut writer = DigestWriter::new("pod/v2");
        writer.field(self.identity.as_bytes());
        for number in [self.trial, role.attempt, role.rank, role.pods, role.slots] {
            writer.field(&number.to_le_bytes());
        }
        for (name, digest) in &*self.layers {
            writer.field(name.as_bytes());
            writer.field(digest.as_bytes());
        }
        writer.finish()
    }

    /// A pod that is to be made once, after these are there.
    pub fn pod(&self, role: PodRole, after: Vec<ObjectKey>) -> Recipe {
        let kitchen = self.clone();
        Recipe {
            key: self.subject().names().pod(role.attempt, role.rank),
            digest: self.pod_digest(&role),
            upkeep: Upkeep::Frozen,
            after,
            leaves: Arc::new([]),
            suspect: false,
            body: Arc::new(move || kitchen.render(&role).to_json()),
        }
    }

    fn render(&self, role: &PodRole) -> Node {
        let subject = self.subject();
        let merged = self.merged.get_or_init(|| subject.merged());
        subject.pod_on(merged, role)
    }

    /// The Service of an attempt; `None` for a single pod, which has no peers to find.
    pub fn service(&self, attempt: u32, pods: u32, made: Made) -> Option<Recipe> {
        (pods > 1).then(|| {
            let key = self.subject().names().service(attempt);
            made(&key).unwrap_or_else(|| {
                let kitchen = self.clone();
                let body = move || kitchen.subject().service(attempt);
                converged(key, body, "io.k8s.api.core.v1.Service")
            })
        })
    }
}

fn converged(
    key: ObjectKey,
    body: impl Fn() -> Json + Send + Sync + 'static,
    type_name: &str,
) -> Recipe {
    let shape = facts().type_named(type_name).unwrap_or(&Shape::Any);
    let node = Node::engine(&body());
    Recipe {
        key,
        digest: digest("object/v1", &node, shape),
        upkeep: Upkeep::Converged,
        after: Vec::new(),
        leaves: leaves(&node, shape),
        suspect: false,
        body: Arc::new(body),
    }
}

/// A pod that is there and stays as it is. It is never made, so it needs no body.
pub fn keep(fact: &Fact) -> Recipe {
    Recipe {
        key: fact.key.clone(),
        digest: fact.digest.unwrap_or(Digest::from_bytes([0; 32])),
        upkeep: Upkeep::Frozen,
        after: Vec::new(),
        leaves: Arc::new([]),
        suspect: false,
        body: Arc::new(|| Json::Null),
    }
}
