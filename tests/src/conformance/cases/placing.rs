//! Where the scheduler puts a pod, and its words on one that it can put nowhere. These cases close the
//! nodes that all share: no other one plays meanwhile.

use serde_json::{Value, json};

use super::pod;
use crate::conformance::Api;
use crate::conformance::api::MERGE;

const JSON: &str = "application/json";
const NODES: usize = 4;
const NOT_HELPFUL: &str = "no new claims to deallocate, preemption: 0/4 nodes are available: 4 Preemption is not helpful for scheduling.";

async fn make(api: &Api, object: &Value) {
    api.silent("POST", "pods", JSON, Some(object)).await.expect(201);
}

async fn remove(api: &Api, name: &str) {
    let path = format!("pods/{name}");
    api.silent("DELETE", &path, JSON, None).await.expect(200);
    api.until_gone(&path).await;
}

async fn change(api: &Api, node: usize, patch: &Value) {
    let node = format!("/api/v1/nodes/node-{node}");
    api.silent("PATCH", &node, MERGE, Some(patch)).await.expect(200);
}

async fn change_all(api: &Api, patch: &Value) {
    for node in 0..NODES {
        change(api, node, patch).await;
    }
}

fn scheduled(pod: &Value) -> Value {
    let conditions = pod["status"]["conditions"].as_array().cloned().unwrap_or_default();
    conditions.into_iter().find(|one| one["type"] == "PodScheduled").unwrap_or_default()
}

/// Makes the pod `one`; gives the scheduler's words once it has refused it. A scheduler that has not
/// seen yet what became of the nodes still finds a place, and is asked again.
async fn refused(api: &Api, object: &Value) -> String {
    loop {
        make(api, object).await;
        let pod = api.until("pods/one", |answer| scheduled(&answer.body)["status"].is_string()).await;
        let said = scheduled(&pod);
        if said["status"] == "False" {
            assert_eq!((&said["reason"], &pod["status"]["phase"]), (&"Unschedulable".into(), &"Pending".into()));
            assert!(pod["spec"].get("nodeName").is_none(), "{pod}");
            return said["message"].as_str().unwrap_or_default().to_owned();
        }
        remove(api, "one").await;
    }
}

/// The node that the pod `one` runs on.
async fn runs_on(api: &Api) -> String {
    let pod = api.until("pods/one", |answer| answer.body["status"]["phase"] == "Running").await;
    pod["spec"]["nodeName"].as_str().unwrap_or_default().to_owned()
}

fn asking(name: &str, resource: &str, amount: &str) -> Value {
    let mut object = pod(name, &[]);
    object["spec"]["containers"][0]["resources"] = json!({"limits": {resource: amount}});
    object
}

/// No node ever had so much.
pub async fn too_large(api: Api) {
    let words = refused(&api, &asking("one", "nvidia.com/gpu", "9")).await;
    assert_eq!(words, format!("0/4 nodes are available: 4 Insufficient nvidia.com/gpu. {NOT_HELPFUL}"));
    remove(&api, "one").await;
}

/// The one node that it may go to has too little left.
pub async fn full(api: Api) {
    let on_the_first = |name| {
        let mut object = asking(name, "cpu", "40");
        object["spec"]["nodeSelector"] = json!({"kubernetes.io/hostname": "node-0"});
        object
    };
    make(&api, &on_the_first("two")).await;
    api.until("pods/two", |answer| answer.body["status"]["phase"] == "Running").await;
    let words = refused(&api, &on_the_first("one")).await;
    let wanted = "0/4 nodes are available: 1 Insufficient cpu, 3 node(s) didn't match Pod's node affinity/selector. \
                  no new claims to deallocate, preemption: 0/4 nodes are available: 1 No preemption victims found for incoming pod, \
                  3 Preemption is not helpful for scheduling.";
    assert_eq!(words, wanted);
    remove(&api, "two").await;
    assert_eq!(runs_on(&api).await, "node-0");
    remove(&api, "one").await;
}

pub async fn taints(api: Api) {
    let free = json!({"spec": {"taints": null}});
    let taint = json!({"spec": {"taints": [{"key": "example.com/kept", "value": "yes", "effect": "NoSchedule"}]}});
    change_all(&api, &taint).await;
    let words = refused(&api, &pod("one", &[])).await;
    // A pod that tolerates it goes where it wants.
    let mut tolerant = pod("two", &[]);
    tolerant["spec"]["tolerations"] = json!([{"key": "example.com/kept", "operator": "Equal", "value": "yes"}]);
    make(&api, &tolerant).await;
    api.until("pods/two", |answer| answer.body["status"]["phase"] == "Running").await;
    change(&api, 2, &free).await;
    let node = runs_on(&api).await;
    change_all(&api, &free).await;
    assert_eq!(words, format!("0/4 nodes are available: 4 node(s) had untolerated taint(s). {NOT_HELPFUL}"));
    assert_eq!(node, "node-2");
}

pub async fn selectors(api: Api) {
    let mut object = pod("one", &[]);
    object["spec"]["nodeSelector"] = json!({"example.com/disk": "ssd"});
    let words = refused(&api, &object).await;
    change(&api, 1, &json!({"metadata": {"labels": {"example.com/disk": "ssd"}}})).await;
    let node = runs_on(&api).await;
    change(&api, 1, &json!({"metadata": {"labels": {"example.com/disk": null}}})).await;
    assert_eq!(words, format!("0/4 nodes are available: 4 node(s) didn't match Pod's node affinity/selector. {NOT_HELPFUL}"));
    assert_eq!(node, "node-1");
}

pub async fn cordon(api: Api) {
    let closed = |closed: bool| json!({"spec": {"unschedulable": closed}});
    change_all(&api, &closed(true)).await;
    let words = refused(&api, &pod("one", &[])).await;
    change(&api, 3, &closed(false)).await;
    let node = runs_on(&api).await;
    change_all(&api, &closed(false)).await;
    assert_eq!(words, format!("0/4 nodes are available: 4 node(s) were unschedulable. {NOT_HELPFUL}"));
    assert_eq!(node, "node-3");
}
