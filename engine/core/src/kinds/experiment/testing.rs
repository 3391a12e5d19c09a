//! Documents for tests, made without a repository.

use std::sync::Arc;

use serde_json::{Value as Json, json};

use super::Experiment;
use crate::desired::{Scope, Unit};
use crate::ids::{BlobId, CommitId, DigestWriter, UnitId};
use crate::kinds::{Document, Form};
use crate::ledger::Applied;
use crate::object::{Node, Place, SourceId, Span};

/// A document of any kind; the source table's entry is `source`, the line of every node 1.
pub fn form<S: serde::de::DeserializeOwned>(source: u32, name: &str, spec: &Json) -> Form<S> {
    let place = Place {
        source: SourceId(source),
        span: Span {
            end: 1000,
            line: 1,
            column: 1,
            start: 0,
        },
    };
    let metadata = json!({"name": name, "labels": {"team": "vision"}});
    Form {
        metadata: serde_json::from_value(metadata.clone()).unwrap(),
        spec: serde_json::from_value(spec.clone()).unwrap(),
        source: Node::from_json(&json!({"metadata": metadata, "spec": spec}), place),
    }
}

pub fn experiment(name: &str, spec: &Json) -> Experiment {
    form(1, name, spec)
}

/// JSON on top of JSON, maps merged.
pub fn with(base: &Json, over: &Json) -> Json {
    crate::object::merge(
        &Node::engine(base),
        &Node::engine(over),
        &berth_openapi::Shape::Any,
    )
    .to_json()
}

/// The documents that a unit refers to; changes go over working defaults.
#[derive(Debug, Clone)]
pub struct Repository {
    pub cluster: Json,
    pub queue: Json,
    pub defaults: Json,
    pub experiment: Json,
}

impl Default for Repository {
    fn default() -> Self {
        Self {
            cluster: json!({"namespace": "berth", "maxSlotsPerPod": 8, "podDefaults": "default",
                "checkpointStorage": {"uri": "s3://checkpoints/lab"},
                "images": {"cpu": "base-cpu:1", "gpu": "base-gpu:1"}}),
            queue: json!({"cluster": "lab", "namespace": "vision-ns", "quota": 64}),
            defaults: json!({"gpu": {"spec": {"tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists"}]}}}),
            experiment: json!({"queue": "vision", "image": "train:1", "entrypoint": ["train", "--lr=$(hp.lr)"],
                "hyperparameters": {"lr": 0.1}}),
        }
    }
}

impl Repository {
    pub fn scope(&self) -> Scope {
        Scope {
            cluster: Arc::new(form(10, "lab", &self.cluster)),
            queue: Some(Arc::new(form(11, "vision", &self.queue))),
            pod_defaults: Some(Arc::new(form(12, "default", &self.defaults))),
        }
    }

    pub fn document(&self) -> Experiment {
        experiment("resnet", &self.experiment)
    }

    pub fn unit(&self) -> Unit {
        let document = self.document();
        let mut input = DigestWriter::new("test");
        input.field(format!("{self:?}").as_bytes());
        Unit {
            id: UnitId::experiment(document.spec.queue.clone(), document.name().clone()),
            place: document.source.place,
            document: Document::Experiment(Arc::new(document)),
            applied: Applied {
                commit: CommitId::from_bytes([1; 20]),
                path: "experiments/resnet.yaml".into(),
                blob: BlobId::from_bytes([2; 20]),
            },
            input: input.finish(),
            held: None,
            scope: self.scope(),
            memo: super::Memo::default(),
        }
    }
}
