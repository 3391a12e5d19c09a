use serde_json::{Value, json};

use super::{config, idle_pod};
use crate::conformance::Api;

const JSON: &str = "application/json";

async fn quota(api: &Api, hard: Value) {
    let object = json!({"metadata": {"name": "team"}, "spec": {"hard": hard}});
    api.silent("POST", "resourcequotas", JSON, Some(&object)).await.expect(201);
    // What is admitted is held against the counted quota that the server's own watch has seen; until
    // it has, all goes through.
    api.until("resourcequotas/team", |answer| answer.body["status"]["used"].is_object()).await;
    let mut much = gpus("much", 100);
    much["spec"]["containers"][0]["resources"]["limits"]["cpu"] = "100".into();
    api.until_forbidden("pods", &much).await;
}

fn gpus(name: &str, count: u32) -> Value {
    let mut pod = idle_pod(name);
    pod["spec"]["containers"][0]["resources"] = json!({"limits": {"nvidia.com/gpu": count.to_string(), "cpu": "1"}});
    pod
}

pub async fn refuses(api: Api) {
    quota(&api, json!({"requests.nvidia.com/gpu": "4", "pods": "3"})).await;
    api.silent("POST", "pods", JSON, Some(&gpus("one", 3))).await.expect(201);
    api.post("pods", &gpus("two", 2)).await.refused(
        403, "Forbidden",
        "pods \"two\" is forbidden: exceeded quota: team, requested: requests.nvidia.com/gpu=2, used: requests.nvidia.com/gpu=3, limited: requests.nvidia.com/gpu=4");
    api.post("pods?dryRun=All", &gpus("two", 2)).await.refused_with(403, "Forbidden", "exceeded quota: team");
    api.silent("POST", "pods", JSON, Some(&gpus("three", 1))).await.expect(201);
    api.silent("POST", "pods", JSON, Some(&idle_pod("four"))).await;
    api.silent("DELETE", "pods/one", JSON, None).await.expect(200);
    let used = |answer: &Value| answer["status"]["used"]["requests.nvidia.com/gpu"] == "1";
    api.until("resourcequotas/team", |answer| used(&answer.body)).await;
    api.post("pods", &gpus("two", 2)).await.expect(201);
}

pub async fn counts(api: Api) {
    quota(&api, json!({"limits.cpu": "2", "count/secrets": "1", "configmaps": "100"})).await;
    let unlimited = api.post("pods", &idle_pod("one")).await;
    unlimited.refused(403, "Forbidden", "pods \"one\" is forbidden: failed quota: team: must specify limits.cpu for: task");
    let secret = |name: &str| json!({"metadata": {"name": name}});
    api.silent("POST", "secrets", JSON, Some(&secret("one"))).await.expect(201);
    api.post("secrets", &secret("two")).await.refused(
        403, "Forbidden",
        "secrets \"two\" is forbidden: exceeded quota: team, requested: count/secrets=1, used: count/secrets=1, limited: count/secrets=1");
    api.silent("POST", "configmaps", JSON, Some(&config("one"))).await.expect(201);
    let counted = api.silent("GET", "resourcequotas/team", JSON, None).await.expect(200);
    assert_eq!(counted["status"]["hard"], counted["spec"]["hard"]);
}
