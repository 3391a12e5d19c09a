//! Nothing that is only asked for happens.

use serde_json::{Value, json};

use super::{config, idle_pod};
use crate::conformance::Api;
use crate::conformance::api::{JSON_PATCH, MERGE, STRATEGIC};

pub async fn writes(api: Api) {
    let made = api.post("configmaps", &config("one")).await.expect(201);
    let mut other = config("one");
    other["data"]["a"] = "2".into();
    let path = "configmaps/one?dryRun=All";
    assert_eq!(api.put(path, &other).await.expect(200)["data"]["a"], "2");
    assert_eq!(api.patch(path, MERGE, &json!({"data": {"a": "3"}})).await.expect(200)["data"]["a"], "3");
    assert_eq!(api.patch(path, STRATEGIC, &json!({"data": {"a": "4"}})).await.expect(200)["data"]["a"], "4");
    let replace = json!([{"op": "replace", "path": "/data/a", "value": "5"}]);
    assert_eq!(api.patch(path, JSON_PATCH, &replace).await.expect(200)["data"]["a"], "5");
    api.silent("DELETE", "configmaps?dryRun=All", "application/json", None).await.expect(200);
    assert_eq!(api.get("configmaps/one").await.expect(200), made);
}

/// What would be refused is refused.
pub async fn refusals(api: Api) {
    api.post("configmaps?dryRun=All", &config("One")).await.refused_with(422, "Invalid", "metadata.name: Invalid value: \"One\"");
    api.put("configmaps/none?dryRun=All", &config("none")).await.refused(404, "NotFound", "configmaps \"none\" not found");
    api.delete("configmaps/none?dryRun=All", &Value::Null).await.refused(404, "NotFound", "configmaps \"none\" not found");
    api.post("configmaps?dryRun=Some", &config("one")).await.refused_with(422, "Invalid", "dryRun: Unsupported value");
    api.delete("configmaps/none?dryRun=Some", &Value::Null).await.refused_with(422, "Invalid", "dryRun: Unsupported value");
}

pub async fn subresources(api: Api) {
    api.post("pods", &idle_pod("one")).await.expect(201);
    let status = json!({"status": {"message": "dry"}});
    let dry = api.patch("pods/one/status?dryRun=All", MERGE, &status).await.expect(200);
    assert_eq!(dry["status"]["message"], "dry");
    let binding = json!({"metadata": {"name": "one"}, "target": {"kind": "Node", "name": "node-0"}});
    api.post("pods/one/binding?dryRun=All", &binding).await.expect(201);
    let eviction = json!({"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "one"}, "deleteOptions": {"dryRun": ["All"]}});
    api.post("pods/one/eviction?dryRun=All", &eviction).await.expect(201);
    let kept = api.get("pods/one").await.expect(200);
    assert_eq!((kept["spec"].get("nodeName"), kept["status"].get("message")), (None, None));
    assert_eq!(kept["metadata"].get("deletionTimestamp"), None);
}
