//! What a queue allows its experiments to use.

use super::{findings, of_experiment, shown};
use crate::desired::fixture::{QUEUE, Repository, experiment};
use crate::diagnostic::Code;

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
        "pod: {spec: {priorityClassName: system-node-critical}}",
        "priorityClasses: [system-node-critical]",
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
