//! The documents that the scenarios commit.

use std::path::Path;

use berth_tests::e2e::Names;
use berth_tests::node::IMAGE;

/// Where containers see the folder of the test.
pub const CHECKPOINTS: &str = "/checkpoints";

/// The cluster, its pod defaults and a queue that may use the folder: path and text.
pub fn first(names: &Names, folder: &Path) -> Vec<(&'static str, String)> {
    let (own, queue, folder) = (names.own(), names.queue(), folder.display());
    let cluster = format!(
        "\
apiVersion: berth.dev/v1alpha1
kind: Cluster
metadata: {{name: lab}}
spec:
  namespace: {own}
  maxSlotsPerPod: 4
  podDefaults: default
  checkpointStorage: {{uri: \"file://{CHECKPOINTS}\"}}
  keepFinishedPods: 1s
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
      terminationGracePeriodSeconds: 20
      containers:
      - name: task
        imagePullPolicy: Never
        env: [{{name: HOLDS, value: {CHECKPOINTS}/holds}}]
"
    );
    let vision = format!(
        "\
apiVersion: berth.dev/v1alpha1
kind: Queue
metadata: {{name: vision}}
spec:
  cluster: lab
  namespace: {queue}
  quota: 8
  allow: {{hostPaths: [{folder}]}}
"
    );
    vec![
        ("clusters/lab.yaml", cluster),
        ("defaults/default.yaml", defaults),
        ("queues/vision.yaml", vision),
    ]
}

/// An experiment that trains for so many steps.
pub fn trains(name: &str, slots: u32, steps: u32, folder: &Path) -> String {
    let folder = folder.display();
    format!(
        "\
apiVersion: berth.dev/v1alpha1
kind: Experiment
metadata: {{name: {name}}}
spec:
  queue: vision
  image: {IMAGE}
  entrypoint: [trainer, --lr, \"$(hp.optimizer.learningRate)\"]
  resources: {{slotsPerTrial: {slots}, shmSize: 32Mi}}
  hyperparameters: {{steps: {steps}, optimizer: {{learningRate: 0.25}}}}
  maxRestarts: 2
  pod:
    spec:
      containers: [{{name: task, volumeMounts: [{{name: data, mountPath: {CHECKPOINTS}}}]}}]
      volumes: [{{name: data, hostPath: {{path: {folder}, type: Directory}}}}]
  state: active
"
    )
}

/// An experiment of one slot that runs a line of the shell and is not started again; `pod` is its
/// layer, on one line.
pub fn runs(name: &str, image: &str, line: &str, pod: &str) -> String {
    format!(
        "\
apiVersion: berth.dev/v1alpha1
kind: Experiment
metadata: {{name: {name}}}
spec:
  queue: vision
  image: {image}
  entrypoint: {line:?}
  maxRestarts: 0
  pod: {{spec: {pod}}}
  state: active
"
    )
}
