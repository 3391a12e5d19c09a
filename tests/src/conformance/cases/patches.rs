use serde_json::json;

use super::{config, idle_pod};
use crate::conformance::Api;
use crate::conformance::api::{APPLY, JSON_PATCH, MERGE, STRATEGIC};

pub async fn json(api: Api) {
    api.post("configmaps", &config("one")).await.expect(201);
    let patch = json!([
        {"op": "test", "path": "/data/a", "value": "1"},
        {"op": "add", "path": "/data/b", "value": "2"},
        {"op": "copy", "from": "/data/b", "path": "/data/c"},
        {"op": "move", "from": "/data/a", "path": "/data/d"},
        {"op": "replace", "path": "/data/c", "value": "3"},
    ]);
    let patched = api.patch("configmaps/one", JSON_PATCH, &patch).await.expect(200);
    assert_eq!(patched["data"], json!({"b": "2", "c": "3", "d": "1"}));
    api.patch("configmaps/one", JSON_PATCH, &json!([{"op": "test", "path": "/data/b", "value": "9"}])).await;
    api.patch("configmaps/one", JSON_PATCH, &json!([{"op": "remove", "path": "/data/none"}])).await;
    let read = api.get("configmaps/one").await.expect(200);
    assert_eq!(read["data"], patched["data"]);
    // Not what RFC 6902 says, but what the server does.
    let added = api.patch("configmaps/one", JSON_PATCH, &json!([{"op": "replace", "path": "/data/none", "value": "1"}])).await.expect(200);
    assert_eq!(added["data"]["none"], "1");
    let dry = api.patch("configmaps/one?dryRun=All", JSON_PATCH, &json!([{"op": "remove", "path": "/data"}])).await.expect(200);
    assert_eq!(dry.get("data"), None);
}

pub async fn merge(api: Api) {
    api.post("configmaps", &config("one")).await.expect(201);
    let patch = json!({"data": {"a": null, "b": "2"}, "metadata": {"labels": {"x": "y"}}});
    let patched = api.patch("configmaps/one", MERGE, &patch).await.expect(200);
    assert_eq!(patched["data"], json!({"b": "2"}));
    assert_eq!(patched["metadata"]["labels"], json!({"x": "y"}));
    let patched = api.patch("configmaps/one", MERGE, &json!({"data": null})).await.expect(200);
    assert_eq!(patched.get("data"), None);
    api.patch("configmaps/none", MERGE, &json!({})).await.refused(404, "NotFound", "configmaps \"none\" not found");
}

pub async fn strategic(api: Api) {
    let mut pod = idle_pod("one");
    pod["spec"]["tolerations"] = json!([{"key": "a", "operator": "Exists"}]);
    api.post("pods", &pod).await.expect(201);
    let patch = json!({"spec": {"containers": [{"name": "task", "image": "registry.example.com/train:2"}]}});
    let patched = api.patch("pods/one", STRATEGIC, &patch).await.expect(200);
    assert_eq!(patched["spec"]["containers"].as_array().map(Vec::len), Some(1));
    assert_eq!(patched["spec"]["containers"][0]["image"], "registry.example.com/train:2");
    assert_eq!(patched["spec"]["containers"][0]["terminationMessagePath"], "/dev/termination-log");
    let conditions = json!({"status": {"conditions": [{"type": "berth.dev/x", "status": "True"}]}});
    api.patch("pods/one/status", STRATEGIC, &conditions).await.expect(200);
    let conditions = json!({"status": {"conditions": [{"type": "berth.dev/y", "status": "True"}]}});
    let patched = api.patch("pods/one/status", STRATEGIC, &conditions).await.expect(200);
    assert_eq!(patched["status"]["conditions"].as_array().map(Vec::len), Some(2), "{patched}");
    let removal = json!({"status": {"conditions": [{"type": "berth.dev/x", "$patch": "delete"}]}});
    let patched = api.patch("pods/one/status", STRATEGIC, &removal).await.expect(200);
    assert_eq!(patched["status"]["conditions"].as_array().map(Vec::len), Some(1), "{patched}");
    let finalizers = json!({"metadata": {"finalizers": ["berth.dev/a"]}});
    api.patch("pods/one", STRATEGIC, &finalizers).await.expect(200);
    let finalizers = json!({"metadata": {"$deleteFromPrimitiveList/finalizers": ["berth.dev/a"]}});
    let patched = api.patch("pods/one", STRATEGIC, &finalizers).await.expect(200);
    assert_eq!(patched["metadata"].get("finalizers"), None);
    let replaced = json!({"metadata": {"labels": {"$patch": "replace", "only": "this"}}});
    let patched = api.patch("pods/one", STRATEGIC, &replaced).await.expect(200);
    assert_eq!(patched["metadata"].get("labels"), None, "{patched}");
}

pub async fn malformed(api: Api) {
    api.post("configmaps", &config("one")).await.expect(201);
    for (media, text) in [
        (JSON_PATCH, "{}"),
        (JSON_PATCH, "[{\"op\": \"twist\", \"path\": \"/a\"}]"),
        (MERGE, "[]"),
        (MERGE, "{"),
        (STRATEGIC, "[1]"),
        (APPLY, "a: [b"),
    ] {
        let answer = api.raw("PATCH", "configmaps/one?fieldManager=m", media, text.into()).await;
        assert!((400..500).contains(&answer.status), "{media} {text}: {} {}", answer.status, answer.body);
    }
}

pub async fn wrong_media(api: Api) {
    api.post("configmaps", &config("one")).await.expect(201);
    let answer = api.patch("configmaps/one", "application/json", &json!({})).await;
    answer.refused(415, "UnsupportedMediaType", "415: Unsupported Media Type");
    let answer = api.send("POST", "configmaps", "text/plain", Some(&config("two"))).await;
    assert_eq!(answer.status, 415, "{}", answer.body);
}

pub async fn immutable(api: Api) {
    let mut object = config("one");
    object["immutable"] = json!(true);
    api.post("configmaps", &object).await.expect(201);
    api.patch("configmaps/one", MERGE, &json!({"data": {"a": "2"}})).await.refused_with(
        422, "Invalid", "data: Forbidden: field is immutable when `immutable` is set");
    for (field, value) in [("name", json!("two")), ("namespace", json!("default")), ("uid", json!("01234567-89ab-cdef-0123-456789abcdef"))] {
        let answer = api.patch("configmaps/one", MERGE, &json!({"metadata": {field: value}})).await;
        assert!(answer.status >= 400, "{field}: {}", answer.body);
    }
    let secret = json!({"metadata": {"name": "one"}, "type": "Opaque"});
    api.post("secrets", &secret).await.expect(201);
    api.patch("secrets/one", MERGE, &json!({"type": "kubernetes.io/tls"})).await;
    let kept = api.patch("configmaps/one", MERGE, &json!({"metadata": {"creationTimestamp": null}})).await;
    assert_eq!(kept.body["metadata"]["creationTimestamp"].is_string(), kept.status == 200, "{}", kept.body);
}
