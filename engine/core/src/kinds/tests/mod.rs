//! What authors see of their mistakes.

mod allow;
mod experiments;
mod others;
mod pairs;
mod pods;
mod referred;
mod rules;
mod together;

use crate::desired::fixture::{QUEUE, Repository, experiment};
use crate::diagnostic::Diagnostic;

/// The findings of a repository in which one file is replaced.
fn findings(path: &str, text: &str) -> Vec<Diagnostic> {
    let mut repository = Repository::new();
    repository.put(path, text);
    repository.validate().findings
}

/// `code line:column cause | help` of each finding.
fn shown(findings: &[Diagnostic]) -> Vec<String> {
    findings
        .iter()
        .map(|finding| {
            let span = finding
                .place
                .map_or_else(Default::default, |place| place.span);
            let help = finding.help.as_deref().unwrap_or("-");
            format!(
                "{} {}:{} {} | {help}",
                finding.code, span.line, span.column, finding.cause
            )
        })
        .collect()
}

/// One experiment with these lines in its spec; its own lines begin at line 7.
fn of_experiment(rest: &str) -> Vec<String> {
    shown(&findings("a.yaml", &experiment("a", rest)))
}

/// What is wrong where the queue `vision` has this layer of the pod, and an experiment these lines.
fn with_layer(pod: &str, rest: &str) -> Vec<Diagnostic> {
    let queue = QUEUE.replace("quota: 64", &format!("quota: 64, {pod}"));
    let mut repository = Repository::new();
    repository.put("queue.yaml", &queue);
    repository.put("a.yaml", &experiment("a", rest));
    repository.validate().findings
}

#[track_caller]
fn one(rest: &str, wanted: &str) {
    assert_eq!(of_experiment(rest), [wanted], "{rest}");
}

/// Lines of a spec that say everything that can be said.
const FULL: &str = "  description: everything at once
  image: registry.example.com/train:1
  resources: {slotsPerTrial: 16, shmSize: 8Gi, maxSlotsPerPod: 8, priority: 70}
  searcher: {name: single, metric: loss, smallerIsBetter: false}
  hyperparameters: {learningRate: 0.1, model: {depth: 50}, layers: [1, 2], type: resnet}
  maxRestarts: 0
  maxRuntime: 12h
  startDeadline: 15m
  peerDeadline: 90s
  success: rank0
  onUneven: shrink
  onLostNode: overlap
  rollout: replaceAttempt
  environment:
    variables:
      DATA: /data
      MODE: {valueFrom: {configMapKeyRef: {name: modes, key: fast, optional: true}}}
  checkpointStorage: {uri: \"s3://bucket/prefix\"}
  pod:
    apiVersion: v1
    kind: Pod
    metadata: {labels: {a: b}}
    spec:
      nodeSelector: {disk: ssd}
      tolerations: [{key: gpu, operator: Exists}]
      containers:
      - {name: task, resources: {limits: {memory: 64Gi}}, volumeMounts: [{name: scratch, mountPath: /scratch}]}
      - {name: log, image: log, env: [{name: A, value: \"1\"}]}
      volumes: [{name: scratch, emptyDir: {}}, {$patch: delete, name: old}]
  run: 2
  state: paused
";

mod properties {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whatever is done to a document, it is answered, in the order of its lines, with places
        /// that stand in it.
        #[test]
        fn damaged_documents_are_answered(
            at in 0usize..1000, length in 0usize..20, put in "[a-z0-9:{}\\[\\], \n'\"$.~-]{0,10}",
        ) {
            let mut text: Vec<char> = experiment("a", FULL).chars().collect();
            let from = at.min(text.len());
            let to = (from + length).min(text.len());
            text.splice(from..to, put.chars());
            let text: String = text.into_iter().collect();
            let found = findings("a.yaml", &text);
            let spans: Vec<_> = found.iter().filter_map(|one| one.place).map(|it| it.span).collect();
            prop_assert!(spans.is_sorted());
            for span in spans {
                prop_assert!(span.start <= span.end && span.end as usize <= text.len());
                prop_assert!(span.line >= 1 && span.column >= 1);
            }
        }
    }
}
