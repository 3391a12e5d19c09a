//! What authors see of their mistakes.

use crate::desired::fixture::{CLUSTER, QUEUE, Repository, experiment};
use crate::diagnostic::{Code, Diagnostic, Severity};

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

#[test]
fn a_full_experiment_has_no_findings() {
    assert_eq!(of_experiment(FULL), [] as [&str; 0]);
}

#[test]
fn schema_faults_say_what_to_write() {
    one(
        "  maxRestart: 3\n",
        "B0204 7:3 an Experiment has no field `spec.maxRestart` | did you mean `maxRestarts`?",
    );
    one(
        "  resources: {slots_per_trial: 8}\n",
        "B0204 7:15 an Experiment has no field `spec.resources.slots_per_trial` | did you mean `slotsPerTrial`?",
    );
    one(
        "  maxRestarts: \"3\"\n",
        "B0206 7:16 `spec.maxRestarts` is text, it must be a whole number | take the quotes off",
    );
    one(
        "  image: 1.5\n",
        "B0206 7:10 `spec.image` is a number, it must be text | quote it",
    );
    one(
        "  image:\n",
        "B0206 7:8 `spec.image` is empty, it must be text | give it a value, or leave the field out",
    );
    one(
        "  maxRestarts: -1\n",
        "B0207 7:16 `spec.maxRestarts` is out of range: it is at least 0 | -",
    );
    one(
        "  run: 0\n",
        "B0207 7:8 `spec.run` is out of range: it is at least 1 | -",
    );
    one(
        "  state: pause\n",
        "B0207 7:10 `spec.state` cannot be `pause` | did you mean `paused`?",
    );
    one(
        "  maxRuntime: 2 hours\n",
        "B0207 7:15 `spec.maxRuntime` cannot be `2 hours` | A length of time: a whole number and `s`, `m`, `h` or `d`. \
         For example 90s, 15m, 2h, 1d",
    );
    one(
        "  environment: {variables: {A: 1}}\n",
        "B0206 7:32 `spec.environment.variables.A` is a number, it must be text or a map | quote it",
    );
}

#[test]
fn missing_fields_are_described() {
    let text = experiment("a", "").replace("  entrypoint: [python, train.py]\n", "");
    let found = shown(&findings("a.yaml", &text));
    assert_eq!(found.len(), 1);
    assert!(
        found[0]
            .starts_with("B0205 4:1 `spec.entrypoint` is missing | add `entrypoint`: The program"),
        "{found:?}"
    );
}

#[test]
fn what_is_not_built_yet_says_so() {
    one(
        "  extends: base\n",
        "B0203 7:3 `spec.extends`: templates are not built yet; write the fields out | -",
    );
    one(
        "  searcher: {name: random}\n",
        "B0203 7:20 the searcher `random` is not built yet; use `single` | -",
    );
    one(
        "  hyperparameters: {lr: {type: log, minval: -5, maxval: -1, base: 10}}\n",
        "B0203 7:25 hyperparameters of the type `log` are not built yet | write the value itself",
    );
    let task = shown(&findings(
        "t.yaml",
        "apiVersion: berth.dev/v1alpha1\nkind: Task\nmetadata: {name: t}\nspec: {}\n",
    ));
    assert_eq!(
        task,
        ["B0203 2:7 documents of the kind `Task` are not built yet | -"]
    );
    let queue = shown(&findings(
        "queue.yaml",
        &QUEUE.replace("quota: 64", "quota: 64, backend: kueue"),
    ));
    assert_eq!(
        queue,
        ["B0203 4:61 the backend `kueue` is not built yet; use `native` | -"]
    );
}

#[test]
fn names_are_those_of_kubernetes() {
    let of = |name: &str| shown(&findings("a.yaml", &experiment(name, "")));
    assert_eq!(
        of("7up"),
        [
            "B0208 3:18 `7up` is no name for `metadata.name`: a name begins with a lower-case letter, as a Service's must | -"
        ]
    );
    assert_eq!(
        of("Res_net"),
        [
            "B0208 3:18 `Res_net` is no name for `metadata.name`: a name holds lower-case letters, digits and `-`, not `R` | -"
        ]
    );
    let long = "a".repeat(64);
    assert!(of(&long)[0].ends_with("a name has at most 63 characters, this one has 64 | -"));
}

#[test]
fn other_texts_are_not_documents() {
    let of = |text: &str| shown(&findings("x.yaml", text));
    assert!(of("a: 1\n")[0].starts_with("B0201 1:1 this is not a Berth document"));
    assert!(of("apiVersion: v1\nkind: Pod\n")[0].starts_with("B0201 1:13 `apiVersion` is not"));
    assert_eq!(
        of("apiVersion: berth.dev/v1alpha1\nkind: Experimnt\n"),
        ["B0202 2:7 there is no kind `Experimnt` | did you mean `Experiment`?"]
    );
    assert!(of("[1, 2]")[0].starts_with("B0201 1:1"));
}

#[test]
fn sizes_that_do_not_split_name_the_nearest() {
    let text = experiment("a", "  resources: {slotsPerTrial: 10}\n");
    let found = findings("a.yaml", &text);
    assert_eq!(
        shown(&found),
        [
            "B0401 7:30 10 slots do not split into pods of 8 | the nearest sizes that work are 8 and 16; or say `onUneven: shrink`"
        ]
    );
    assert_eq!(found[0].related[0].1, "the most slots of one pod");
    assert_eq!(found[0].related[0].0.span.line, 6);
    let found = findings(
        "a.yaml",
        &experiment("a", "  resources: {slotsPerTrial: 128}\n"),
    );
    assert_eq!(
        (found[0].code, found[0].severity),
        (Code::OverQuota, Severity::Warning)
    );
}

#[test]
fn reserved_pod_fields_are_refused_with_their_line() {
    let table = [
        ("metadata: {name: x}", "B0402 7:20 `spec.pod.metadata.name`"),
        (
            "spec: {restartPolicy: Always}",
            "B0402 7:16 `spec.pod.spec.restartPolicy`",
        ),
        (
            "spec: {nodeName: n1}",
            "B0402 7:16 `spec.pod.spec.nodeName`",
        ),
        (
            "spec: {containers: [{name: task, image: x}]}",
            "B0402 7:42 `spec.pod.spec.containers.image`",
        ),
        (
            "spec: {containers: [{name: task, workingDir: x}]}",
            "B0402 7:42 `spec.pod.spec.containers.workingDir`",
        ),
        (
            "spec: {containers: [{name: log, restartPolicy: Never}]}",
            "B0402 7:41 `spec.pod.spec.containers.restartPolicy`",
        ),
        (
            "spec: {$patch: replace, nodeSelector: {a: b}}",
            "B0402 7:16 `spec.pod.spec` cannot be replaced",
        ),
        (
            "spec: {initContainers: [{name: task}]}",
            "B0402 7:40 the name `task`",
        ),
        (
            "spec: {volumes: [{name: berth-shm}]}",
            "B0402 7:33 names of volumes",
        ),
        (
            "metadata: {labels: {berth.dev/instance: x}}",
            "B0402 7:29 `berth.dev/instance`",
        ),
        (
            "spec: {containers: [{name: task, env: [{name: PET_NNODES, value: x}]}]}",
            "B0402 7:55 the variable `PET_NNODES`",
        ),
        (
            "spec: {containers: [{name: task, resources: {limits: {nvidia.com/gpu: 1}}}]}",
            "B0402 7:63 `nvidia.com/gpu`",
        ),
    ];
    for (pod, wanted) in table {
        let found = of_experiment(&format!("  pod: {{{pod}}}\n"));
        assert!(
            found.len() == 1 && found[0].starts_with(wanted),
            "{pod}: {found:?}"
        );
    }
    one(
        "  environment: {variables: {BERTH_X: a}}\n",
        "B0402 7:29 the variable `BERTH_X` is Berth's own | names that begin with `BERTH_` or `PET_` are set by Berth",
    );
}

#[test]
fn pod_fields_that_kubernetes_does_not_know_are_refused() {
    let table = [
        (
            "spec: {nodeSelectors: {a: b}}",
            "B0403 7:16",
            "did you mean `nodeSelector`?",
        ),
        (
            "spec: {containers: [{name: task, resource: {}}]}",
            "B0403 7:42",
            "did you mean `resources`?",
        ),
        ("spec: {nodeSelector: [a]}", "B0206 7:30", "-"),
        ("spec: {nodeSelector: {a: 1}}", "B0206 7:34", "quote it"),
        ("spec: {priority: high}", "B0206 7:26", "-"),
        (
            "spec: {tolerations: [{operator: Exist}]}",
            "B0207 7:41",
            "did you mean `Exists`?",
        ),
        (
            "spec: {containers: [{image: x}]}",
            "B0205 7:29",
            "items of layers are merged by their `name`: add it",
        ),
        (
            "spec: {containers: [{name: log, resources: {limits: {memory: 8 GB}}}]}",
            "B0206 7:70",
            "-",
        ),
    ];
    for (pod, start, help) in table {
        let found = of_experiment(&format!("  pod: {{{pod}}}\n"));
        let as_wanted = found.len() == 1
            && found[0].starts_with(start)
            && found[0].ends_with(&format!("| {help}"));
        assert!(as_wanted, "{pod}: {found:?}");
    }
}

#[test]
fn what_the_queue_does_not_allow_is_refused_and_what_it_allows_is_not() {
    let table = [
        (
            "pod: {spec: {serviceAccountName: robot}}",
            "serviceAccounts: [robot]",
        ),
        (
            "pod: {spec: {automountServiceAccountToken: true}}",
            "serviceAccounts: [default]",
        ),
        (
            "pod: {spec: {automountServiceAccountToken: null}}",
            "serviceAccounts: [default]",
        ),
        (
            "pod: {spec: {securityContext: {seccompProfile: {type: Unconfined}}}}",
            "privileged: true",
        ),
        ("pod: {spec: {hostNetwork: true}}", "hostNetwork: true"),
        ("pod: {spec: {hostPID: true}}", "hostNetwork: true"),
        (
            "pod: {spec: {imagePullSecrets: [{name: pull}]}}",
            "secrets: [pull]",
        ),
        (
            "pod: {spec: {volumes: [{name: a, hostPath: {path: /data/x}}]}}",
            "hostPaths: [/data]",
        ),
        (
            "pod: {spec: {volumes: [{name: a, secret: {secretName: key}}]}}",
            "secrets: [key]",
        ),
        (
            "pod: {spec: {volumes: [{name: a, persistentVolumeClaim: {claimName: set}}]}}",
            "claims: [set]",
        ),
        (
            "pod: {spec: {volumes: [{name: a, projected: {sources: [{secret: {name: key}}]}}]}}",
            "secrets: [key]",
        ),
        (
            "pod: {spec: {containers: [{name: log, envFrom: [{secretRef: {name: key}}]}]}}",
            "secrets: [key]",
        ),
        (
            "pod: {spec: {containers: [{name: task, securityContext: {privileged: true}}]}}",
            "privileged: true",
        ),
        (
            "pod: {spec: {containers: [{name: task, securityContext: {capabilities: {add: [SYS_ADMIN]}}}]}}",
            "privileged: true",
        ),
        (
            "environment: {variables: {TOKEN: {valueFrom: {secretKeyRef: {name: wandb, key: token}}}}}",
            "secrets: [wandb]",
        ),
    ];
    for (line, allow) in table {
        let mut repository = Repository::new();
        repository.put("a.yaml", &experiment("a", &format!("  {line}\n")));
        let found = repository.validate().findings;
        assert_eq!(
            found.iter().map(|it| it.code).collect::<Vec<_>>(),
            [Code::NotAllowedByQueue],
            "{line}"
        );
        assert_eq!(found[0].place.unwrap().span.line, 7, "{line}");
        repository.put(
            "queue.yaml",
            &QUEUE.replace("quota: 64", &format!("quota: 64, allow: {{{allow}}}")),
        );
        assert_eq!(
            shown(&repository.validate().findings),
            [] as [&str; 0],
            "{line}"
        );
    }
    for path in ["/database", "/data/../etc", "/"] {
        let mut repository = Repository::new();
        repository.put(
            "queue.yaml",
            &QUEUE.replace("quota: 64", "quota: 64, allow: {hostPaths: [/data]}"),
        );
        repository.put(
            "a.yaml",
            &experiment(
                "a",
                &format!(
                    "  pod: {{spec: {{volumes: [{{name: a, hostPath: {{path: {path}}}}}]}}}}\n"
                ),
            ),
        );
        assert_eq!(repository.validate().findings.len(), 1, "{path}");
    }
}

#[test]
fn shared_memory_fits_the_limit() {
    let found = findings("a.yaml", &experiment("a", "  resources: {shmSize: 65Gi}\n"));
    assert_eq!(
        shown(&found),
        [
            "B0405 7:24 65Gi of shared memory do not fit the memory limit of 64Gi | raise the limit above `shmSize`, or lower `shmSize`"
        ]
    );
    assert_eq!(found[0].related[0].0.span.line, 5);
    let own = "  resources: {shmSize: 65Gi}\n  pod: {spec: {containers: [{name: task, resources: {limits: {memory: 100Gi}}}]}}\n";
    assert_eq!(of_experiment(own), [] as [&str; 0]);
    let twice = "  resources: {shmSize: 1Gi}\n  pod: {spec: {containers: [{name: task, volumeMounts: [{name: a, mountPath: /dev/shm}]}]}}\n";
    assert!(of_experiment(twice)[0].starts_with("B0405 7:24 `/dev/shm` is mounted twice"));
}

#[test]
fn the_entrypoint_names_hyperparameters_that_exist() {
    let hp = "  hyperparameters: {learningRate: 0.1, model: {depth: 50}}\n";
    let of = |word: &str| {
        let text = experiment("a", hp).replace("train.py", word);
        shown(&findings("a.yaml", &text))
    };
    assert_eq!(
        of("'$(hp.learningRate) $(hp.model.depth)'"),
        [] as [&str; 0]
    );
    assert_eq!(
        of("$(hp.learning_rate)"),
        [
            "B0407 6:24 there is no hyperparameter `learning_rate` | did you mean `$(hp.learningRate)`?"
        ]
    );
    assert_eq!(
        of("$(hp.model)"),
        [
            "B0407 6:24 the hyperparameter `model` is a map | name a value in it, or read BERTH_HPARAMS_FILE"
        ]
    );
    let shell = experiment("a", "").replace("[python, train.py]", "python --lr $(hp.lr)");
    assert_eq!(
        shown(&findings("a.yaml", &shell)),
        ["B0407 6:15 there is no hyperparameter `lr` | add it to `hyperparameters`"]
    );
}

#[test]
fn queues_and_clusters_are_checked_too() {
    let of = |path: &str, text: String| shown(&findings(path, &text));
    assert_eq!(
        of(
            "queue.yaml",
            QUEUE.replace("namespace: vision", "namespace: berth")
        ),
        [
            "B0410 4:33 `berth` is the namespace that Berth itself lives in | give the queue a namespace of its own"
        ]
    );
    assert!(
        of(
            "queue.yaml",
            QUEUE.replace("namespace: vision", "namespace: kube-system")
        )[0]
        .starts_with("B0410")
    );
    assert!(
        of("queue.yaml", QUEUE.replace("cluster: lab", "cluster: lap"))[0]
            .ends_with("did you mean `lab`?")
    );
    assert!(
        of(
            "cluster.yaml",
            CLUSTER.replace("maxSlotsPerPod: 8", "maxSlotsPerPod: 0")
        )[0]
        .starts_with("B0207 6:19")
    );
    assert!(
        of(
            "cluster.yaml",
            CLUSTER.replace("podDefaults: standard", "podDefaults: standart")
        )[0]
        .ends_with("did you mean `standard`?")
    );
    assert!(
        of("cluster.yaml", CLUSTER.to_owned() + "  slotType: cpu\n")[0]
            .starts_with("B0205 9:13 `slotType: cpu` needs")
    );
    assert_eq!(
        of(
            "cluster.yaml",
            CLUSTER.to_owned() + "  slotResource: nvidia.com/mig-1g.5gb\n"
        ),
        [] as [&str; 0]
    );
    assert!(
        of(
            "cluster.yaml",
            CLUSTER.to_owned() + "  checkpointStorage: {uri: \"s3://a/../b\"}\n"
        )[0]
        .starts_with("B0207 9:28")
    );
    let defaults = crate::desired::fixture::DEFAULTS.replace(
        "name: task, resources",
        "name: task, command: [x], resources",
    );
    assert!(
        of("defaults.yaml", defaults)[0]
            .starts_with("B0402 5:42 `spec.gpu.spec.containers.command`")
    );
}

#[test]
fn all_faults_of_all_documents_come_in_one_pass() {
    let mut repository = Repository::new();
    repository.put("a.yaml", &experiment("a", "  maxRestart: 1\n  image: 1\n"));
    repository.put(
        "b.yaml",
        &experiment("b", "  resources: {slotsPerTrial: 9}\n"),
    );
    repository.put("c.yaml", "a: yes\nb: 017\n");
    repository.put(
        "d.yaml",
        &experiment("d", "").replace("queue: vision", "queue: visio"),
    );
    let found: Vec<Code> = repository
        .validate()
        .findings
        .iter()
        .map(|it| it.code)
        .collect();
    assert_eq!(
        found,
        [
            Code::UnknownField,
            Code::WrongType,
            Code::SizeDoesNotSplit,
            Code::AmbiguousScalar,
            Code::AmbiguousScalar,
            Code::UnresolvedReference
        ]
    );
}

#[test]
fn values_of_variables_are_never_shown() {
    let text = experiment(
        "a",
        "  environment: {variables: {A: {secret: hunter2}, B: [hunter2]}}\n",
    );
    let found = shown(&findings("a.yaml", &text));
    assert!(
        !found.is_empty() && found.iter().all(|line| !line.contains("hunter2")),
        "{found:?}"
    );
}

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
