//! The variables of the task's container.

use serde_json::json;

use super::build::{at, list, map, text};
use super::{HPARAMS_FILE, PodRole, Subject, rank};
use crate::desired::Scope;
use crate::kinds::cluster::SlotType;
use crate::kinds::experiment::{Experiment, ValueSource, Variable, hyperparameters};
use crate::object::Node;

/// The port of the rendezvous, on rank 0.
const MASTER_PORT: u16 = 29500;

/// The document's own variables, each with its place.
pub fn own(subject: &Subject) -> Node {
    let document = subject.document;
    let variables = document.spec.environment.variables.iter();
    list(variables.map(|(name, variable)| {
        let place = document.place(&["spec", "environment", "variables", name]);
        let fields = match variable {
            Variable::Text(text) => json!({"name": name, "value": text}),
            Variable::From { value_from } => {
                let (field, key) = match value_from {
                    ValueSource::SecretKeyRef(key) => ("secretKeyRef", key),
                    ValueSource::ConfigMapKeyRef(key) => ("configMapKeyRef", key),
                };
                let mut source = json!({"name": key.name, "key": key.key});
                if key.optional {
                    source["optional"] = true.into();
                }
                json!({"name": name, "valueFrom": {field: source}})
            }
        };
        at(place, &fields)
    }))
}

/// The variables that Berth sets: who the pod is, how it finds its peers, its hyperparameters.
pub fn engine(subject: &Subject, role: &PodRole) -> Node {
    let hyperparameters = hyperparameters::variables(&subject.document.spec.hyperparameters);
    let place = subject.document.place(&["spec", "hyperparameters"]);
    let values = hyperparameters
        .iter()
        .map(|(name, value)| at(place, &json!({"name": name, "value": value})));
    let rest = who(subject, role)
        .into_iter()
        .chain(rendezvous(subject, role))
        .map(|(name, value)| {
            map([
                ("name", text(name)),
                ("value", text(hyperparameters::verbatim(&value))),
            ])
        });
    list(values.chain(rest))
}

fn who(subject: &Subject, role: &PodRole) -> Vec<(&'static str, String)> {
    let document = subject.document;
    let mut variables = vec![
        ("BERTH_CLUSTER", subject.scope.cluster.name().to_string()),
        ("BERTH_QUEUE", document.spec.queue.to_string()),
        ("BERTH_EXPERIMENT", document.name().to_string()),
        ("BERTH_RUN", subject.run.to_owned()),
        ("BERTH_TRIAL", subject.trial.to_string()),
        ("BERTH_ATTEMPT", role.attempt.to_string()),
        (rank::BERTH_RANK, role.rank.to_string()),
        ("BERTH_HPARAMS_FILE", HPARAMS_FILE.to_owned()),
    ];
    if let Some(uri) = checkpoint_uri(subject) {
        variables.push(("BERTH_CHECKPOINT_URI", uri));
    }
    let cuda = subject.scope.cluster.spec.slot_type == SlotType::Cuda;
    if role.slots == 0 && cuda {
        // A pod without slots must not see the GPUs of a node whose runtime shows all by default.
        variables.push(("NVIDIA_VISIBLE_DEVICES", "void".to_owned()));
    }
    variables
}

/// Where the checkpoints of a trial that begins now go.
pub fn checkpoints<'a>(document: &'a Experiment, scope: &'a Scope) -> Option<&'a str> {
    let own = document.spec.checkpoint_storage.as_ref();
    let storage = own.or(scope.cluster.spec.checkpoint_storage.as_ref())?;
    Some(&storage.uri)
}

/// The same for every attempt of a trial, so that the next one finds what the last one left.
fn checkpoint_uri(subject: &Subject) -> Option<String> {
    let document = subject.document;
    let today = || checkpoints(document, subject.scope);
    Some(format!(
        "{}/{}/{}/{}/{}",
        subject.checkpoints.or_else(today)?.trim_end_matches('/'),
        document.spec.queue,
        document.name(),
        subject.run,
        subject.trial
    ))
}

/// What torchrun reads; `WORLD_SIZE` and `RANK` are not set, as programs disagree on whether they
/// count nodes or processes.
fn rendezvous(subject: &Subject, role: &PodRole) -> [(&'static str, String); 5] {
    let master = if role.pods > 1 {
        format!(
            "{}.{}",
            rank::host(0),
            subject.names().service(role.attempt).name
        )
    } else {
        "127.0.0.1".to_owned()
    };
    [
        ("PET_NNODES", role.pods.to_string()),
        ("PET_NPROC_PER_NODE", role.slots.max(1).to_string()),
        (rank::PET_NODE_RANK, role.rank.to_string()),
        ("PET_MASTER_ADDR", master),
        ("PET_MASTER_PORT", MASTER_PORT.to_string()),
    ]
}
