use serde_json::Value;

use crate::conformance::Api;

const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";

/// What Berth uses; the sandbox need not serve more.
const USED: &[(&str, &[&str])] = &[
    ("/api/v1", &["configmaps", "namespaces", "nodes", "pods", "pods/eviction", "pods/binding", "pods/status", "secrets", "services", "events", "persistentvolumeclaims", "resourcequotas"]),
    ("/apis/coordination.k8s.io/v1", &["leases"]),
    ("/apis/scheduling.k8s.io/v1", &["priorityclasses"]),
    ("/apis/events.k8s.io/v1", &["events"]),
    ("/apis/rbac.authorization.k8s.io/v1", &["clusterroles", "roles", "rolebindings"]),
    ("/apis/apiextensions.k8s.io/v1", &["customresourcedefinitions", "customresourcedefinitions/status"]),
    ("/apis/policy/v1", &["poddisruptionbudgets"]),
];

pub async fn versions(api: Api) {
    let body = api.silent("GET", "/version", "application/json", None).await.expect(200);
    let version = body["gitVersion"].as_str().unwrap_or_default();
    assert!(version.starts_with(berth_openapi::facts().version()), "{body}");
    assert_eq!((&body["major"], &body["minor"]), (&"1".into(), &"36".into()), "{body}");
    let api_versions = api.silent("GET", "/api", "application/json", None).await.expect(200);
    assert_eq!(api_versions["versions"][0], "v1");
    let groups = api.silent("GET", "/apis", "application/json", None).await.expect(200);
    assert_eq!(groups["kind"], "APIGroupList");
    api.get("/apis/coordination.k8s.io").await.expect(200);
}

fn named<'a>(list: &'a Value, key: &str, name: &str) -> &'a Value {
    let items = list.as_array().into_iter().flatten();
    items.into_iter().find(|item| item[key] == name).unwrap_or(&Value::Null)
}

/// Each resource that Berth uses says the same of itself.
pub async fn resources(api: Api) {
    for (path, wanted) in USED {
        let list = api.silent("GET", path, "application/json", None).await.expect(200);
        assert_eq!(list["kind"], "APIResourceList");
        for resource in *wanted {
            let found = named(&list["resources"], "name", resource);
            let group = path.trim_start_matches("/api/v1").trim_start_matches("/apis/");
            let group = group.split('/').next().unwrap_or_default();
            let name = resource.split('/').next().unwrap_or_default();
            let fact = berth_openapi::facts().resource(group, "v1", name);
            let fact = fact.unwrap_or_else(|| panic!("no fact of {path} {resource}"));
            assert_eq!(found["namespaced"], fact.namespaced, "{path} {resource}: {found}");
            if !resource.contains('/') {
                assert_eq!(found["kind"], fact.kind.as_str());
                assert_eq!(found["singularName"], fact.singular.as_str());
                assert_eq!(found["verbs"], serde_json::json!(fact.verbs), "{resource}");
            }
        }
    }
}

pub async fn aggregated(api: Api) {
    let core = api.silent("GET", "/api", AGGREGATED, None).await.expect(200);
    assert_eq!(core["kind"], "APIGroupDiscoveryList");
    let pods = named(&core["items"][0]["versions"][0]["resources"], "resource", "pods");
    assert_eq!(pods["responseKind"]["kind"], "Pod");
    assert_eq!(pods["scope"], "Namespaced");
    assert_eq!(pods["shortNames"], serde_json::json!(["po"]));
    let groups = api.silent("GET", "/apis", AGGREGATED, None).await.expect(200);
    let names = groups["items"].as_array().into_iter().flatten();
    let names: Vec<&str> = names.filter_map(|group| group["metadata"]["name"].as_str()).collect();
    for group in ["coordination.k8s.io", "policy", "apiextensions.k8s.io"] {
        assert!(names.contains(&group), "{names:?}");
    }
}

pub async fn unknown_paths(api: Api) {
    let words = "the server could not find the requested resource";
    for path in ["/apis/nowhere.example.com/v1", "/api/v1/nothings", "/apis/nowhere.example.com/v1/things", "/apis/apps/v9/deployments"] {
        let answer = api.silent("GET", path, "application/json", None).await;
        assert_eq!(answer.status, 404, "{path}: {}", answer.body);
        // The real server answers in plain text; clients put these words for it.
        let text = answer.body.as_str().unwrap_or("404 page not found");
        assert!(text.contains("404 page not found") || text.contains(words), "{path}: {text}");
    }
    api.send("POST", "configmaps/name", "application/json", Some(&super::config("name"))).await.refused(
        405, "MethodNotAllowed", "the server does not allow this method on the requested resource");
    api.send("PUT", "configmaps", "application/json", Some(&super::config("name"))).await.refused(
        405, "MethodNotAllowed", "the server does not allow this method on the requested resource");
}
