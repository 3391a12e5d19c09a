//! Faults of each kind of document. A text `RAW yes` is written as `yes`, and lists of named items
//! are maps by name.

use serde_json::{Value as Json, json};

use super::{Table, table};

/// Faults of any document.
fn metadata() -> Vec<Json> {
    let said = json!([
        {"name": "A_b"},
        {"name": 1},
        {"labels": 1},
        {"labels": {"fine": 1}},
        {"annotations": []},
        {"annotation": {}},
        {"namespace": "x"},
    ]);
    all("metadata", said)
}

/// Each of these, within this field.
fn all(field: &str, values: Json) -> Vec<Json> {
    let Json::Array(values) = values else {
        panic!("no list");
    };
    let within = |value| json!({ field: value });
    values.into_iter().map(within).collect()
}

/// Faults of a layer of a pod.
fn pod() -> Vec<Json> {
    let mut faults = all(
        "spec",
        json!([
            {"restartPolicy": "Always"},
            {"nodeName": "x"},
            {"nodeSelectors": {}},
            {"nodeSelector": {"a b": "x"}},
            {"nodeSelector": {"ok": 1}},
            {"nodeSelector": 1},
            {"hostPID": "maybe"},
            {"terminationGracePeriodSeconds": "1"},
            {"tolerations": [{"operator": "Exist"}]},
            {"tolerations": 1},
            {"containers": {"task": {"image": "x"}}},
            {"containers": {"task": {"imagePullPolicy": 1}}},
            {"containers": {"task": {"resource": {}}}},
            {"containers": {"task": {"env": [{"name": "PET_X", "value": "1"}]}}},
            {"containers": {"task": {"env": [{"name": "X", "value": 1}]}}},
            {"containers": {"task": {"env": 1}}},
            {"containers": {"task": {"resources": {"requests": {"cpu": -1}}}}},
            {"containers": {"task": {"resources": {"requests": {"memory": "1 GB"}}}}},
            {"containers": {"task": {"resources": {"claims": 1}}}},
            {"containers": {"SIDE_": {"image": "x"}}},
            {"initContainers": {"task": {"image": "x"}}},
            {"initContainers": 1},
            {"volumes": {"W_": {"emptyDir": {}}}},
            {"volumes": {"berth-x": {"emptyDir": {}}}},
            {"volumes": {"two": {"emptyDir": {}, "configMap": {"name": "c"}}}},
            {"volumes": {"t": {"secret": {"secretName": 1}}}},
            {"volumes": 1},
            {"$retainKeys": ["a"]},
        ]),
    );
    faults.extend(all(
        "metadata",
        json!([{"name": "x"}, {"labels": {"p q": "x"}}, {"labels": {"number": 1}}, 1]),
    ));
    faults.extend([json!({"spce": {}}), json!({"kind": "Deployment"}), json!(1)]);
    faults
}

fn layers(path: &[&str]) -> Vec<Json> {
    let above = |fault, name: &&str| json!({ *name: fault });
    let nested = |fault| path.iter().rev().fold(fault, above);
    pod().into_iter().map(nested).collect()
}

pub(super) fn experiments() -> Table {
    let mut faults = [metadata(), layers(&["spec", "pod"])].concat();
    faults.extend(all(
        "metadata",
        json!([{"labels": {"x y": "1"}}, {"annotations": {"a b": "c"}}]),
    ));
    faults.extend(all(
        "spec",
        json!([
            {"queue": "visoin"}, {"queue": 7}, {"queue": "A B"},
            {"image": 1}, {"image": "RAW yes"}, {"imag": "x"},
            {"maxRestart": 1}, {"maxRestarts": "3"}, {"run": "RAW 017"}, {"run": 0},
            {"state": "pause"}, {"extends": "x"}, {"maxRuntime": 90},
            {"searcher": {"name": "random"}}, {"searcher": {"metric": 1}},
            {"searcher": {"smallerIsBetter": "RAW yes"}},
            {"resources": {"slots": 1}}, {"resources": {"shmSize": "8 GB"}},
            {"resources": {"priority": 1000}}, {"resources": {"slotsPerTrial": "12"}},
            {"resources": {"maxSlotsPerPod": 0}}, {"resources": 3},
            {"entrypoint": 1}, {"entrypoint": ["a", 1]}, {"entrypoint": []},
            {"hyperparameters": {"a": {"b": 1}, "a_b": 1}}, {"hyperparameters": {"n": "RAW 1e-4"}},
            {"hyperparameters": {"r": {"type": "int", "minval": 1}}}, {"hyperparameters": 1},
            {"environment": {"variables": {"BERTH_A": "1"}}}, {"environment": {"variables": {"A B": "1"}}},
            {"environment": {"variables": {"C": 1}}}, {"environment": {"variables": {"D": {"valueFrom": {}}}}},
            {"environment": {"variables": {"F": {"valueFrom": {"secretKeyRef": {"name": 1, "key": "k"}}}}}},
            {"environment": {"variables": 1}}, {"environment": {"variable": {}}}, {"environment": 1},
            {"checkpointStorage": {"uri": "s3://b/../c"}}, {"checkpointStorage": {"uri": 1}},
        ]),
    ));
    let of_queue: &[&str] = &["spec.queue"];
    let layer = |spec: Json| (json!({"spec": {"pod": {"spec": spec}}}), of_queue);
    let key = json!({"secretKeyRef": {"name": "s", "key": "k"}});
    table(
        "Experiment",
        "a.yaml",
        &json!({
            "metadata": {"name": "a"},
            "spec": {"queue": "vision", "entrypoint": ["train"], "hyperparameters": {"lr": 0.1}},
        }),
        faults,
        [
            (
                json!({"spec": {"resources": {"slotsPerTrial": 12}}}),
                &["spec.queue", "spec.resources"],
            ),
            (
                json!({"spec": {"entrypoint": ["$(hp.none)"]}}),
                &["spec.hyperparameters"],
            ),
            (
                json!({"spec": {"environment": {"variables": {"E": {"valueFrom": key}}}}}),
                of_queue,
            ),
            layer(json!({"hostNetwork": true})),
            layer(json!({"priorityClassName": "high"})),
            layer(json!({"serviceAccountName": "root"})),
            layer(json!({"volumes": {"s": {"secret": {"secretName": "k"}}}})),
            layer(json!({"volumes": {"u": {"nfs": {"server": "s", "path": "/"}}}})),
            layer(json!({"containers": {"bare": {"env": []}}})),
            (
                layer(json!({"containers": {"task": {"volumeMounts": [{"name": "none", "mountPath": "/x"}]}}})).0,
                &["spec.queue", "spec.pod.spec.volumes"],
            ),
            (
                layer(json!({"containers": {"task": {"resources": {"limits": {"nvidia.com/gpu": 1}}}}})).0,
                &[],
            ),
        ],
    )
}

pub(super) fn queues() -> Table {
    let mut faults = metadata();
    faults.extend(all(
        "spec",
        json!([
            {"pod": 1}, {"pod": {"spec": {"nodeName": "x"}}}, {"pod": {"metadata": {"labels": {"a b": "c"}}}},
            {"cluster": "lap"}, {"cluster": 1}, {"namespace": 1}, {"namespace": "A"},
            {"quota": -1}, {"quota": "RAW 0x10"}, {"priority": 0}, {"maxSlotsPerPod": "8"},
            {"backend": "kueue"}, {"capacity": "much"}, {"state": "RAW off"}, {"gangTimeout": 5},
            {"reservation": {}}, {"allow": 1}, {"allow": {"volumes": ["nsf"]}}, {"allow": {"volumes": 1}},
            {"allow": {"hostPaths": ["data"]}}, {"allow": {"secrets": [1]}}, {"allow": {"privileged": 1}},
            {"allow": {"secret": []}},
        ]),
    ));
    table(
        "Queue",
        "queue.yaml",
        &json!({
            "metadata": {"name": "vision"},
            "spec": {"cluster": "lab", "namespace": "vision", "quota": 64},
        }),
        faults,
        [
            (
                json!({"spec": {"namespace": "kube-system"}}),
                &["spec.cluster"],
            ),
            (json!({"spec": {"namespace": "berth"}}), &["spec.cluster"]),
        ],
    )
}

pub(super) fn clusters() -> Table {
    let mut faults = metadata();
    faults.extend(all(
        "spec",
        json!([
            {"namespace": 1}, {"maxSlotsPerPod": 0}, {"podDefaults": "standart"}, {"podDefaults": 1},
            {"state": "decommission"}, {"slotType": "tpu"}, {"slotResource": "gpu"}, {"onUneven": "x"},
            {"images": {"cpu": 1}}, {"images": {"tpu": "x"}}, {"images": 1},
            {"registryRewrites": [{"from": 1, "to": "b"}]}, {"registryRewrites": [{"form": "a"}]},
            {"registryRewrites": [{"from": "a", "to": "b"}, {"from": "a", "to": "c"}]},
            {"imagePullSecrets": ["A"]}, {"checkpointStorage": {"uri": "s3://../b"}},
            {"checkpointStorage": {"uri": "RAW yes"}}, {"prune": {"maxFraction": 2}}, {"prune": 1},
            {"keepFinishedPods": "soon"}, {"lastWords": "RAW on"}, {"status": 1}, {"drift": {}},
            {"colour": "red"}, {"slotResourceRequests": {"cpus": 1}},
        ]),
    ));
    table(
        "Cluster",
        "cluster.yaml",
        &json!({
            "metadata": {"name": "lab"},
            "spec": {"namespace": "berth", "maxSlotsPerPod": 8, "podDefaults": "standard"},
        }),
        faults,
        [(
            json!({"spec": {"slotType": "cpu"}}),
            &["spec.slotResource", "spec.slotResourceRequests"],
        )],
    )
}

pub(super) fn defaults() -> Table {
    let faults = [
        metadata(),
        layers(&["spec", "cpu"]),
        all(
            "spec",
            json!([{"pod": {}}, {"gpu": 1}, {"gpu": {"spec": {"nodeName": "x"}}}]),
        ),
    ];
    table(
        "PodDefaults",
        "defaults.yaml",
        &json!({"metadata": {"name": "standard"}, "spec": {}}),
        faults.concat(),
        [],
    )
}
