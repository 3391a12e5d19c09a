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
use crate::ledger::{Attempt, Run};
use crate::object::{Node, digest, leaves};
use crate::observed::Fact;

/// What the recipes of one attempt are made from; it owns all of it, as bodies are rendered later.
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
    /// Where the checkpoints of the trial are.
    pub checkpoints: Option<String>,
    /// Counted from 1.
    pub attempt: u32,
    /// How many pods the attempt has.
    pub pods: u32,
    /// The slots of each.
    pub slots: u32,
    /// Digests of the layers.
    pub layers: Arc<BTreeMap<String, String>>,
    /// The body of rank 0, once a pod is rendered: the others differ from it in a few fields.
    pub first: Arc<OnceLock<Json>>,
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
            checkpoints: self.checkpoints.as_deref(),
        }
    }

    fn role(&self, rank: u32) -> PodRole {
        PodRole {
            attempt: self.attempt,
            rank,
            pods: self.pods,
            slots: self.slots,
        }
    }

    /// The digest of a pod's desired form: of what it is rendered from.
    pub fn pod_digest(&self, rank: u32) -> Digest {
        let numbers = [self.trial, self.attempt, rank, self.pods, self.slots];
        rendered_from(self.identity, numbers, &self.layers)
    }

    /// A pod that is to be made once, after these are there.
    pub fn pod(&self, rank: u32, after: Vec<ObjectKey>) -> Recipe {
        let kitchen = self.clone();
        Recipe {
            key: self.subject().names().pod(self.attempt, rank),
            digest: self.pod_digest(rank),
            upkeep: Upkeep::Frozen,
            after,
            leaves: Arc::new([]),
            suspect: None,
            body: Arc::new(move || kitchen.body(rank)),
        }
    }

    fn body(&self, rank: u32) -> Json {
        let subject = self.subject();
        let first = || subject.pod(&self.role(0)).to_json();
        let mut pod = self.first.get_or_init(first).clone();
        subject.set_rank(&mut pod, &self.role(rank));
        pod
    }

    /// The Service of the attempt; `None` for a single pod, which has no peers to find.
    pub fn service(&self, made: Made) -> Option<Recipe> {
        (self.pods > 1).then(|| {
            let key = self.subject().names().service(self.attempt);
            made(&key).unwrap_or_else(|| {
                let kitchen = self.clone();
                let body = move || kitchen.subject().service(kitchen.attempt);
                converged(key, body, "io.k8s.api.core.v1.Service")
            })
        })
    }
}

/// The digest that a pod of an attempt was made with; `None` if it is not known what the attempt was
/// rendered from.
pub fn recorded_digest(run: &Run, trial: u32, attempt: &Attempt, rank: u32) -> Option<Digest> {
    let numbers = [trial, attempt.number, rank, attempt.pods, attempt.slots];
    let known = !attempt.layers.is_empty();
    known.then(|| rendered_from(run.identity, numbers, &attempt.layers))
}

/// The digest of a pod that is rendered from these layers; `numbers` are trial, attempt, rank, pods of
/// the attempt and slots of each.
pub fn rendered_from(
    identity: Digest,
    numbers: [u32; 5],
    layers: &BTreeMap<String, String>,
) -> Digest {
    let mut writer = DigestWriter::new("pod/v2");
    writer.field(identity.as_bytes());
    for number in numbers {
        writer.field(&number.to_le_bytes());
    }
    for (name, digest) in layers {
        writer.field(name.as_bytes());
        writer.field(digest.as_bytes());
    }
    writer.finish()
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
        suspect: None,
        body: Arc::new(body),
    }
}

/// An object that is there and stays as it is. It is never made, so it needs no body.
pub fn keep(fact: &Fact) -> Recipe {
    Recipe {
        key: fact.key.clone(),
        digest: fact.digest.unwrap_or(Digest::from_bytes([0; 32])),
        upkeep: Upkeep::Frozen,
        after: Vec::new(),
        leaves: Arc::new([]),
        suspect: None,
        body: Arc::new(|| Json::Null),
    }
}
