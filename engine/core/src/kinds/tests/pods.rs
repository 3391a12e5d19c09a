//! Faults of pod layers.

use super::{findings, of_experiment, one, shown};
use crate::desired::fixture::{QUEUE, Repository, experiment};
use crate::diagnostic::Code;

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
            "spec: {priority: high}",
            "B0206 7:26",
            "`kubectl explain pod.spec.priority` describes it",
        ),
        (
            "spec: {priority: \"1\"}",
            "B0206 7:26",
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

/// A line of a spec, and what the Queue must allow for it.
const USES: &[(&str, &str)] = &[
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
        "pod: {spec: {containers: [{name: log, image: i, envFrom: [{secretRef: {name: key}}]}]}}",
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
    (
        "pod: {spec: {volumes: [{name: a, csi: {driver: d}}]}}",
        "volumes: [csi]",
    ),
    (
        "pod: {spec: {volumes: [{name: a, nfs: {server: s, path: /}}]}}",
        "volumes: [nfs]",
    ),
    (
        "pod: {spec: {volumes: [{name: a, gitRepo: {repository: r}}]}}",
        "volumes: [gitRepo]",
    ),
    (
        "pod: {spec: {volumes: [{name: a, ephemeral: {volumeClaimTemplate: {spec: {resources: {}}}}}]}}",
        "volumes: [ephemeral]",
    ),
    (
        "pod: {spec: {volumes: [{name: a, projected: {sources: [{serviceAccountToken: {path: t}}]}}]}}",
        "serviceAccounts: [default]",
    ),
    (
        "pod: {spec: {volumes: [{name: a, projected: {sources: [{podCertificate: {keyType: ED25519, signerName: s/t}}]}}]}}",
        "serviceAccounts: [default]",
    ),
    (
        "pod: {spec: {containers: [{name: log, image: i, env: [{name: A, valueFrom: {secretKeyRef: {name: key, key: k}}}]}]}}",
        "secrets: [key]",
    ),
    (
        "pod: {spec: {initContainers: [{name: log, image: i, env: [{name: NVIDIA_VISIBLE_DEVICES, value: all}]}]}}",
        "privileged: true",
    ),
    (
        "pod: {spec: {resourceClaims: [{name: g, resourceClaimName: gpu}]}}",
        "privileged: true",
    ),
    (
        "pod: {spec: {securityContext: {seLinuxOptions: {type: spc_t}}}}",
        "privileged: true",
    ),
    (
        "pod: {spec: {containers: [{name: log, image: i, lifecycle: {preStop: {httpGet: {host: 169.254.169.254, port: 80}}}}]}}",
        "hostNetwork: true",
    ),
    (
        "pod: {spec: {containers: [{name: log, image: i, ports: [{containerPort: 1, hostPort: 1}]}]}}",
        "hostNetwork: true",
    ),
];

#[test]
fn what_the_queue_does_not_allow_is_refused_and_what_it_allows_is_not() {
    for (line, allow) in USES {
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
    for line in [
        "pod: {spec: {volumes: [{name: a, $patch: delete}]}}",
        "pod: {spec: {hostNetwork: false, hostPID: null}}",
        "pod: {spec: {volumes: [{name: a, emptyDir: {}}, {name: b, configMap: {name: c}}, {name: c, image: {reference: r}}]}}",
        "pod: {spec: {containers: [{name: log, image: i, securityContext: {capabilities: {drop: [ALL]}}}]}}",
        "pod: {spec: {containers: [{name: log, image: i, env: [{name: NVIDIA_VISIBLE_DEVICES, value: void}]}]}}",
    ] {
        assert_eq!(
            of_experiment(&format!("  {line}\n")),
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
fn what_the_queue_does_not_allow_is_named_by_its_path_and_value() {
    for (line, what) in [
        (
            "containers: [{name: task, securityContext: {capabilities: {add: [SYS_ADMIN, NET_RAW]}}}]",
            "`spec.containers.securityContext.capabilities.add: [SYS_ADMIN, NET_RAW]`",
        ),
        ("hostPID: true", "`spec.hostPID: true`"),
        (
            "resourceClaims: [{name: g, resourceClaimName: gpu}]",
            "`spec.resourceClaims`",
        ),
    ] {
        let found = of_experiment(&format!("  pod: {{spec: {{{line}}}}}\n"));
        let wanted = format!("the queue `vision` does not allow {what} | say `allow.");
        assert!(
            found.len() == 1 && found[0].contains(&wanted),
            "{line}: {found:?}"
        );
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
    let queue = QUEUE.replace("quota: 64", &format!("quota: 64, {mount}"));
    let mut repository = Repository::new();
    repository.put("queue.yaml", &queue);
    repository.put("a.yaml", &experiment("a", ""));
    let found = repository.validate().findings;
    assert_eq!(
        shown(&found),
        [
            "B0302 3:18 the pod has no volume `scratch` | add it to `volumes`, which holds `berth-work`, `berth-hparams`"
        ]
    );
    assert_eq!(found[0].related[0].1, "in this layer of its pod");
    let volume = "  pod: {spec: {volumes: [{name: scratch, emptyDir: {}}]}}\n";
    repository.put("a.yaml", &experiment("a", volume));
    assert_eq!(shown(&repository.validate().findings), [] as [&str; 0]);
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

/// A kind of volume may reach more than itself: both must be allowed.
#[test]
fn what_a_volume_names_is_asked_for_beside_its_kind() {
    let table = [
        (
            "cephfs: {monitors: [m], secretFile: /etc/ceph/secret, secretRef: {name: key}}",
            "volumes: [cephfs], hostPaths: [/etc/ceph], secrets: [key]",
            3,
        ),
        (
            "rbd: {monitors: [m], image: i, keyring: /etc/ceph/keyring}",
            "volumes: [rbd], hostPaths: [/etc/ceph]",
            2,
        ),
        (
            "csi: {driver: d, nodePublishSecretRef: {name: key}}",
            "volumes: [csi], secrets: [key]",
            2,
        ),
        (
            "azureFile: {secretName: key, shareName: s}",
            "volumes: [azureFile], secrets: [key]",
            2,
        ),
        (
            "ephemeral: {volumeClaimTemplate: {spec: {dataSource: {kind: PersistentVolumeClaim, name: other}}}}",
            "volumes: [ephemeral], claims: [other]",
            2,
        ),
        (
            "ephemeral: {volumeClaimTemplate: {spec: {volumeName: pv-1}}}",
            "volumes: [ephemeral], privileged: true",
            2,
        ),
    ];
    for (source, allow, count) in table {
        let line = format!("  pod: {{spec: {{volumes: [{{name: a, {source}}}]}}}}\n");
        let mut repository = Repository::new();
        repository.put("a.yaml", &experiment("a", &line));
        let found = repository.validate().findings;
        assert_eq!(found.len(), count, "{source}: {:?}", shown(&found));
        assert!(found.iter().all(|it| it.code == Code::NotAllowedByQueue));
        let allow = QUEUE.replace("quota: 64", &format!("quota: 64, allow: {{{allow}}}"));
        repository.put("queue.yaml", &allow);
        let found = repository.validate().findings;
        assert_eq!(shown(&found), [] as [&str; 0], "{source}");
    }
}

#[test]
fn a_kind_of_volume_to_allow_is_one() {
    let text = QUEUE.replace("quota: 64", "quota: 64, allow: {volumes: [csl, emptyDir]}");
    let found = shown(&findings("queue.yaml", &text));
    assert_eq!(found.len(), 2, "{found:?}");
    assert_eq!(
        found[0],
        "B0207 4:70 there is no kind of volume `csl` to allow | did you mean `csi`?"
    );
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
    ] {
        let found = of_experiment(&format!("  pod: {{{layer}}}\n"));
        assert!(
            found.len() == 1 && found[0].contains(words),
            "{layer}: {found:?}"
        );
    }
    let fine = "metadata: {labels: {gone: null, kept: x}, annotations: {a: free text}}";
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
