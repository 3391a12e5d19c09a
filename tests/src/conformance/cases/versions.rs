use serde_json::json;

use super::{config, idle_pod};
use crate::conformance::Api;
use crate::conformance::api::{JSON_PATCH, MERGE};

const MODIFIED: &str = "Operation cannot be fulfilled on configmaps \"one\": the object has been modified; please apply your changes to the latest version and try again";

pub async fn replace_conflict(api: Api) {
    let made = api.post("configmaps", &config("one")).await.expect(201);
    let mut newer = made.clone();
    newer["data"]["a"] = "2".into();
    let newer = api.put("configmaps/one", &newer).await.expect(200);
    assert_ne!(newer["metadata"]["resourceVersion"], made["metadata"]["resourceVersion"]);
    let mut late = made.clone();
    late["data"]["a"] = "3".into();
    api.put("configmaps/one", &late).await.refused(409, "Conflict", MODIFIED);
    let mut blind = config("one");
    blind["data"]["a"] = "4".into();
    api.put("configmaps/one", &blind).await.expect(200);
    api.put("configmaps/two", &config("two")).await.refused(404, "NotFound", "configmaps \"two\" not found");
    api.put("configmaps/one", &config("two")).await.refused(
        400, "BadRequest", "the name of the object (two) does not match the name on the URL (one)");
}

pub async fn patch_precondition(api: Api) {
    let made = api.post("configmaps", &config("one")).await.expect(201);
    let version = made["metadata"]["resourceVersion"].clone();
    let patch = |value: &str| json!({"metadata": {"resourceVersion": version}, "data": {"a": value}});
    api.patch("configmaps/one", MERGE, &patch("2")).await.expect(200);
    api.patch("configmaps/one", MERGE, &patch("3")).await.refused(409, "Conflict", MODIFIED);
    let tested = json!([
        {"op": "test", "path": "/metadata/resourceVersion", "value": version},
        {"op": "replace", "path": "/data/a", "value": "4"},
    ]);
    let answer = api.patch("configmaps/one", JSON_PATCH, &tested).await;
    assert_eq!(answer.status, 422, "{}", answer.body);
}

/// A write that changes nothing makes no new version and no event.
pub async fn noop(api: Api) {
    let made = api.post("configmaps", &config("one")).await.expect(201);
    let same = api.put("configmaps/one", &made).await.expect(200);
    assert_eq!(same["metadata"]["resourceVersion"], made["metadata"]["resourceVersion"]);
    let same = api.patch("configmaps/one", MERGE, &json!({"data": {"a": "1"}})).await.expect(200);
    assert_eq!(same["metadata"]["resourceVersion"], made["metadata"]["resourceVersion"]);
}

pub async fn uid_precondition(api: Api) {
    let mut other = api.post("configmaps", &config("one")).await.expect(201);
    other["metadata"]["uid"] = "01234567-89ab-cdef-0123-456789abcdef".into();
    api.put("configmaps/one", &other).await.refused_with(
        409, "Conflict", "Precondition failed: UID in precondition: 01234567-89ab-cdef-0123-456789abcdef, UID in object meta: ");
}

pub async fn generations(api: Api) {
    let pod = api.post("pods", &idle_pod("one")).await.expect(201);
    assert_eq!(pod["metadata"]["generation"], 1);
    let pod = api.patch("pods/one", MERGE, &json!({"metadata": {"labels": {"a": "b"}}})).await.expect(200);
    assert_eq!(pod["metadata"]["generation"], 1);
    let pod = api.patch("pods/one", MERGE, &json!({"spec": {"activeDeadlineSeconds": 100}})).await.expect(200);
    assert_eq!(pod["metadata"]["generation"], 2);
    let config = api.post("configmaps", &config("one")).await.expect(201);
    assert_eq!(config["metadata"].get("generation"), None);
}
