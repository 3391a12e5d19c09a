use serde_json::json;

use super::config;
use crate::conformance::Api;

async fn family(api: &Api) {
    let owner = api.post("configmaps", &config("owner")).await.expect(201);
    let mut owned = config("owned");
    owned["metadata"]["ownerReferences"] = json!([{
        "apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner["metadata"]["uid"],
        "blockOwnerDeletion": true,
    }]);
    api.post("configmaps", &owned).await.expect(201);
}

pub async fn background(api: Api) {
    family(&api).await;
    api.delete("configmaps/owner", &json!({"propagationPolicy": "Background"})).await.expect(200);
    api.get("configmaps/owner").await.expect(404);
    api.until_gone("configmaps/owned").await;
}

pub async fn foreground(api: Api) {
    family(&api).await;
    let going = api.delete("configmaps/owner", &json!({"propagationPolicy": "Foreground"})).await.expect(200);
    assert_eq!(going["metadata"]["finalizers"], json!(["foregroundDeletion"]));
    api.until_gone("configmaps/owned").await;
    api.until_gone("configmaps/owner").await;
}

pub async fn orphan(api: Api) {
    family(&api).await;
    let going = api.delete("configmaps/owner", &json!({"propagationPolicy": "Orphan"})).await.expect(200);
    assert_eq!(going["metadata"]["finalizers"], json!(["orphan"]));
    api.until_gone("configmaps/owner").await;
    let orphan = api.get("configmaps/owned").await.expect(200);
    let owners = orphan["metadata"]["ownerReferences"].as_array().map_or(0, Vec::len);
    assert_eq!(owners, 0, "{orphan}");
}

/// What names an owner that is not there goes.
pub async fn missing_owner(api: Api) {
    let mut owned = config("owned");
    owned["metadata"]["ownerReferences"] = json!([{
        "apiVersion": "v1", "kind": "ConfigMap", "name": "never", "uid": "01234567-89ab-cdef-0123-456789abcdef",
    }]);
    api.silent("POST", "configmaps", "application/json", Some(&owned)).await.expect(201);
    api.until_gone("configmaps/owned").await;
    let mut bad = config("bad");
    bad["metadata"]["ownerReferences"] = json!([{"apiVersion": "v1", "kind": "ConfigMap", "name": "", "uid": ""}]);
    api.post("configmaps", &bad).await.refused_with(422, "Invalid", "[metadata.ownerReferences.name: Invalid value: \"\": must not be empty, metadata.ownerReferences.uid: Invalid value: \"\": must not be empty]");
}
