//! Faults of pod layers.

use super::{findings, of_experiment, one, shown, with_layer};
use crate::desired::fixture::{Repository, experiment};

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
            "spec: {containers: [{name: log, restartPolicy: Never, image: i}]}",
            "B0402 7:41 `spec.pod.spec.containers.restartPolicy`",
        ),
        (
            "spec: {$patch: replace, nodeSelector: {a: b}}",
            "B0412 7:16 `spec.pod.spec` cannot be replaced",
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
        ("spec: {priority: 3}", "B0402 7:16 `spec.pod.spec.priority`"),
        (
            "spec: {containers: [{name: task, resources: {limits: {nvidia.com/gpu: 1}}}]}",
            "B0402 7:63 `nvidia.com/gpu`",
        ),
        (
            "metadata: {labels: {app.kubernetes.io/name: x}}",
            "B0402 7:29 `app.kubernetes.io/name` is Berth's own",
        ),
        (
            "spec: {containers: [{name: task, volumeMounts: [{name: a, mountPath: /run/berth/work/}]}], volumes: [{name: a, emptyDir: {}}]}",
            "B0402 7:78 `/run/berth/work` is Berth's own folder",
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
    // Whatever its value is.
    one(
        "  environment: {variables: {BERTH_X: 1}}\n",
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
        (
            "spec: {nodeSelector: [a]}",
            "B0206 7:30",
            "`kubectl explain pod.spec.nodeSelector` describes it",
        ),
        ("spec: {nodeSelector: {a: 1}}", "B0206 7:34", "quote it"),
        (
            "spec: {terminationGracePeriodSeconds: long}",
            "B0206 7:47",
            "`kubectl explain pod.spec.terminationGracePeriodSeconds` describes it",
        ),
        (
            "spec: {terminationGracePeriodSeconds: \"1\"}",
            "B0206 7:47",
            "take the quotes off",
        ),
        (
            "spec: {containers: [{name: a, securityContext: {weight: 1}, image: i}]}",
            "B0403 7:57",
            "`kubectl explain pod.spec.containers.securityContext` lists the fields",
        ),
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
            "spec: {containers: [{name: log, resources: {limits: {memory: 8 GB}}, image: i}]}",
            "B0206 7:70",
            "`kubectl explain pod.spec.containers.resources.limits.memory` describes it",
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
fn what_a_part_of_the_pod_names_is_there() {
    let table = [
        (
            "containers: [{name: task, volumeMounts: [{name: scrath, mountPath: /s}]}], volumes: [{name: scratch, emptyDir: {}}]",
            "B0302 7:64 the pod has no volume `scrath` | did you mean `scratch`?",
        ),
        (
            "initContainers: [{name: get, image: i, volumeMounts: [{name: cache, mountPath: /s}]}]",
            "B0302 7:77 the pod has no volume `cache` | add it to `volumes`, which holds `berth-work`, `berth-hparams`",
        ),
        (
            "containers: [{name: tsk, resources: {limits: {memory: 1Gi}}}]",
            "B0205 7:36 the container `tsk` has no `image` | did you mean `task`, the container of the program?",
        ),
        (
            "containers: [{name: log, image: 'My Log:1'}]",
            "B0207 7:48 `My Log:1` is no name of an image such as ghcr.io/lab/train:1.2 | write it as `[registry/]path[:tag][@digest]`, the path in lower case",
        ),
        (
            "containers: [{name: log, env: []}]",
            "B0205 7:36 the container `log` has no `image` | add `image`; the container of the program is called `task`",
        ),
    ];
    for (spec, wanted) in table {
        one(&format!("  pod: {{spec: {{{spec}}}}}\n"), wanted);
    }
    for spec in [
        "containers: [{name: log, image: i, volumeMounts: [{name: berth-work, mountPath: /w}, {name: berth-hparams, mountPath: /h}]}]",
        "containers: [{name: task, volumeMounts: [{name: old, $patch: delete, mountPath: /o}]}]",
    ] {
        let found = of_experiment(&format!("  pod: {{spec: {{{spec}}}}}\n"));
        assert_eq!(found, [] as [&str; 0], "{spec}");
    }
    let shm = "  resources: {shmSize: 1Gi}\n  pod: {spec: {containers: [{name: log, image: i, volumeMounts: [{name: berth-shm, mountPath: /w}]}]}}\n";
    assert_eq!(of_experiment(shm), [] as [&str; 0]);
}

/// A layer may name what another layer brings, and only the whole pod can be at fault.
#[test]
fn layers_complete_each_other() {
    let mount =
        "pod: {spec: {containers: [{name: task, volumeMounts: [{name: scratch, mountPath: /s}]}]}}";
    let found = with_layer(mount, "");
    assert_eq!(
        shown(&found),
        [
            "B0302 3:18 the pod has no volume `scratch` | add it to `volumes`, which holds `berth-work`, `berth-hparams`"
        ]
    );
    assert_eq!(found[0].related[0].1, "in this layer of its pod");
    let volume = "  pod: {spec: {volumes: [{name: scratch, emptyDir: {}}]}}\n";
    assert_eq!(shown(&with_layer(mount, volume)), [] as [&str; 0]);
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
fn what_berth_needs_cannot_be_patched_away() {
    let table = [
        (
            "containers: [{name: task, $patch: delete}]",
            "B0412 7:50 the container `task` cannot be taken away",
        ),
        (
            "containers: [{name: task, $patch: replace, env: []}]",
            "B0412 7:50 the container `task`",
        ),
        (
            "containers: [{$patch: replace}, {name: log}]",
            "B0412 7:38 `spec.pod.spec.containers` would lose",
        ),
        (
            "containers: null",
            "B0412 7:28 `spec.pod.spec.containers` would lose",
        ),
        (
            "nodeSelector: {$patch: remove}",
            "B0412 7:39 `$patch` knows `delete`, `replace` and `merge`",
        ),
        (
            "nodeSelector: {$retainKeys: [a]}",
            "B0412 7:31 `$retainKeys` is no directive",
        ),
    ];
    for (spec, wanted) in table {
        let found = of_experiment(&format!("  pod: {{spec: {{{spec}}}}}\n"));
        let told = found
            .iter()
            .any(|it| it.starts_with(wanted) && !it.ends_with("| -"));
        assert!(told, "{spec}: {found:?}");
    }
    for spec in [
        "containers: [{name: log, $patch: delete}]",
        "containers: [{name: task, env: [{name: A, $patch: delete}]}]",
        "nodeSelector: {$patch: replace, a: b}",
        "volumes: [{$patch: replace}]",
    ] {
        let found = of_experiment(&format!("  pod: {{spec: {{{spec}}}}}\n"));
        assert_eq!(found, [] as [&str; 0], "{spec}");
    }
}

/// Of two items of one name in one layer the merge would keep one without a word.
#[test]
fn items_of_one_name_in_one_layer_are_refused() {
    for layer in [
        "spec: {containers: [{name: task}, {name: task}]}",
        "spec: {containers: [{name: s, image: a}, {name: s, image: b}]}",
        "spec: {volumes: [{name: a, emptyDir: {}}, {name: a, emptyDir: {}}]}",
        "spec: {containers: [{name: task, env: [{name: A, value: one}, {name: A, value: two}]}]}",
        "spec: {containers: [{name: s, image: i, ports: [{containerPort: 1}, {containerPort: 1, protocol: TCP}]}]}",
    ] {
        let found = of_experiment(&format!("  pod: {{{layer}}}\n"));
        assert!(
            found.len() == 1
                && found[0].starts_with("B0103 7:")
                && found[0].contains("two items of"),
            "{layer}: {found:?}"
        );
    }
    let fine = "spec: {containers: [{name: s, image: i, ports: [{containerPort: 1}, {containerPort: 1, protocol: UDP}]}, {name: s, $patch: delete}]}";
    assert_eq!(
        of_experiment(&format!("  pod: {{{fine}}}\n")),
        [] as [&str; 0]
    );
}

#[test]
fn names_and_values_of_labels_in_a_layer_are_those_of_kubernetes() {
    for (layer, words) in [
        (
            "metadata: {labels: {bad key!: ok}}",
            "`bad key!` is no name",
        ),
        (
            "metadata: {labels: {good: x y}}",
            "the label `good` has a value",
        ),
        ("metadata: {annotations: {k k: a}}", "`k k` is no name"),
        (
            "spec: {nodeSelector: {a b: c}}",
            "`a b` is no name for one of the labels of a node",
        ),
        (
            "spec: {nodeSelector: {disk: very fast}}",
            "the label `disk` has a value",
        ),
        ("spec: {nodeSelector: {disk: 1}}", "must be text"),
        ("metadata: {labels: {a: 1}}", "must be text"),
    ] {
        let found = of_experiment(&format!("  pod: {{{layer}}}\n"));
        assert!(
            found.len() == 1 && found[0].contains(words),
            "{layer}: {found:?}"
        );
    }
    let fine = "metadata: {labels: {gone: null, kept: x}, annotations: {a: free text}}, \
                spec: {nodeSelector: {gone: null, berth.dev/pool: a, empty: \"\"}}";
    assert_eq!(
        of_experiment(&format!("  pod: {{{fine}}}\n")),
        [] as [&str; 0]
    );
}

#[test]
fn amounts_that_no_server_takes_are_refused() {
    let task = |rest: &str| {
        format!("  pod: {{spec: {{containers: [{{name: task, resources: {{{rest}}}}}]}}}}\n")
    };
    for (layer, words) in [
        (
            task("limits: {memory: 10Gi}, requests: {memory: 20Gi}"),
            "a request of 20Gi of `memory` is above the limit of 10Gi",
        ),
        (task("requests: {cpu: -1}"), "-1 of `cpu` is below 0"),
        (
            "  pod: {spec: {containers: [{name: s, image: i}], initContainers: [{name: s, image: i}]}}\n".to_owned(),
            "both called `s`",
        ),
    ] {
        let found = of_experiment(&layer);
        assert!(found.len() == 1 && found[0].contains(words), "{layer}: {found:?}");
    }
    assert_eq!(
        of_experiment(&task("limits: {memory: 20Gi}, requests: {memory: 10Gi}")),
        [] as [&str; 0]
    );
}

/// A limit that is lowered below what the defaults ask for.
#[test]
fn a_limit_below_the_request_of_a_lower_layer_is_refused() {
    let mut repository = Repository::new();
    let defaults = "apiVersion: berth.dev/v1alpha1\nkind: PodDefaults\nmetadata: {name: standard}\nspec:\n  \
                    cpu: {}\n  gpu: {spec: {containers: [{name: task, resources: {requests: {memory: 64Gi}}}]}}\n";
    repository.put("defaults.yaml", defaults);
    let layer =
        "  pod: {spec: {containers: [{name: task, resources: {limits: {memory: 512Mi}}}]}}\n";
    repository.put(
        "a.yaml",
        &experiment("a", &format!("  resources: {{slotsPerTrial: 1}}\n{layer}")),
    );
    let found = shown(&repository.validate().findings);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        found[0].contains("a request of 64Gi of `memory` is above the limit of 512Mi"),
        "{found:?}"
    );
}

#[test]
fn containers_and_volumes_have_names_and_kinds_that_a_server_takes() {
    let long = format!("containers: [{{name: {}, image: i}}]", "a".repeat(64));
    for (spec, words) in [
        (
            "containers: [{name: SIDE_, image: i}]",
            "B0208 7:36 `SIDE_` is no name for a container",
        ),
        (
            "initContainers: [{name: -up, image: i}]",
            "`-up` is no name for a container",
        ),
        (long.as_str(), "is no name for a container"),
        (
            "volumes: [{name: W_, emptyDir: {}}]",
            "`W_` is no name for a volume",
        ),
        (
            "volumes: [{name: w, emptyDir: {}, configMap: {name: c}}]",
            "a volume is `emptyDir` or `configMap`, not both",
        ),
    ] {
        let found = of_experiment(&format!("  pod: {{spec: {{{spec}}}}}\n"));
        assert!(
            found.len() == 1 && found[0].contains(words),
            "{spec}: {found:?}"
        );
    }
    let fine = "containers: [{name: 0-side, image: i}], volumes: [{name: w, emptyDir: {}, configMap: null}]";
    assert_eq!(
        of_experiment(&format!("  pod: {{spec: {{{fine}}}}}\n")),
        [] as [&str; 0]
    );
}
