//! The documents that are measured: a cluster, its defaults, a queue, and experiments of 59 lines.

use std::fmt::Write as _;

/// The pods of one experiment.
pub const PODS: usize = 4;

const CLUSTER: &str = "\
apiVersion: berth.dev/v1alpha1
kind: Cluster
metadata: {name: lab}
spec:
  namespace: berth
  maxSlotsPerPod: 1
  images: {cpu: registry.example.com/base:1, gpu: registry.example.com/cuda:12}
  podDefaults: standard
  checkpointStorage: {uri: \"s3://checkpoints/lab\"}
  keepFinishedPods: 0s
";
const DEFAULTS: &str = "\
apiVersion: berth.dev/v1alpha1
kind: PodDefaults
metadata: {name: standard}
spec:
  gpu:
    metadata: {labels: {tier: gpu}}
    spec:
      terminationGracePeriodSeconds: 1
      tolerations: [{key: nvidia.com/gpu, operator: Exists, effect: NoSchedule}]
      containers: [{name: task, resources: {requests: {cpu: 1, memory: 1Gi}, limits: {memory: 1Gi}}}]
";
const QUEUE: &str = "\
apiVersion: berth.dev/v1alpha1
kind: Queue
metadata: {name: vision}
spec: {cluster: lab, namespace: vision, quota: 100000}
";

/// What stands beside the experiments.
pub fn base() -> Vec<(String, String)> {
    [
        ("clusters/lab.yaml", CLUSTER),
        ("defaults/standard.yaml", DEFAULTS),
        ("queues/vision.yaml", QUEUE),
    ]
    .map(|(path, text)| (path.to_owned(), text.to_owned()))
    .to_vec()
}

/// A whole repository of so many documents; the experiments are in this state.
pub fn repository(documents: usize, state: &str) -> Vec<(String, String)> {
    let mut files = base();
    let experiments = documents.saturating_sub(files.len());
    files.extend((0..experiments).map(|number| (path(number), experiment(number, state))));
    files
}

/// Where an experiment stands.
pub fn path(number: usize) -> String {
    format!("experiments/team-{:02}/sweep-{number:05}.yaml", number % 50)
}

/// An experiment of 59 lines, as people write them.
pub fn experiment(number: usize, state: &str) -> String {
    let mut text = format!(
        "\
# yaml-language-server: $schema=../../schema/experiment.json
# Sweep over learning rates, started by the vision team.
apiVersion: berth.dev/v1alpha1
kind: Experiment
metadata:
  name: sweep-{number:05}
  labels:
    team: vision
    project: detection
    sweep: learning-rate
spec:
  queue: vision
  description: ResNet-50 on the large set, number {number} of the sweep
  image: registry.example.com/vision/train:2.4.1
  entrypoint:
    - torchrun
    - train.py
    - --learning-rate
    - \"$(hp.learningRate)\"
  resources:
    slotsPerTrial: {PODS}
    shmSize: 64Mi
  searcher:
    name: single
    metric: validation_loss
    smallerIsBetter: true
  hyperparameters:
    learningRate: 0.{:05}
    batchSize: 256
    weightDecay: 0.0001
    model:
      depth: 50
      width: 2
      dropout: 0.1
  maxRestarts: 5
  environment:
    variables:
",
        number + 1
    );
    for variable in 0..10 {
        let _ = writeln!(text, "      DATA_SHARD_{variable}: /data/shard-{variable}");
    }
    let _ = write!(
        text,
        "  pod:
    metadata:
      annotations:
        example.com/owner: vision@example.com
        example.com/cost-center: \"4711\"
    spec:
      schedulerName: default-scheduler
      containers:
        - name: task
          imagePullPolicy: IfNotPresent
  state: {state}
"
    );
    text
}
