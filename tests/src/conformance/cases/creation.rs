use serde_json::json;

use super::config;
use crate::conformance::Api;

pub async fn named(api: Api) {
    let made = api.post("configmaps", &config("one")).await.expect(201);
    assert_eq!(made["metadata"]["namespace"], api.namespace());
    assert!(made["metadata"]["uid"].is_string());
    assert!(made["metadata"]["resourceVersion"].is_string());
    assert_eq!(made["metadata"]["managedFields"][0]["manager"], "conformance");
    assert_eq!(made["metadata"]["managedFields"][0]["operation"], "Update");
    let read = api.get("configmaps/one").await.expect(200);
    assert_eq!(read, made);
}

pub async fn generated(api: Api) {
    let mut object = config("");
    object["metadata"] = json!({"generateName": "run-"});
    let mut names = Vec::new();
    for _ in 0..2 {
        let made = api.silent("POST", "configmaps", "application/json", Some(&object)).await.expect(201);
        assert_eq!(made["metadata"]["generateName"], "run-");
        names.push(made["metadata"]["name"].as_str().unwrap_or_default().to_owned());
    }
    assert!(names.iter().all(|name| name.starts_with("run-") && name.len() == 9), "{names:?}");
    assert_ne!(names[0], names[1]);
}

pub async fn twice(api: Api) {
    api.post("configmaps", &config("one")).await.expect(201);
    api.post("configmaps", &config("one")).await.refused(
        409, "AlreadyExists", "configmaps \"one\" already exists");
    let lease = json!({"metadata": {"name": "one"}, "spec": {}});
    api.post("coordination.k8s.io/v1/leases", &lease).await.expect(201);
    api.post("coordination.k8s.io/v1/leases", &lease).await.refused(
        409, "AlreadyExists", "leases.coordination.k8s.io \"one\" already exists");
    api.post("configmaps?dryRun=All", &config("one")).await.refused(
        409, "AlreadyExists", "configmaps \"one\" already exists");
    api.post("configmaps?dryRun=All", &config("two")).await.expect(201);
    api.get("configmaps/two").await.refused(404, "NotFound", "configmaps \"two\" not found");
}

pub async fn nameless(api: Api) {
    let object = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {}});
    let answer = api.post("configmaps", &object).await;
    answer.refused_with(422, "Invalid", "metadata.name: Required value: name or generateName is required");
}

pub async fn bad_names(api: Api) {
    for name in ["One", "one_two", "-one", "one."] {
        let answer = api.post("configmaps", &config(name)).await;
        answer.refused_with(422, "Invalid", &format!("ConfigMap \"{name}\" is invalid: metadata.name: Invalid value: \"{name}\": a lowercase RFC 1123 subdomain"));
    }
    let mut labelled = config("labelled");
    labelled["metadata"]["labels"] = json!({"a": "not a value"});
    api.post("configmaps", &labelled).await.refused_with(422, "Invalid", "metadata.labels: Invalid value: \"not a value\"");
    let mut annotated = config("annotated");
    annotated["metadata"]["annotations"] = json!({"not a key": "x"});
    api.post("configmaps", &annotated).await.refused_with(422, "Invalid", "metadata.annotations: Invalid value: \"not a key\"");
    let mut finalized = config("finalized");
    finalized["metadata"]["finalizers"] = json!(["berth"]);
    api.post("configmaps", &finalized).await;
    let service = json!({"metadata": {"name": "1st"}, "spec": {"ports": [{"port": 80}]}});
    api.post("services", &service).await;
    let long = "a".repeat(64);
    api.post("pods", &super::idle_pod(&"a".repeat(254))).await.refused_with(422, "Invalid", "must be no more than 253");
    let mut pod = super::idle_pod("pod");
    pod["metadata"]["labels"] = json!({"a": long});
    api.post("pods", &pod).await.refused_with(422, "Invalid", "must be no more than 63");
}

pub async fn wrong_kind(api: Api) {
    let mut object = config("one");
    object["kind"] = "Secret".into();
    api.post("configmaps", &object).await;
    let mut object = config("one");
    object["apiVersion"] = "v2".into();
    api.post("configmaps", &object).await;
    api.post("configmaps", &json!([])).await;
    let broken = api.raw("POST", "configmaps", "application/json", b"{\"a\": ".to_vec()).await;
    assert_eq!(broken.status, 400, "{}", broken.body);
    let bare = json!({"metadata": {"name": "bare"}, "data": {"a": "1"}});
    api.post("configmaps", &bare).await.expect(201);
}

pub async fn wrong_namespace(api: Api) {
    let mut object = config("one");
    object["metadata"]["namespace"] = "default".into();
    api.post("configmaps", &object).await.refused(
        400, "BadRequest",
        "the namespace of the provided object does not match the namespace sent on the request");
    let absent = api.post("/api/v1/namespaces/absent/configmaps", &config("one")).await;
    absent.refused(404, "NotFound", "namespaces \"absent\" not found");
}

pub async fn no_namespace(api: Api) {
    let answer = api.silent("POST", "/api/v1/configmaps", "application/json", Some(&config("one"))).await;
    assert!(matches!(answer.status, 400 | 404 | 405), "{}", answer.body);
    let class = json!({"metadata": {"name": "creation-class", "namespace": "default"}, "value": 1});
    api.post("/apis/scheduling.k8s.io/v1/priorityclasses", &class).await;
}

/// A field that the server knows to be old or odd earns a warning, not a refusal.
pub async fn warnings(api: Api) {
    let mut object = config("one");
    object["extra"] = json!(1);
    let answer = api.post("configmaps", &object).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    assert_eq!(answer.warnings, ["299 - \"unknown field \\\"extra\\\"\""]);
}
