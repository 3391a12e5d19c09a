//! What kubectl sends.

use serde_json::{Value, json};

use super::{config, fields_of};
use crate::conformance::Api;
use crate::conformance::api::{MERGE, STRATEGIC, TABLE};

const JSON: &str = "application/json";

/// `kubectl apply`: the form that was applied last is kept in an annotation.
pub async fn apply(api: Api) {
    let manager = "fieldManager=kubectl-client-side-apply&fieldValidation=Strict";
    let service = |ports: Value, kept: &str| json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {"name": "one", "annotations": {"kubectl.kubernetes.io/last-applied-configuration": kept}},
        "spec": {"clusterIP": "None", "selector": {"a": "b"}, "ports": ports},
    });
    let made = api.post(&format!("services?{manager}"), &service(json!([{"name": "x", "port": 1}, {"name": "y", "port": 2}]), "1")).await.expect(201);
    assert_eq!(fields_of(&made, "kubectl-client-side-apply")["f:spec"]["f:selector"], json!({}));
    let patch = json!({
        "metadata": {"annotations": {"kubectl.kubernetes.io/last-applied-configuration": "2"}},
        "spec": {
            "$setElementOrder/ports": [{"port": 3}, {"port": 2}],
            "ports": [{"name": "z", "port": 3}, {"$patch": "delete", "port": 1}],
        },
    });
    let patched = api.patch(&format!("services/one?{manager}"), STRATEGIC, &patch).await.expect(200);
    let ports = patched["spec"]["ports"].as_array().into_iter().flatten();
    let ports: Vec<&Value> = ports.map(|port| &port["name"]).collect();
    assert_eq!(ports, ["z", "y"]);
    let again = api.patch(&format!("services/one?{manager}"), STRATEGIC, &json!({})).await.expect(200);
    assert_eq!(again["metadata"]["resourceVersion"], patched["metadata"]["resourceVersion"]);
}

/// `kubectl edit`, `label` and `annotate` in turn own what they set.
pub async fn managers(api: Api) {
    api.post("configmaps?fieldManager=kubectl-create", &config("one")).await.expect(201);
    let label = json!({"metadata": {"labels": {"a": "b"}}});
    let labelled = api.patch("configmaps/one?fieldManager=kubectl-label", MERGE, &label).await.expect(200);
    assert_eq!(fields_of(&labelled, "kubectl-label"), &json!({"f:metadata": {"f:labels": {".": {}, "f:a": {}}}}));
    let edit = json!({"data": {"a": "2", "b": "1"}});
    let edited = api.patch("configmaps/one?fieldManager=kubectl-edit", STRATEGIC, &edit).await.expect(200);
    assert_eq!(fields_of(&edited, "kubectl-edit"), &json!({"f:data": {"f:a": {}, "f:b": {}}}));
    assert_eq!(fields_of(&edited, "kubectl-create"), &json!({"f:data": {}}));
    let mut replaced = edited.clone();
    replaced["data"] = json!({"c": "1"});
    let replaced = api.put("configmaps/one?fieldManager=kubectl-replace", &replaced).await.expect(200);
    assert_eq!(fields_of(&replaced, "kubectl-replace"), &json!({"f:data": {"f:c": {}}}));
    assert_eq!(fields_of(&replaced, "kubectl-edit"), &Value::Null);
}

/// `kubectl get -w` and `wait`: a list, and a watch of one name from its version on.
pub async fn waits(api: Api) {
    api.post("configmaps", &config("one")).await.expect(201);
    let named = "configmaps?fieldSelector=metadata.name%3Done";
    let list = api.silent("GET", named, JSON, None).await.expect(200);
    let from = list["metadata"]["resourceVersion"].as_str().unwrap_or_default();
    let mut watch = api.watch_as(&format!("{named}&resourceVersion={from}&timeoutSeconds=20"), TABLE).await;
    api.post("configmaps", &config("two")).await.expect(201);
    api.patch("configmaps/one", MERGE, &json!({"data": {"b": "2"}})).await.expect(200);
    let row = watch.expect("MODIFIED").await["rows"][0].take();
    assert_eq!(row["cells"][1], 2, "{row}");
    api.delete("configmaps/one", &json!({"propagationPolicy": "Background"})).await.expect(200);
    assert_eq!(watch.expect("DELETED").await["rows"][0]["cells"][0], "one");
}

/// `kubectl describe` asks for the events of one object.
pub async fn describes(api: Api) {
    for (name, about) in [("a", "x"), ("b", "y"), ("c", "x")] {
        let event = json!({
            "metadata": {"name": name}, "involvedObject": {"kind": "Pod", "name": about, "namespace": api.namespace(), "uid": "u"},
            "reason": "Tested", "message": "tested", "type": "Warning", "source": {"component": "conformance", "host": "h"}, "count": 3,
        });
        api.post("events", &event).await.expect(201);
    }
    let selector = format!("involvedObject.kind%3DPod,involvedObject.uid%3Du,involvedObject.name%3Dx,involvedObject.namespace%3D{}", api.namespace());
    let list = api.silent("GET", &format!("events?limit=500&fieldSelector={selector}"), JSON, None).await.expect(200);
    assert_eq!(list["items"].as_array().map(Vec::len), Some(2));
    let table = api.silent("GET", "events/a", TABLE, None).await.expect(200);
    let cells = &table["rows"][0]["cells"];
    assert_eq!((&cells[1], &cells[2], &cells[3]), (&"Warning".into(), &"Tested".into(), &"pod/x".into()), "{cells}");
    assert_eq!((&cells[5], &cells[6], &cells[8]), (&"conformance, h".into(), &"tested".into(), &3.into()), "{cells}");
}
