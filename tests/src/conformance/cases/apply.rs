use serde_json::{Value, json};

use super::{config, fields_of, idle_pod};
use crate::conformance::Api;
use crate::conformance::api::{APPLY, MERGE};

fn data(name: &str, data: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data})
}

pub async fn creates_and_changes(api: Api) {
    let made = api.apply("configmaps/one?fieldManager=a", &data("one", json!({"x": "1"}))).await.expect(201);
    assert_eq!(made["metadata"]["managedFields"][0]["operation"], "Apply");
    assert_eq!(fields_of(&made, "a"), &json!({"f:data": {"f:x": {}}}));
    let same = api.apply("configmaps/one?fieldManager=a", &data("one", json!({"x": "1"}))).await.expect(200);
    assert_eq!(same["metadata"]["resourceVersion"], made["metadata"]["resourceVersion"], "nothing changed");
    let next = api.apply("configmaps/one?fieldManager=a", &data("one", json!({"x": "2", "y": "3"}))).await.expect(200);
    assert_eq!(next["data"], json!({"x": "2", "y": "3"}));
    assert_eq!(fields_of(&next, "a"), &json!({"f:data": {"f:x": {}, "f:y": {}}}));
}

pub async fn conflicts(api: Api) {
    api.apply("configmaps/one?fieldManager=a", &data("one", json!({"x": "1", "y": "1"}))).await.expect(201);
    let answer = api.apply("configmaps/one?fieldManager=b", &data("one", json!({"x": "2", "z": "1"}))).await;
    answer.refused(409, "Conflict", "Apply failed with 1 conflict: conflict with \"a\": .data.x");
    assert_eq!(answer.causes(), ["FieldManagerConflict .data.x: conflict with \"a\""]);
    let answer = api.apply("configmaps/one?fieldManager=b", &data("one", json!({"x": "2", "y": "2"}))).await;
    answer.refused(409, "Conflict", "Apply failed with 2 conflicts: conflicts with \"a\":\n- .data.x\n- .data.y");
    // An updater owns too, and its words say when and in which version.
    api.patch("configmaps/one?fieldManager=kubectl-edit", MERGE, &json!({"data": {"w": "1"}})).await.expect(200);
    let answer = api.apply("configmaps/one?fieldManager=b", &data("one", json!({"w": "2"}))).await;
    answer.refused_with(409, "Conflict", "Apply failed with 1 conflict: conflict with \"kubectl-edit\" using v1");
    let one = api.get("configmaps/one").await.expect(200);
    assert_eq!(one["data"], json!({"w": "1", "x": "1", "y": "1"}), "a refused apply changes nothing");
    // Two managers: the real server names them in the order of a Go map.
    let path = api.path("configmaps/one?fieldManager=b");
    let object = data("one", json!({"w": "2", "x": "2"}));
    let answer = api.silent("PATCH", &path, APPLY, Some(&object)).await;
    answer.refused_with(409, "Conflict", "Apply failed with 2 conflicts");
}

pub async fn forced(api: Api) {
    api.apply("configmaps/one?fieldManager=a", &data("one", json!({"x": "1", "y": "1"}))).await.expect(201);
    let taken = api.apply("configmaps/one?fieldManager=b&force=true", &data("one", json!({"x": "2"}))).await.expect(200);
    assert_eq!(taken["data"], json!({"x": "2", "y": "1"}));
    assert_eq!(fields_of(&taken, "a"), &json!({"f:data": {"f:y": {}}}));
    assert_eq!(fields_of(&taken, "b"), &json!({"f:data": {"f:x": {}}}));
    api.patch("configmaps/one?force=true&fieldManager=a", MERGE, &json!({})).await;
}

pub async fn removes(api: Api) {
    api.apply("configmaps/one?fieldManager=a", &data("one", json!({"x": "1", "y": "1"}))).await.expect(201);
    let less = api.apply("configmaps/one?fieldManager=a", &data("one", json!({"x": "1"}))).await.expect(200);
    assert_eq!(less["data"], json!({"x": "1"}));
    let mut none = data("one", json!({}));
    none["data"].take();
    let none = api.apply("configmaps/one?fieldManager=a", &none).await;
    assert_eq!(none.status, 200, "{}", none.body);
    let empty = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "one"}});
    let empty = api.apply("configmaps/one?fieldManager=a", &empty).await.expect(200);
    assert_eq!(empty.get("data"), None, "{empty}");
    assert_eq!(fields_of(&empty, "a"), &Value::Null, "{empty}");
}

pub async fn shared(api: Api) {
    let object = data("one", json!({"x": "1"}));
    api.apply("configmaps/one?fieldManager=a", &object).await.expect(201);
    let both = api.apply("configmaps/one?fieldManager=b", &object).await.expect(200);
    assert_eq!(fields_of(&both, "a"), fields_of(&both, "b"), "the same value is no conflict");
    let left = api.apply("configmaps/one?fieldManager=a", &data("one", json!({"y": "1"}))).await.expect(200);
    assert_eq!(left["data"], json!({"x": "1", "y": "1"}), "the other one still wants it");
    let gone = api.apply("configmaps/one?fieldManager=b", &data("one", json!({"z": "1"}))).await.expect(200);
    assert_eq!(gone["data"], json!({"y": "1", "z": "1"}));
}

pub async fn list_keys(api: Api) {
    let service = |ports: Value| json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "one"},
        "spec": {"clusterIP": "None", "selector": {"a": "b"}, "ports": ports},
    });
    let first = service(json!([{"name": "x", "port": 1, "targetPort": 1}]));
    api.apply("services/one?fieldManager=a", &first).await.expect(201);
    let second = service(json!([{"name": "y", "port": 2, "targetPort": 2}]));
    let both = api.apply("services/one?fieldManager=b", &second).await.expect(200);
    assert_eq!(both["spec"]["ports"].as_array().map(Vec::len), Some(2), "{both}");
    let third = service(json!([{"name": "x", "port": 1, "targetPort": 7}]));
    api.apply("services/one?fieldManager=b", &third).await.refused_with(409, "Conflict", ".spec.ports[port=1,protocol=\"TCP\"].targetPort");
    let twice = service(json!([{"name": "x", "port": 1}, {"name": "z", "port": 1}]));
    api.apply("services/one?fieldManager=a", &twice).await;
    let keyless = service(json!([{"name": "x"}]));
    api.apply("services/one?fieldManager=a", &keyless).await;
    let mut finalized = config("one");
    finalized["metadata"]["finalizers"] = json!(["berth.dev/a"]);
    api.apply("configmaps/one?fieldManager=a", &finalized).await.expect(201);
    finalized["metadata"]["finalizers"] = json!(["berth.dev/b"]);
    let sets = api.apply("configmaps/one?fieldManager=b", &finalized).await.expect(200);
    assert_eq!(sets["metadata"]["finalizers"], json!(["berth.dev/a", "berth.dev/b"]));
    api.patch("configmaps/one", MERGE, &json!({"metadata": {"finalizers": null}})).await.expect(200);
}

pub async fn dry_run(api: Api) {
    let made = api.apply("configmaps/one?fieldManager=a&dryRun=All", &data("one", json!({"x": "1"}))).await.expect(201);
    assert!(made["metadata"]["uid"].is_string());
    api.get("configmaps/one").await.expect(404);
    let made = api.apply("configmaps/one?fieldManager=a", &data("one", json!({"x": "1"}))).await.expect(201);
    let dry = api.apply("configmaps/one?fieldManager=a&dryRun=All", &data("one", json!({"x": "2"}))).await.expect(200);
    assert_eq!(dry["data"]["x"], "2");
    assert_eq!(dry["metadata"]["resourceVersion"], made["metadata"]["resourceVersion"]);
    let dry = api.apply("configmaps/one?fieldManager=b&dryRun=All", &data("one", json!({"x": "2"}))).await;
    dry.refused_with(409, "Conflict", ".data.x");
    let read = api.get("configmaps/one").await.expect(200);
    assert_eq!(read, made);
    api.apply("configmaps/one?fieldManager=a&dryRun=Some", &data("one", json!({}))).await;
}

pub async fn managers(api: Api) {
    let object = data("one", json!({"x": "1"}));
    api.apply("configmaps/one", &object).await.refused(
        422, "Invalid", "PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value: is required for apply patch");
    let mut managed = object.clone();
    managed["metadata"]["managedFields"] = json!([{"manager": "x", "operation": "Apply"}]);
    api.apply("configmaps/one?fieldManager=a", &managed).await.refused(400, "BadRequest", "metadata.managedFields must be nil");
    let long = format!("configmaps/one?fieldManager={}", "m".repeat(129));
    api.apply(&long, &object).await;
    let mut other = object.clone();
    other["metadata"]["name"] = "two".into();
    api.apply("configmaps/one?fieldManager=a", &other).await;
    let made = api.apply("configmaps/one?fieldManager=a", &object).await.expect(201);
    let cleared = json!({"metadata": {"managedFields": [{}]}});
    let cleared = api.patch("configmaps/one", MERGE, &cleared).await.expect(200);
    assert!(made["metadata"]["managedFields"].is_array());
    assert_eq!(cleared["metadata"].get("managedFields"), None, "{cleared}");
}

pub async fn uid_to_absent(api: Api) {
    let mut object = data("one", json!({"x": "1"}));
    object["metadata"]["uid"] = "01234567-89ab-cdef-0123-456789abcdef".into();
    let answer = api.apply("configmaps/one?fieldManager=a", &object).await;
    answer.refused_with(409, "Conflict", "uid mismatch: the provided object specified uid 01234567-89ab-cdef-0123-456789abcdef, and no existing object was found");
    api.get("configmaps/one").await.expect(404);
    api.post("configmaps", &config("one")).await.expect(201);
    api.apply("configmaps/one?fieldManager=a&force=true", &object).await.refused_with(422, "Invalid", "metadata.uid: Invalid value: \"01234567-89ab-cdef-0123-456789abcdef\": field is immutable");
    let mut stale = data("one", json!({"x": "1"}));
    stale["metadata"]["resourceVersion"] = "1".into();
    api.apply("configmaps/one?fieldManager=a", &stale).await.refused_with(409, "Conflict", "the object has been modified");
}

pub async fn subresource(api: Api) {
    api.post("pods", &idle_pod("one")).await.expect(201);
    let status = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "one"}, "status": {"conditions": [{"type": "berth.dev/ready", "status": "True"}]}});
    let applied = api.patch("pods/one/status?fieldManager=a", APPLY, &status).await.expect(200);
    let entries = applied["metadata"]["managedFields"].as_array().cloned().unwrap_or_default();
    let ours = entries.iter().find(|entry| entry["manager"] == "a");
    assert_eq!(ours.map(|entry| &entry["subresource"]), Some(&"status".into()), "{applied}");
    api.patch("pods/none/status?fieldManager=a", APPLY, &json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "none"}})).await.refused(404, "NotFound", "pods \"none\" not found");
}

/// Quantities are stored in their canonical form.
pub async fn quantities(api: Api) {
    let quota = |cpu: &str| json!({
        "apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "one"}, "spec": {"hard": {"cpu": cpu, "memory": "1024Mi"}},
    });
    let made = api.apply("resourcequotas/one?fieldManager=a", &quota("1000m")).await.expect(201);
    assert_eq!(made["spec"]["hard"], json!({"cpu": "1", "memory": "1Gi"}));
    let again = api.silent("PATCH", "resourcequotas/one?fieldManager=a", APPLY, Some(&quota("1"))).await.expect(200);
    assert_eq!(again["spec"], made["spec"]);
    // But it is the text that another manager's value is compared by.
    let other = api.patch("resourcequotas/one?fieldManager=b", APPLY, &quota("1")).await;
    other.refused(409, "Conflict", "Apply failed with 1 conflict: conflict with \"a\": .spec.hard.memory");
}
