use serde_json::{Value, json};

use super::config;
use crate::conformance::Api;
use crate::conformance::api::{APPLY, MERGE};

pub async fn missing(api: Api) {
    let words = "namespaces \"absent\" not found";
    api.post("/api/v1/namespaces/absent/configmaps", &config("one")).await.refused(404, "NotFound", words);
    api.patch("/api/v1/namespaces/absent/configmaps/one?fieldManager=a", APPLY, &config("one")).await.refused(404, "NotFound", words);
    api.get("/api/v1/namespaces/absent").await.refused(404, "NotFound", words);
    api.get("/api/v1/namespaces/absent/configmaps/one").await.refused(404, "NotFound", "configmaps \"one\" not found");
}

pub async fn terminating(api: Api) {
    let path = format!("/api/v1/namespaces/{}", api.namespace());
    let mut held = config("held");
    held["metadata"]["finalizers"] = json!(["berth.dev/held"]);
    api.post("configmaps", &held).await.expect(201);
    api.post("configmaps", &config("free")).await.expect(201);
    let going = api.silent("DELETE", &path, "application/json", None).await.expect(200);
    assert_eq!(going["status"]["phase"], "Terminating", "{going}");
    assert_eq!(going["spec"]["finalizers"], json!(["kubernetes"]));
    let answer = api.post("configmaps", &config("late")).await;
    answer.refused(403, "Forbidden", &format!(
        "configmaps \"late\" is forbidden: unable to create new content in namespace {0} because it is being terminated", api.namespace()));
    assert_eq!(answer.causes(), [format!("NamespaceTerminating metadata.namespace: namespace {} is being terminated", api.namespace())]);
    api.until_gone("configmaps/free").await;
    api.until("configmaps/held", |answer| answer.body["metadata"]["deletionTimestamp"].is_string()).await;
    api.silent("GET", &path, "application/json", None).await.expect(200);
    api.silent("PATCH", "configmaps/held", MERGE, Some(&json!({"metadata": {"finalizers": null}}))).await.expect(200);
    api.until_gone(&path).await;
}

pub async fn system(api: Api) {
    for name in ["default", "kube-system", "kube-public", "kube-node-lease"] {
        let namespace = api.silent("GET", &format!("/api/v1/namespaces/{name}"), "application/json", None).await.expect(200);
        assert_eq!(namespace["status"]["phase"], "Active");
        assert_eq!(namespace["spec"]["finalizers"], json!(["kubernetes"]));
        assert_eq!(namespace["metadata"]["labels"]["kubernetes.io/metadata.name"], name);
    }
    let made = api.get(&format!("/api/v1/namespaces/{}", api.namespace())).await.expect(200);
    assert_eq!(made["metadata"]["labels"]["kubernetes.io/metadata.name"], api.namespace());
    api.delete("/api/v1/namespaces/kube-system", &Value::Null).await.refused(
        403, "Forbidden", "namespaces \"kube-system\" is forbidden: this namespace may not be deleted");
}

/// Pods go before what they may need.
pub async fn ordered(api: Api) {
    let path = format!("/api/v1/namespaces/{}", api.namespace());
    let mut pod = super::idle_pod("held");
    pod["metadata"]["finalizers"] = json!(["berth.dev/held"]);
    api.post("pods", &pod).await.expect(201);
    api.post("configmaps", &config("needed")).await.expect(201);
    api.silent("DELETE", &path, "application/json", None).await.expect(200);
    api.until("pods/held", |answer| answer.body["metadata"]["deletionTimestamp"].is_string()).await;
    api.silent("GET", "configmaps/needed", "application/json", None).await.expect(200);
    api.silent("PATCH", "pods/held", MERGE, Some(&json!({"metadata": {"finalizers": null}}))).await.expect(200);
    api.until_gone("configmaps/needed").await;
    api.until_gone(&path).await;
}
