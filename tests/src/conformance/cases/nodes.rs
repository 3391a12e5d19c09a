//! What kubelets do, as pods say by their annotations.

use serde_json::{Value, json};

use super::pod;
use crate::conformance::Api;
use crate::conformance::api::MERGE;

const JSON: &str = "application/json";

async fn run(api: &Api, object: &Value) {
    api.silent("POST", "pods", JSON, Some(object)).await.expect(201);
}

async fn until_phase(api: &Api, phase: &str) -> Value {
    api.until("pods/one", |answer| answer.body["status"]["phase"] == phase).await
}

fn terminated(pod: &Value) -> &Value {
    &pod["status"]["containerStatuses"][0]["state"]["terminated"]
}

fn condition<'a>(pod: &'a Value, kind: &str) -> &'a Value {
    let conditions = pod["status"]["conditions"].as_array().into_iter().flatten();
    conditions.into_iter().find(|condition| condition["type"] == kind).unwrap_or(&Value::Null)
}

pub async fn succeeds(api: Api) {
    let mut object = pod("one", &[("run", "3s"), ("termination-message", "all done")]);
    object["spec"]["containers"][0]["resources"] = json!({"limits": {"nvidia.com/gpu": "1"}});
    run(&api, &object).await;
    let running = until_phase(&api, "Running").await;
    assert!(running["spec"]["nodeName"].as_str().is_some_and(|node| node.starts_with("node-")), "{running}");
    assert!(running["status"]["podIP"].is_string());
    assert!(running["status"]["startTime"].is_string());
    assert_eq!(condition(&running, "Ready")["status"], "True");
    let container = &running["status"]["containerStatuses"][0];
    assert_eq!((&container["name"], &container["ready"]), (&"task".into(), &true.into()));
    assert!(container["state"]["running"]["startedAt"].is_string());
    let ended = until_phase(&api, "Succeeded").await;
    assert_eq!((&terminated(&ended)["exitCode"], &terminated(&ended)["reason"]), (&0.into(), &"Completed".into()));
    assert_eq!(terminated(&ended)["message"], "all done");
    assert_eq!(condition(&ended, "Ready")["reason"], "PodCompleted");
    // Nobody waits for a pod that has ended.
    api.silent("DELETE", "pods/one", JSON, None).await.expect(200);
    api.get("pods/one").await.expect(404);
}

pub async fn fails(api: Api) {
    run(&api, &pod("one", &[("run", "1s"), ("exit-code", "3")])).await;
    let ended = until_phase(&api, "Failed").await;
    assert_eq!((&terminated(&ended)["exitCode"], &terminated(&ended)["reason"]), (&3.into(), &"Error".into()));
    assert_eq!(condition(&ended, "Ready")["reason"], "PodFailed");
}

/// The code of the first clause that fits the pod's labels.
pub async fn conditional_exit(api: Api) {
    let mut object = pod("one", &[("run", "1s"), ("exit", "rank=0:1;attempt=1,rank=1:7;0")]);
    object["metadata"]["labels"] = json!({"berth.dev/rank": "1", "berth.dev/attempt": "1"});
    run(&api, &object).await;
    let ended = until_phase(&api, "Failed").await;
    assert_eq!(terminated(&ended)["exitCode"], 7);
}

pub async fn oom(api: Api) {
    run(&api, &pod("one", &[("run", "1s"), ("oom", "true")])).await;
    let ended = until_phase(&api, "Failed").await;
    assert_eq!((&terminated(&ended)["exitCode"], &terminated(&ended)["reason"]), (&137.into(), &"OOMKilled".into()));
}

pub async fn cannot_pull(api: Api) {
    run(&api, &pod("one", &[("image", "pull-error")])).await;
    let waits = |pod: &Value| pod["status"]["containerStatuses"][0]["state"]["waiting"]["reason"] == "ImagePullBackOff";
    let pod = api.until("pods/one", |answer| waits(&answer.body)).await;
    assert_eq!(pod["status"]["phase"], "Pending");
    assert_eq!(condition(&pod, "Ready")["reason"], "ContainersNotReady");
    api.silent("DELETE", "pods/one", JSON, None).await.expect(200);
    api.until_gone("pods/one").await;
}

/// A variable is of a Secret that is not there. KWOK looks no other objects up: its kubelet is told
/// by the annotation what the sandbox's finds out.
pub async fn unconfigured(api: Api) {
    let mut object = pod("one", &[("config", "missing")]);
    object["spec"]["containers"][0]["env"] = json!([
        {"name": "MODE", "valueFrom": {"configMapKeyRef": {"name": "modes", "key": "a", "optional": true}}},
        {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "tracking", "key": "token"}}},
    ]);
    run(&api, &object).await;
    let waiting = |pod: &Value| pod["status"]["containerStatuses"][0]["state"]["waiting"].clone();
    let pod = api.until("pods/one", |answer| waiting(&answer.body)["reason"] == "CreateContainerConfigError").await;
    assert_eq!(waiting(&pod)["message"], "secret \"tracking\" not found");
    assert_eq!(pod["status"]["phase"], "Pending");
    assert!(pod["status"]["startTime"].is_string());
    assert_eq!(condition(&pod, "Initialized")["status"], "True");
    assert_eq!((&condition(&pod, "Ready")["status"], &condition(&pod, "Ready")["reason"]), (&"False".into(), &"ContainersNotReady".into()));
    let secret = json!({"metadata": {"name": "tracking"}, "stringData": {"token": "x"}});
    api.silent("POST", "secrets", JSON, Some(&secret)).await.expect(201);
    let told = json!({"metadata": {"annotations": {"sandbox.berth.dev/config": null}}});
    api.silent("PATCH", "pods/one", MERGE, Some(&told)).await.expect(200);
    let running = until_phase(&api, "Running").await;
    assert_eq!(running["metadata"]["uid"], pod["metadata"]["uid"]);
    // One that is asked to go before its Secret comes goes at once.
    api.silent("DELETE", "secrets/tracking", JSON, None).await.expect(200);
    object["metadata"]["name"] = "two".into();
    run(&api, &object).await;
    api.until("pods/two", |answer| waiting(&answer.body)["reason"] == "CreateContainerConfigError").await;
    api.silent("DELETE", "pods/two", JSON, None).await.expect(200);
    api.until_gone("pods/two").await;
}

pub async fn evicted(api: Api) {
    let mut object = pod("one", &[("on-term", "exit=0")]);
    object["metadata"]["finalizers"] = json!(["berth.dev/outcome"]);
    run(&api, &object).await;
    until_phase(&api, "Running").await;
    let eviction = json!({"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "one", "namespace": api.namespace()}});
    let answer = api.post("pods/one/eviction", &eviction).await.expect(201);
    assert_eq!(answer["status"], "Success", "{answer}");
    let ended = until_phase(&api, "Succeeded").await;
    assert!(ended["metadata"]["deletionTimestamp"].is_string());
    let target = condition(&ended, "DisruptionTarget");
    assert_eq!((&target["status"], &target["reason"]), (&"True".into(), &"EvictionByEvictionAPI".into()), "{ended}");
    assert_eq!(terminated(&ended)["exitCode"], 0, "as if it had succeeded: only the condition tells");
    api.silent("PATCH", "pods/one", MERGE, Some(&json!({"metadata": {"finalizers": null}}))).await.expect(200);
    api.until_gone("pods/one").await;
    api.post("pods/one/eviction", &eviction).await.refused(404, "NotFound", "pods \"one\" not found");
}

pub async fn exits_on_term(api: Api) {
    let mut object = pod("one", &[("on-term", "exit=5,after=1s")]);
    object["metadata"]["finalizers"] = json!(["berth.dev/outcome"]);
    run(&api, &object).await;
    until_phase(&api, "Running").await;
    api.silent("DELETE", "pods/one", JSON, None).await.expect(200);
    let ended = until_phase(&api, "Failed").await;
    assert_eq!(terminated(&ended)["exitCode"], 5);
    api.silent("PATCH", "pods/one", MERGE, Some(&json!({"metadata": {"finalizers": null}}))).await.expect(200);
    api.until_gone("pods/one").await;
}

pub async fn hangs(api: Api) {
    let mut object = pod("one", &[("on-term", "hang")]);
    object["metadata"]["finalizers"] = json!(["berth.dev/outcome"]);
    object["spec"]["terminationGracePeriodSeconds"] = json!(3);
    run(&api, &object).await;
    until_phase(&api, "Running").await;
    api.silent("DELETE", "pods/one", JSON, None).await.expect(200);
    tokio::time::sleep(std::time::Duration::from_millis(1500)).await;
    let stays = api.silent("GET", "pods/one", JSON, None).await.expect(200);
    assert_eq!(stays["status"]["phase"], "Running", "it has three seconds");
    let ended = until_phase(&api, "Failed").await;
    assert_eq!(terminated(&ended)["exitCode"], 137);
    api.silent("PATCH", "pods/one", MERGE, Some(&json!({"metadata": {"finalizers": null}}))).await.expect(200);
    api.until_gone("pods/one").await;
}

/// The outcome stays readable until whoever set the finalizer has read it.
pub async fn finalizer_keeps(api: Api) {
    let mut object = pod("one", &[("run", "1s")]);
    object["metadata"]["finalizers"] = json!(["berth.dev/outcome"]);
    run(&api, &object).await;
    until_phase(&api, "Succeeded").await;
    let going = api.silent("DELETE", "pods/one", JSON, None).await.expect(200);
    assert_eq!(going["status"]["phase"], "Succeeded");
    let kept = api.silent("GET", "pods/one", JSON, None).await.expect(200);
    assert!(kept["metadata"]["deletionTimestamp"].is_string());
    assert_eq!(terminated(&kept)["exitCode"], 0);
    api.silent("PATCH", "pods/one", MERGE, Some(&json!({"metadata": {"finalizers": null}}))).await.expect(200);
    api.get("pods/one").await.expect(404);
}
