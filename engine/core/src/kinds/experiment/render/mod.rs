//! Documents -> the bodies of pods and Services. Nothing here looks at the cluster.

mod build;
mod environment;
mod image;
mod layers;
mod order;
mod pod;
mod rank;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

pub use environment::checkpoints;
pub use image::rewrite as rewrite_image;
pub use layers::{
    LABELS, digests as layer_digests, fields as merged_fields, merged as merged_layers,
    nodes as layer_nodes, pod_shape, sources as layer_sources,
};
pub use pod::own_volumes;

use super::Experiment;
use super::names::TrialName;
use crate::desired::Scope;
use crate::ids::Name;
use crate::object::{Explained, Node, explain};
use crate::observed::marks;

const HPARAMS_FOLDER: &str = "/run/berth/hparams";
const HPARAMS_FILE: &str = "/run/berth/hparams/hparams.json";
const HPARAMS_NAME: &str = "hparams.json";

/// One trial of one run of one document.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The document.
    pub document: &'a Experiment,
    /// What it refers to.
    pub scope: &'a Scope,
    /// Where its objects are: [`Scope::namespace`], but for an attempt that began elsewhere.
    pub namespace: &'a Name,
    /// The run's short digest.
    pub run: &'a str,
    /// Counted from 1.
    pub trial: u32,
    /// Where its checkpoints are, if it has begun; else where the documents say.
    pub checkpoints: Option<&'a str>,
}

/// Which pod of a trial.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PodRole {
    /// Counted from 1.
    pub attempt: u32,
    /// Counted from 0.
    pub rank: u32,
    /// How many pods the attempt has.
    pub pods: u32,
    /// The slots of each.
    pub slots: u32,
}

impl Subject<'_> {
    /// The names of its objects.
    pub fn names(&self) -> TrialName<'_> {
        TrialName {
            namespace: self.namespace,
            experiment: self.document.name(),
            run: self.run,
            trial: self.trial,
        }
    }

    /// The body of one pod, every field with its place; without what the reconciler stamps.
    pub fn pod(&self, role: &PodRole) -> Node {
        pod::pod(self, role)
    }

    /// Makes the body of a pod that of another rank of the same attempt: the same as
    /// [`pod`](Self::pod) of that rank, for a fraction of the work.
    pub fn set_rank(&self, pod: &mut Json, role: &PodRole) {
        rank::set(self, pod, role);
    }

    /// The layer and line of every field of a pod whose path begins with `under`.
    pub fn explain(&self, role: &PodRole, under: &str) -> Vec<Explained> {
        let sources = layer_sources(self.document, self.scope);
        explain(&self.pod(role), pod_shape(), &sources, under)
    }

    /// The headless Service by which the pods of one attempt find each other. It selects by one
    /// label: the scheduler and the controllers match each pod against all Services of its namespace.
    pub fn service(&self, attempt: u32) -> Json {
        let key = self.names().service(attempt);
        let mut labels = self.labels(None);
        labels.insert(marks::ATTEMPT.into(), attempt.to_string());
        json!({
            "apiVersion": "v1", "kind": "Service",
            "metadata": {"name": key.name, "namespace": key.namespace, "labels": labels},
            "spec": {
                "clusterIP": "None",
                "publishNotReadyAddresses": true,
                "selector": {marks::SERVICE: key.name},
            },
        })
    }

    /// The labels of a pod, or of what belongs to the trial as a whole.
    fn labels(&self, role: Option<&PodRole>) -> BTreeMap<String, String> {
        let document = self.document;
        let mut labels: BTreeMap<String, String> = [
            ("app.kubernetes.io/name", "experiment"),
            ("app.kubernetes.io/instance", document.name().as_str()),
            ("app.kubernetes.io/component", "trial"),
            ("app.kubernetes.io/part-of", document.spec.queue.as_str()),
            ("app.kubernetes.io/managed-by", "berth"),
            ("berth.dev/kind", "Experiment"),
            ("berth.dev/queue", document.spec.queue.as_str()),
            ("berth.dev/experiment", document.name().as_str()),
            (marks::RUN, self.run),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
        labels.insert(marks::TRIAL.into(), self.trial.to_string());
        if let Some(role) = role {
            if role.pods > 1 {
                let service = self.names().service(role.attempt).name;
                labels.insert(marks::SERVICE.into(), service.to_string());
            }
            labels.insert(marks::ATTEMPT.into(), role.attempt.to_string());
            labels.insert(marks::RANK.into(), role.rank.to_string());
        }
        labels
    }
}
