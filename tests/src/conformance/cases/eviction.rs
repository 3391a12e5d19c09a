//! Evictions and what a disruption budget says to them.

use serde_json::{Value, json};

use super::pod;
use crate::conformance::Api;

const JSON: &str = "application/json";

fn labelled(name: &str) -> Value {
    let mut pod = pod(name, &[]);
    pod["metadata"]["labels"] = json!({"app": "a"});
    pod["spec"]["terminationGracePeriodSeconds"] = json!(1);
    pod
}

fn eviction(name: &str) -> Value {
    json!({"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name}})
}

async fn running(api: &Api, name: &str) {
    api.silent("POST", "pods", JSON, Some(&labelled(name))).await.expect(201);
    api.until(&format!("pods/{name}"), |answer| answer.body["status"]["phase"] == "Running").await;
}

pub async fn budgets(api: Api) {
    running(&api, "one").await;
    running(&api, "two").await;
    let budget = json!({"metadata": {"name": "keep"}, "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "a"}}}});
    let path = format!("/apis/policy/v1/namespaces/{}/poddisruptionbudgets", api.namespace());
    let made = api.silent("POST", &path, JSON, Some(&budget)).await.expect(201);
    assert_eq!(made["metadata"]["generation"], 1);
    let allowed = |answer: &Value, count: u64| answer["status"]["disruptionsAllowed"] == count && answer["status"]["currentHealthy"] == count + 1;
    let counted = api.until(&format!("{path}/keep"), |answer| allowed(&answer.body, 1)).await;
    assert_eq!((&counted["status"]["desiredHealthy"], &counted["status"]["expectedPods"]), (&1.into(), &2.into()));
    api.post("pods/one/eviction", &eviction("one")).await.expect(201);
    api.until_gone("pods/one").await;
    api.until(&format!("{path}/keep"), |answer| allowed(&answer.body, 0)).await;
    let refused = api.post("pods/two/eviction", &eviction("two")).await;
    refused.refused(429, "TooManyRequests", "Cannot evict pod as it would violate the pod's disruption budget.");
    assert_eq!(refused.causes(), ["DisruptionBudget : The disruption budget keep needs 1 healthy pods and has 1 currently"]);
    api.silent("GET", "pods/two", JSON, None).await.expect(200);
    // A deletion asks no budget.
    api.silent("DELETE", "pods/two", JSON, None).await.expect(200);
    api.until_gone("pods/two").await;
}

pub async fn refusals(api: Api) {
    api.post("pods/none/eviction", &eviction("none")).await.refused(404, "NotFound", "pods \"none\" not found");
    api.silent("POST", "pods", JSON, Some(&labelled("one"))).await.expect(201);
    api.post("pods/one/eviction", &eviction("two")).await.refused(400, "BadRequest", "name in URL does not match name in Eviction object");
    let mut other = eviction("one");
    other["deleteOptions"] = json!({"preconditions": {"uid": "01234567-89ab-cdef-0123-456789abcdef"}});
    api.silent("POST", "pods/one/eviction", JSON, Some(&other)).await.refused_with(409, "Conflict", "the UID in the precondition (01234567-89ab-cdef-0123-456789abcdef) does not match the UID in record");
}
