//! The documents that the tests commit.

use super::names::{Names, POOL};

/// Where the pod defaults stand.
pub const DEFAULTS: &str = "defaults/default.yaml";

/// The line after which [`TOLERATION`] is put into the pod defaults.
pub const DEFAULTS_END: &str = "terminationGracePeriodSeconds: 1\n";

/// A toleration for every GPU pod.
pub const TOLERATION: &str =
    "      tolerations: [{key: example.com/maintenance, operator: Exists}]\n";

/// A cluster, its pod defaults and a queue: path and text.
pub fn first(names: &Names) -> Vec<(&'static str, String)> {
    let (own, queue, pool) = (names.own(), names.queue(), names.pool());
    let cluster = format!(
        "\
apiVersion: berth.dev/v1alpha1
kind: Cluster
metadata: {{name: lab}}
spec:
  namespace: {own}
  maxSlotsPerPod: 8
  images: {{cpu: registry.example.com/base:1, gpu: registry.example.com/cuda:12}}
  podDefaults: default
  checkpointStorage: {{uri: s3://checkpoints/lab}}
"
    );
    let defaults = format!(
        "\
apiVersion: berth.dev/v1alpha1
kind: PodDefaults
metadata: {{name: default}}
spec:
  gpu:
    spec:
      nodeSelector: {{{POOL}: {pool}}}
      {DEFAULTS_END}"
    );
    let vision = format!(
        "\
apiVersion: berth.dev/v1alpha1
kind: Queue
metadata: {{name: vision}}
spec: {{cluster: lab, namespace: {queue}, quota: 64}}
"
    );
    vec![
        ("clusters/lab.yaml", cluster),
        (DEFAULTS, defaults),
        ("queues/vision.yaml", vision),
    ]
}

/// Where an experiment stands.
pub fn path(name: &str) -> String {
    format!("experiments/{name}.yaml")
}

/// An experiment: its name, its slots, how long its pods run (`300ms`), and more annotations for
/// its simulated kubelet, such as `exit: "1"`.
pub fn experiment(name: &str, slots: u32, run: &str, more: &[(&str, &str)]) -> String {
    let more: String = more
        .iter()
        .map(|(key, value)| format!(", sandbox.berth.dev/{key}: {value:?}"))
        .collect();
    format!(
        "\
apiVersion: berth.dev/v1alpha1
kind: Experiment
metadata:
  name: {name}
  annotations: {{sandbox.berth.dev/run: {run}{more}}}
spec:
  queue: vision
  image: registry.example.com/vision/train:2.4.1
  entrypoint: [torchrun, train.py, --lr, \"$(hp.learningRate)\"]
  resources: {{slotsPerTrial: {slots}}}
  hyperparameters: {{learningRate: 0.1}}
  maxRestarts: 2
  state: active
"
    )
}
