//! Scheduling and running.

use berth_sandbox::{NodePool, Options};
use serde_json::{Value, json};

use crate::{Cluster, PODS, config_map, gpu_pod, pod, scripted};

fn small() -> Cluster {
    Cluster::with(Options {
        nodes: vec![NodePool::gpus(2, 8)],
        ..Options::default()
    })
}

fn condition<'a>(object: &'a Value, kind: &str) -> &'a Value {
    let conditions = object["status"]["conditions"].as_array().unwrap();
    conditions
        .iter()
        .find(|condition| condition["type"] == kind)
        .unwrap()
}

fn ended(pod: &Value) -> &Value {
    &pod["status"]["containerStatuses"][0]["state"]["terminated"]
}

#[test]
fn pods_share_nodes_as_their_requests_say() {
    let mut cluster = small();
    for (name, slots) in [("a", 8), ("b", 5), ("c", 5)] {
        cluster.post(PODS, &gpu_pod(name, slots));
    }
    cluster.pass(1000);
    assert_ne!(
        cluster.pod("a")["spec"]["nodeName"],
        cluster.pod("b")["spec"]["nodeName"]
    );
    let waiting = cluster.pod("c");
    let scheduled = condition(&waiting, "PodScheduled");
    assert_eq!(
        (&scheduled["status"], &scheduled["reason"]),
        (&json!("False"), &json!("Unschedulable"))
    );
    let message = "0/2 nodes are available: 2 Insufficient nvidia.com/gpu. no new claims to deallocate, \
                   preemption: 0/2 nodes are available: \
                   2 No preemption victims found for incoming pod.";
    assert_eq!(scheduled["message"], message);
    cluster.delete(&format!("{PODS}/b"));
    cluster.pass(1000);
    assert_eq!(cluster.pod("c")["status"]["phase"], "Running");
}

#[test]
fn events_tell_what_happened_if_wanted() {
    let mut cluster = Cluster::with(Options {
        events: true,
        ..Options::default()
    });
    cluster.post(PODS, &scripted("a", &[("run", "1s")]));
    cluster.post(PODS, &gpu_pod("big", 9));
    cluster.pass(3000);
    let events =
        cluster.get("/api/v1/namespaces/default/events?fieldSelector=involvedObject.kind=Pod");
    let mut reasons: Vec<_> = events["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| &event["reason"])
        .collect();
    reasons.sort_by_key(ToString::to_string);
    assert_eq!(reasons, ["FailedScheduling", "Scheduled", "Started"]);
}

#[test]
fn selectors_taints_and_gates_are_minded() {
    let mut cluster = small();
    let nodes = "/api/v1/nodes";
    let change = json!({"metadata": {"labels": {"disk": "ssd"}}, "spec": {"taints": [{"key": "own", "effect": "NoSchedule"}]}});
    cluster.patch(&format!("{nodes}/node-1"), "merge-patch+json", &change);
    let mut picky = pod("picky");
    picky["spec"]["nodeSelector"] = json!({"disk": "ssd"});
    cluster.post(PODS, &picky);
    let mut gated = pod("gated");
    gated["spec"]["schedulingGates"] = json!([{"name": "g"}]);
    cluster.post(PODS, &gated);
    cluster.pass(1000);
    let waiting = cluster.pod("picky");
    let message = condition(&waiting, "PodScheduled")["message"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(message.starts_with("0/2 nodes are available: 1 node(s) didn't match Pod's node affinity/selector, 1 node(s) had untolerated taint(s)."), "{message}");
    assert_eq!(
        condition(&cluster.pod("gated"), "PodScheduled")["reason"],
        "SchedulingGated"
    );
    let tolerate = json!([{"op": "add", "path": "/spec/tolerations/-", "value": {"key": "own", "operator": "Exists"}}]);
    cluster.patch(&format!("{PODS}/picky"), "json-patch+json", &tolerate);
    cluster.patch(
        &format!("{PODS}/gated"),
        "merge-patch+json",
        &json!({"spec": {"schedulingGates": null}}),
    );
    cluster.pass(1000);
    assert_eq!(cluster.pod("gated")["spec"]["nodeName"], "node-0");
    assert_eq!(
        cluster.pod("picky")["status"].get("phase"),
        Some(&json!("Running"))
    );
}

/// Annotations, and phase, exit code and reason that come of them.
type Case<'a> = (&'a [(&'a str, &'a str)], &'a str, i64, &'a str);

#[test]
fn programs_end_as_their_scripts_say() {
    let cases: [Case; 4] = [
        (&[("run", "1s")], "Succeeded", 0, "Completed"),
        (&[("run", "1s"), ("exit-code", "3")], "Failed", 3, "Error"),
        (&[("exit", "rank=1:137;4")], "Failed", 4, "Error"),
        (&[("oom", "true")], "Failed", 137, "OOMKilled"),
    ];
    for (annotations, phase, code, reason) in cases {
        let mut cluster = small();
        cluster.post(PODS, &scripted("a", annotations));
        cluster.pass(5000);
        let pod = cluster.pod("a");
        assert_eq!(pod["status"]["phase"], phase, "{annotations:?}");
        assert_eq!(
            (&ended(&pod)["exitCode"], &ended(&pod)["reason"]),
            (&json!(code), &json!(reason))
        );
        assert_eq!(condition(&pod, "Ready")["status"], "False");
    }
}

#[test]
fn messages_images_and_deadlines() {
    let mut cluster = small();
    cluster.post(
        PODS,
        &scripted("said", &[("run", "1s"), ("termination-message", "done")]),
    );
    cluster.post(PODS, &scripted("stuck", &[("image", "pull-error")]));
    let mut late = pod("late");
    late["spec"]["activeDeadlineSeconds"] = 2.into();
    cluster.post(PODS, &late);
    cluster.post(PODS, &pod("on"));
    cluster.pass(5000);
    assert_eq!(ended(&cluster.pod("said"))["message"], "done");
    let stuck = cluster.pod("stuck");
    assert_eq!(
        stuck["status"]["containerStatuses"][0]["state"]["waiting"]["reason"],
        "ImagePullBackOff"
    );
    assert_eq!(cluster.pod("late")["status"]["reason"], "DeadlineExceeded");
    assert_eq!(cluster.pod("on")["status"]["phase"], "Running");
}

/// A pod with one variable.
fn configured(name: &str, source: &Value) -> Value {
    let mut pod = pod(name);
    pod["spec"]["containers"][0]["env"] = json!([{"name": "A", "valueFrom": source}]);
    pod
}

#[test]
fn a_container_waits_for_what_configures_it() {
    let mut cluster = Cluster::with(Options {
        events: true,
        ..Options::default()
    });
    let secret = |key: &str| json!({"secretKeyRef": {"name": "tracking", "key": key}});
    let optional = json!({"secretKeyRef": {"name": "tracking", "key": "token", "optional": true}});
    let map = json!({"configMapKeyRef": {"name": "modes", "key": "a"}});
    let mut whole = pod("whole");
    whole["spec"]["containers"][0]["envFrom"] = json!([{"configMapRef": {"name": "modes"}}]);
    let mut init = configured("init", &secret("token"));
    init["spec"]["initContainers"] = init["spec"]["containers"].take();
    init["spec"]["initContainers"][0]["name"] = "prepare".into();
    init["spec"]["containers"] = pod("x")["spec"]["containers"].take();
    let pods = [
        configured("token", &secret("token")),
        configured("key", &secret("other")),
        configured("map", &map),
        whole,
        init,
        configured("optional", &optional),
    ];
    for pod in &pods {
        cluster.post(PODS, pod);
    }
    cluster.pass(5000);
    let said = |cluster: &mut Cluster, name: &str| {
        let pod = cluster.pod(name);
        let all = ["initContainerStatuses", "containerStatuses"].map(|field| &pod["status"][field]);
        let mut all = all.iter().filter_map(|list| list.as_array()).flatten();
        let waiting = all.find_map(|one| {
            let waiting = one["state"].get("waiting")?;
            (waiting["reason"] == "CreateContainerConfigError").then_some(&waiting["message"])
        });
        (
            pod["status"]["phase"].clone(),
            waiting.cloned().unwrap_or_default(),
        )
    };
    let waits = |words: &str| (json!("Pending"), json!(words));
    let runs = (json!("Running"), Value::Null);
    let no_secret = waits("secret \"tracking\" not found");
    for name in ["token", "key", "init"] {
        assert_eq!(said(&mut cluster, name), no_secret, "{name}");
    }
    for name in ["map", "whole"] {
        let words = waits("configmap \"modes\" not found");
        assert_eq!(said(&mut cluster, name), words, "{name}");
    }
    assert_eq!(said(&mut cluster, "optional"), runs);
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "tracking"}, "stringData": {"token": "x"}});
    cluster.post("/api/v1/namespaces/default/secrets", &secret);
    cluster.pass(1000);
    for name in ["token", "init"] {
        assert_eq!(said(&mut cluster, name), runs, "{name}");
    }
    let no_key = waits("couldn't find key other in Secret default/tracking");
    assert_eq!(said(&mut cluster, "key"), no_key);
    cluster.delete(&format!("{PODS}/key"));
    cluster.post(
        "/api/v1/namespaces/default/configmaps",
        &config_map("modes"),
    );
    cluster.pass(60_000);
    for name in ["map", "whole"] {
        assert_eq!(said(&mut cluster, name), runs, "{name}");
    }
    assert_eq!(cluster.pod("key")["code"], 404);
    let events =
        cluster.get("/api/v1/namespaces/default/events?fieldSelector=involvedObject.name=key");
    let failed = events["items"].as_array().unwrap().iter();
    let failed = failed.filter(|event| event["reason"] == "Failed");
    let mut words: Vec<_> = failed
        .map(|event| event["message"].as_str().unwrap())
        .collect();
    words.sort_unstable();
    assert_eq!(
        words,
        [
            "Error: couldn't find key other in Secret default/tracking",
            "Error: secret \"tracking\" not found",
        ]
    );
}

#[test]
fn a_lost_node_says_nothing_until_it_is_back() {
    let mut cluster = small();
    let mut here = scripted("a", &[("run", "2s")]);
    here["spec"]["nodeName"] = "node-0".into();
    cluster.post(PODS, &here);
    cluster.pass(1000);
    let node = "/api/v1/nodes/node-0";
    let state =
        |state: Value| json!({"metadata": {"annotations": {"sandbox.berth.dev/state": state}}});
    cluster.patch(node, "merge-patch+json", &state("lost".into()));
    cluster.pass(10_000);
    assert_eq!(condition(&cluster.get(node), "Ready")["status"], "Unknown");
    let silent = cluster.pod("a");
    assert_eq!(
        (
            &silent["status"]["phase"],
            &condition(&silent, "Ready")["status"]
        ),
        (&json!("Running"), &json!("False"))
    );
    cluster.delete(&format!("{PODS}/a"));
    cluster.pass(100_000);
    assert!(cluster.pod("a")["metadata"]["deletionTimestamp"].is_string());
    cluster.patch(node, "merge-patch+json", &state(Value::Null));
    cluster.pass(100);
    assert_eq!(condition(&cluster.get(node), "Ready")["status"], "True");
    assert_eq!(cluster.pod("a")["code"], 404);
}

#[test]
fn pods_leave_a_lost_node_after_five_minutes_and_a_deleted_one_at_once() {
    let mut cluster = small();
    for (name, node) in [("a", "node-0"), ("b", "node-1")] {
        let mut pod = pod(name);
        pod["spec"]["nodeName"] = node.into();
        pod["metadata"]["finalizers"] = json!(["berth.dev/outcome"]);
        cluster.post(PODS, &pod);
    }
    cluster.pass(1000);
    let lost = json!({"metadata": {"annotations": {"sandbox.berth.dev/state": "lost"}}});
    cluster.patch("/api/v1/nodes/node-0", "merge-patch+json", &lost);
    cluster.pass(299_000);
    assert!(
        cluster.pod("a")["metadata"]
            .get("deletionTimestamp")
            .is_none()
    );
    cluster.pass(2000);
    assert_eq!(
        condition(&cluster.pod("a"), "DisruptionTarget")["reason"],
        "DeletionByTaintManager"
    );
    assert!(cluster.pod("a")["metadata"]["deletionTimestamp"].is_string());
    cluster.delete("/api/v1/nodes/node-1");
    cluster.pass(100);
    let collected = cluster.pod("b");
    assert_eq!(
        condition(&collected, "DisruptionTarget")["reason"],
        "DeletionByPodGC"
    );
    assert_eq!(collected["status"]["phase"], "Failed");
}
