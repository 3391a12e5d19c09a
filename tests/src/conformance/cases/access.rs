//! Accounts, roles, bindings and classes.

use serde_json::{Value, json};

use crate::conformance::Api;
use crate::conformance::api::MERGE;

const RBAC: &str = "rbac.authorization.k8s.io/v1";

fn role(verbs: &[&str]) -> Value {
    json!({"metadata": {"name": "reader"}, "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": verbs}]})
}

fn binding(role: &str) -> Value {
    json!({
        "metadata": {"name": "readers"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": role},
        "subjects": [{"kind": "ServiceAccount", "name": "one", "namespace": "default"}],
    })
}

pub async fn accounts(api: Api) {
    let account = json!({"metadata": {"name": "one"}, "imagePullSecrets": [{"name": "registry"}]});
    let made = api.post("serviceaccounts", &account).await.expect(201);
    assert_eq!(made["imagePullSecrets"], json!([{"name": "registry"}]));
    api.patch("serviceaccounts/one", MERGE, &json!({"automountServiceAccountToken": false})).await.expect(200);
    let gone = api.delete("serviceaccounts/one", &Value::Null).await.expect(200);
    assert_eq!(gone["kind"], "ServiceAccount", "it is shown as it goes");
    api.get("serviceaccounts/one").await.refused(404, "NotFound", "serviceaccounts \"one\" not found");
}

pub async fn roles(api: Api) {
    let roles = format!("{RBAC}/roles");
    api.post(&roles, &role(&["get"])).await.expect(201);
    let changed = api.put(&format!("{roles}/reader"), &role(&["get", "list"])).await.expect(200);
    assert_eq!(changed["rules"][0]["verbs"], json!(["get", "list"]));
    // A replacement of a role that is not there makes it.
    let mut other = role(&["get"]);
    other["metadata"]["name"] = "system:made".into();
    api.put(&format!("{roles}/system:made"), &other).await.expect(201);
    let bindings = format!("{RBAC}/rolebindings");
    api.post(&bindings, &binding("reader")).await.expect(201);
    api.put(&format!("{bindings}/readers"), &binding("other")).await.refused_with(422, "Invalid", "roleRef: Invalid value");
    api.patch(&format!("{bindings}/readers"), MERGE, &json!({"subjects": null})).await.expect(200);
    let gone = api.delete(&format!("{bindings}/readers"), &Value::Null).await.expect(200);
    assert_eq!(gone["status"], "Success");
    api.silent("DELETE", &roles, "application/json", None).await.expect(200);
    let left = api.get(&roles).await.expect(200);
    assert_eq!(left["items"], json!([]));
}

/// Whoever shows a token that nobody issued is told no more than that.
pub async fn strangers(api: Api) {
    for (method, resource) in [
        ("GET", "pods"),
        ("GET", "pods?watch=true"),
        ("GET", "/version"),
        ("GET", "/api/v1/namespaces/kube-system"),
        ("GET", "/apis/none.example.com/v1/things"),
        ("DELETE", "configmaps/none"),
    ] {
        api.as_stranger(method, resource, None).await.refused(401, "Unauthorized", "Unauthorized");
    }
    let account = json!({"metadata": {"name": "one"}});
    api.as_stranger("POST", "serviceaccounts", Some(&account)).await.refused(401, "Unauthorized", "Unauthorized");
    api.get("serviceaccounts/one").await.refused(404, "NotFound", "serviceaccounts \"one\" not found");
}

pub async fn classes(api: Api) {
    let path = "/apis/scheduling.k8s.io/v1/priorityclasses";
    let class = json!({"metadata": {"name": "conformance-low"}, "value": -10, "description": "for the night"});
    let made = api.post(path, &class).await.expect(201);
    assert_eq!((&made["preemptionPolicy"], &made["metadata"]["generation"]), (&"PreemptLowerPriority".into(), &1.into()));
    let one = format!("{path}/conformance-low");
    api.patch(&one, MERGE, &json!({"value": 5})).await.refused_with(422, "Invalid", "value: Forbidden: may not be changed in an update.");
    api.patch(&one, MERGE, &json!({"preemptionPolicy": "Never"})).await.refused_with(422, "Invalid", "preemptionPolicy: Invalid value: \"Never\": field is immutable");
    api.patch(&one, MERGE, &json!({"description": "for the day"})).await.expect(200);
    api.delete(&one, &Value::Null).await.expect(200);
    api.get(&one).await.expect(404);
}
