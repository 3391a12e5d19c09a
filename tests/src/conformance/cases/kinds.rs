//! What single kinds do by themselves.

use serde_json::{Value, json};

use crate::conformance::Api;
use crate::conformance::api::MERGE;

const JSON: &str = "application/json";

pub async fn events(api: Api) {
    let event = json!({
        "metadata": {"name": "one"}, "involvedObject": {"kind": "Pod", "name": "p", "namespace": api.namespace()},
        "reason": "Started", "message": "it runs", "type": "Normal", "source": {"component": "berth"},
        "firstTimestamp": "2026-01-01T00:00:00Z", "lastTimestamp": "2026-01-01T00:00:00Z", "count": 1,
    });
    api.post("events", &event).await.expect(201);
    let list = api.silent("GET", "events?fieldSelector=involvedObject.name%3Dp,reason%3DStarted", JSON, None).await.expect(200);
    assert_eq!(list["items"][0]["metadata"]["name"], "one");
    let list = api.silent("GET", "events?fieldSelector=involvedObject.name%3Dq", JSON, None).await.expect(200);
    assert_eq!(list["items"], json!([]));
    let new = api.get("events.k8s.io/v1/events/one").await.expect(200);
    assert_eq!((&new["note"], &new["regarding"]["name"]), (&"it runs".into(), &"p".into()), "both groups show the same events");
    let mut misplaced = event.clone();
    misplaced["metadata"]["name"] = "two".into();
    misplaced["involvedObject"]["namespace"] = "default".into();
    api.post("events", &misplaced).await.refused_with(422, "Invalid", "involvedObject.namespace: Invalid value: \"default\": does not match event.namespace");
}

pub async fn new_events(api: Api) {
    let event = json!({
        "metadata": {"name": "one"}, "regarding": {"kind": "Pod", "name": "p", "namespace": api.namespace()},
        "reason": "Started", "note": "it runs", "type": "Normal", "action": "Start",
        "reportingController": "berth.dev/daemon", "reportingInstance": "berth-0", "eventTime": "2026-01-01T00:00:00.000000Z",
    });
    api.post("events.k8s.io/v1/events", &event).await.expect(201);
    let old = api.get("events/one").await.expect(200);
    assert_eq!((&old["message"], &old["involvedObject"]["name"]), (&"it runs".into(), &"p".into()));
    let mut timeless = event.clone();
    timeless["metadata"]["name"] = "two".into();
    timeless["eventTime"].take();
    api.post("events.k8s.io/v1/events", &timeless).await.refused_with(422, "Invalid", "eventTime: Required value");
}

pub async fn leases(api: Api) {
    let path = "coordination.k8s.io/v1/leases";
    let lease = |holder: &str| json!({
        "metadata": {"name": "one"},
        "spec": {"holderIdentity": holder, "leaseDurationSeconds": 15, "acquireTime": "2026-01-01T00:00:00.000000Z", "renewTime": "2026-01-01T00:00:00.123456Z"},
    });
    let first = api.post(path, &lease("a")).await.expect(201);
    assert_eq!(first["spec"]["renewTime"], "2026-01-01T00:00:00.123456Z");
    let mut taken = first.clone();
    taken["spec"]["holderIdentity"] = "b".into();
    api.put(&format!("{path}/one"), &taken).await.expect(200);
    let mut late = first.clone();
    late["spec"]["holderIdentity"] = "c".into();
    api.put(&format!("{path}/one"), &late).await.refused_with(409, "Conflict", "the object has been modified");
    api.patch(&format!("{path}/one"), MERGE, &json!({"spec": {"leaseDurationSeconds": 0}})).await.refused_with(422, "Invalid", "spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0");
}

pub async fn secrets(api: Api) {
    let secret = json!({"metadata": {"name": "one"}, "stringData": {"a": "text"}, "data": {"b": "Yg=="}});
    let made = api.post("secrets", &secret).await.expect(201);
    assert_eq!(made["data"], json!({"a": "dGV4dA==", "b": "Yg=="}));
    assert_eq!((&made["type"], made.get("stringData")), (&"Opaque".into(), None));
    let tls = json!({"metadata": {"name": "two"}, "type": "kubernetes.io/tls", "data": {"tls.crt": ""}});
    api.post("secrets", &tls).await.refused_with(422, "Invalid", "data[tls.key]: Required value");
    let plain = json!({"metadata": {"name": "two"}, "data": {"a": "not base64!"}});
    api.post("secrets", &plain).await.refused_with(400, "BadRequest", "illegal base64 data at input byte 3");
    api.patch("secrets/one", MERGE, &json!({"type": "kubernetes.io/tls"})).await.refused_with(422, "Invalid", "type: Invalid value: \"kubernetes.io/tls\": field is immutable");
}

pub async fn services(api: Api) {
    let service = |name: &str, spec: Value| json!({"metadata": {"name": name}, "spec": spec});
    let headless = json!({"clusterIP": "None", "publishNotReadyAddresses": true, "selector": {"a": "b"}, "ports": [{"port": 29500}]});
    let made = api.post("services", &service("one", headless)).await.expect(201);
    assert_eq!(made["spec"]["clusterIPs"], json!(["None"]));
    assert_eq!(made["spec"]["ports"], json!([{"port": 29500, "protocol": "TCP", "targetPort": 29500}]));
    let made = api.post("services", &service("two", json!({"selector": {"a": "b"}, "ports": [{"name": "x", "port": 80}]}))).await.expect(201);
    assert!(made["spec"]["clusterIP"].as_str().is_some_and(|address| address.starts_with("10.")), "{made}");
    assert_eq!(made["spec"]["type"], "ClusterIP");
    api.patch("services/two", MERGE, &json!({"spec": {"clusterIP": "10.0.0.77"}})).await;
    api.post("services", &service("three", json!({"ports": []}))).await;
    api.post("services", &service("three", json!({"ports": [{"port": 80}, {"port": 81}]}))).await;
    api.post("services", &service("three", json!({"ports": [{"port": 0}]}))).await;
    api.post("services", &service("Three", json!({"ports": [{"port": 80}]}))).await;
}

pub async fn claims(api: Api) {
    let claim = json!({"metadata": {"name": "one"}, "spec": {"accessModes": ["ReadWriteOnce"], "storageClassName": "none", "resources": {"requests": {"storage": "1024Mi"}}}});
    let made = api.silent("POST", "persistentvolumeclaims", JSON, Some(&claim)).await.expect(201);
    assert_eq!(made["spec"]["volumeMode"], "Filesystem");
    assert_eq!(made["spec"]["resources"]["requests"]["storage"], "1Gi");
    assert_eq!(made["status"]["phase"], "Pending");
    assert_eq!(made["metadata"]["finalizers"], json!(["kubernetes.io/pvc-protection"]));
    api.silent("DELETE", "persistentvolumeclaims/one", JSON, None).await.expect(200);
    api.until_gone("persistentvolumeclaims/one").await;
    api.post("persistentvolumeclaims", &json!({"metadata": {"name": "two"}, "spec": {"resources": {"requests": {"storage": "1Gi"}}}})).await.refused_with(422, "Invalid", "spec.accessModes: Required value: at least 1 access mode is required");
}

pub async fn reviews(api: Api) {
    let review = json!({"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview", "spec": {"resourceAttributes": {"verb": "create", "resource": "pods", "namespace": api.namespace()}}});
    let answer = api.silent("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", JSON, Some(&review)).await.expect(201);
    assert_eq!(answer["status"]["allowed"], true);
    let rules = json!({"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectRulesReview", "spec": {"namespace": api.namespace()}});
    let answer = api.silent("POST", "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews", JSON, Some(&rules)).await.expect(201);
    let mut rules = answer["status"]["resourceRules"].as_array().into_iter().flatten();
    assert!(rules.any(|rule| rule["verbs"] == json!(["*"])), "{answer}");
    let who = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"});
    let answer = api.silent("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", JSON, Some(&who)).await.expect(201);
    assert!(answer["status"]["userInfo"]["username"].is_string());
}
