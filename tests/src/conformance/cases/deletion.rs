use serde_json::{Value, json};

use super::{config, idle_pod, pod};
use crate::conformance::Api;
use crate::conformance::api::MERGE;

pub async fn plain(api: Api) {
    let made = api.post("configmaps", &config("one")).await.expect(201);
    let answer = api.delete("configmaps/one", &Value::Null).await.expect(200);
    assert_eq!(answer["status"], "Success", "{answer}");
    assert_eq!(answer["details"]["uid"], made["metadata"]["uid"]);
    api.get("configmaps/one").await.expect(404);
    api.post("configmaps", &config("one")).await.expect(201);
    api.post("pods", &idle_pod("one")).await.expect(201);
    let pod = api.delete("pods/one", &Value::Null).await.expect(200);
    assert_eq!(pod["kind"], "Pod", "a pod without a node goes at once and is shown");
    api.get("pods/one").await.expect(404);
}

pub async fn preconditions(api: Api) {
    let made = api.post("configmaps", &config("one")).await.expect(201);
    let uid = json!({"preconditions": {"uid": "01234567-89ab-cdef-0123-456789abcdef"}});
    let words = format!(
        "Operation cannot be fulfilled on ConfigMap \"one\": the UID in the precondition (01234567-89ab-cdef-0123-456789abcdef) does not match the UID in record ({}). The object might have been deleted and then recreated",
        made["metadata"]["uid"].as_str().unwrap_or_default());
    api.delete("configmaps/one", &uid).await.refused(409, "Conflict", &words);
    let version = json!({"preconditions": {"resourceVersion": "1"}});
    let words = format!(
        "Operation cannot be fulfilled on ConfigMap \"one\": the ResourceVersion in the precondition (1) does not match the ResourceVersion in record ({}). The object might have been modified",
        made["metadata"]["resourceVersion"].as_str().unwrap_or_default());
    api.delete("configmaps/one", &version).await.refused(409, "Conflict", &words);
    let right = json!({"preconditions": {"uid": made["metadata"]["uid"], "resourceVersion": made["metadata"]["resourceVersion"]}});
    api.delete("configmaps/one", &right).await.expect(200);
}

pub async fn finalizers(api: Api) {
    let mut object = config("one");
    object["metadata"]["finalizers"] = json!(["berth.dev/outcome"]);
    api.post("configmaps", &object).await.expect(201);
    let going = api.delete("configmaps/one", &Value::Null).await.expect(200);
    assert!(going["metadata"]["deletionTimestamp"].is_string());
    assert_eq!(going["metadata"]["deletionGracePeriodSeconds"], 0);
    let again = api.delete("configmaps/one", &Value::Null).await.expect(200);
    assert_eq!(again["metadata"]["resourceVersion"], going["metadata"]["resourceVersion"]);
    api.post("configmaps", &config("one")).await;
    let more = json!({"metadata": {"finalizers": ["berth.dev/outcome", "berth.dev/more"]}});
    api.patch("configmaps/one", MERGE, &more).await.refused_with(422, "Invalid", "metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted");
    api.patch("configmaps/one", MERGE, &json!({"data": {"b": "1"}})).await.expect(200);
    let last = api.patch("configmaps/one", MERGE, &json!({"metadata": {"finalizers": null}})).await.expect(200);
    assert!(last["metadata"]["deletionTimestamp"].is_string());
    api.get("configmaps/one").await.expect(404);
}

pub async fn graceful(api: Api) {
    let mut object = pod("one", &[("on-term", "exit=0,after=1s")]);
    object["spec"]["terminationGracePeriodSeconds"] = json!(20);
    api.silent("POST", "pods", "application/json", Some(&object)).await.expect(201);
    api.until("pods/one", |answer| answer.body["status"]["phase"] == "Running").await;
    let going = api.silent("DELETE", "pods/one", "application/json", None).await.expect(200);
    assert!(going["metadata"]["deletionTimestamp"].is_string());
    assert_eq!(going["metadata"]["deletionGracePeriodSeconds"], 20);
    let shorter = api.silent("DELETE", "pods/one?gracePeriodSeconds=10", "application/json", None).await.expect(200);
    assert_eq!(shorter["metadata"]["deletionGracePeriodSeconds"], 10, "shorter is obeyed");
    let longer = api.silent("DELETE", "pods/one?gracePeriodSeconds=15", "application/json", None).await.expect(200);
    assert_eq!(longer["metadata"]["deletionGracePeriodSeconds"], 10, "longer is not");
    api.until_gone("pods/one").await;
}

pub async fn forced(api: Api) {
    let object = pod("one", &[("on-term", "hang")]);
    api.silent("POST", "pods", "application/json", Some(&object)).await.expect(201);
    api.until("pods/one", |answer| answer.body["status"]["phase"] == "Running").await;
    api.silent("DELETE", "pods/one", "application/json", Some(&json!({"gracePeriodSeconds": 0}))).await.expect(200);
    api.get("pods/one").await.expect(404);
}

pub async fn collection(api: Api) {
    for name in ["one", "two"] {
        let mut object = config(name);
        object["metadata"]["labels"] = json!({"case": "x"});
        api.post("configmaps", &object).await.expect(201);
    }
    let gone = api.silent("DELETE", "configmaps?labelSelector=case", "application/json", None).await.expect(200);
    assert_eq!(gone["kind"], "ConfigMapList");
    assert_eq!(gone["items"].as_array().map(Vec::len), Some(2));
    let left = api.get("configmaps?labelSelector=case").await.expect(200);
    assert_eq!(left["items"], json!([]));
}

pub async fn dry_run(api: Api) {
    api.post("configmaps", &config("one")).await.expect(201);
    api.delete("configmaps/one?dryRun=All", &Value::Null).await.expect(200);
    api.delete("configmaps/one", &json!({"dryRun": ["All"]})).await.expect(200);
    api.get("configmaps/one").await.expect(200);
}

pub async fn absent(api: Api) {
    api.delete("configmaps/none", &Value::Null).await.refused(404, "NotFound", "configmaps \"none\" not found");
    api.post("configmaps", &config("one")).await.expect(201);
    api.delete("configmaps/one", &json!({"propagationPolicy": "Sometimes"})).await;
    api.delete("configmaps/one", &json!({"gracePeriodSeconds": "soon"})).await;
}
