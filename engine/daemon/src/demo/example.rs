//! The documents that the demo commits: the cluster, the pod defaults and the queue of
//! `state-example/`, and experiments that tell the sandbox what becomes of their pods.

/// The cluster document's name.
pub const CLUSTER: &str = "lab";

/// Where the pod defaults stand.
pub const DEFAULTS: &str = "defaults/standard.yaml";

/// The files of the first commit: path and text.
pub const FIRST: &[(&str, &str)] = &[
    (
        "clusters/lab.yaml",
        include_str!("../../../../state-example/clusters/lab.yaml"),
    ),
    (
        DEFAULTS,
        include_str!("../../../../state-example/defaults/standard.yaml"),
    ),
    (
        "queues/vision.yaml",
        include_str!("../../../../state-example/queues/vision.yaml"),
    ),
];

/// The line of the pod defaults after which [`TOLERATION`] is put.
pub const BEFORE: &str = "- {key: nvidia.com/gpu, operator: Exists, effect: NoSchedule}\n";

/// A toleration for every GPU pod.
pub const TOLERATION: &str = "        - {key: example.com/maintenance, operator: Exists}\n";

/// An experiment: its name, its slots, how long its pods run, and more annotations for the
/// sandbox, such as `, sandbox.berth.dev/exit: "1"`.
pub fn experiment(name: &str, slots: u32, seconds: u32, more: &str) -> String {
    format!(
        "\
apiVersion: berth.dev/v1alpha1
kind: Experiment
metadata:
  name: {name}
  annotations: {{sandbox.berth.dev/run: {seconds}s{more}}}
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

/// Where an experiment stands.
pub fn path(name: &str) -> String {
    format!("experiments/{name}.yaml")
}
