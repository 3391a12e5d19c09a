//! Everything that the sandbox serves, as discovery says it: no kind may be there that only looks like
//! one.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::conformance::Api;
use crate::conformance::api::{JSON_PATCH, MERGE, STRATEGIC, TABLE};

/// The collections of what can be made: those of a namespace without its path.
const ALL: [(&str, &str); 19] = [
    ("configmaps", "ConfigMap"),
    ("events", "Event"),
    ("/api/v1/namespaces", "Namespace"),
    ("/api/v1/nodes", "Node"),
    ("persistentvolumeclaims", "PersistentVolumeClaim"),
    ("pods", "Pod"),
    ("resourcequotas", "ResourceQuota"),
    ("secrets", "Secret"),
    ("serviceaccounts", "ServiceAccount"),
    ("services", "Service"),
    ("events.k8s.io/v1/events", "Event"),
    ("/apis/scheduling.k8s.io/v1/priorityclasses", "PriorityClass"),
    ("coordination.k8s.io/v1/leases", "Lease"),
    ("rbac.authorization.k8s.io/v1/roles", "Role"),
    ("rbac.authorization.k8s.io/v1/rolebindings", "RoleBinding"),
    ("/apis/rbac.authorization.k8s.io/v1/clusterroles", "ClusterRole"),
    ("/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", "ClusterRoleBinding"),
    ("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", "CustomResourceDefinition"),
    ("policy/v1/poddisruptionbudgets", "PodDisruptionBudget"),
];

/// Each kind refuses unknown fields, has its columns, and knows what is not there.
pub async fn all(api: Api) {
    for (path, kind) in ALL {
        let full = api.path(path);
        let version = match full.split('/').collect::<Vec<_>>()[..] {
            ["", "api", version, ..] => version.to_owned(),
            ["", "apis", group, version, ..] => format!("{group}/{version}"),
            _ => panic!("{full}"),
        };
        let strange = json!({"apiVersion": version, "kind": kind, "metadata": {"name": "none", "strange": 1}, "strange": 1});
        let strict = format!("{path}?fieldValidation=Strict");
        api.post(&strict, &strange).await.refused_with(400, "BadRequest", "unknown field \"metadata.strange\", unknown field \"strange\"");
        let nothing = format!("{path}?fieldSelector=metadata.name%3Dnone");
        let list = api.get(&nothing).await.expect(200);
        assert_eq!((&list["kind"], &list["items"]), (&format!("{kind}List").into(), &json!([])));
        let table = api.table(&nothing).await.expect(200);
        assert_eq!(table["kind"], "Table");
        let one = format!("{path}/none");
        api.get(&one).await.expect(404);
        api.patch(&one, MERGE, &json!({"metadata": {"labels": {"a": "b"}}})).await.expect(404);
        api.delete(&one, &Value::Null).await.expect(404);
    }
}

/// Discovery names each of them, and the sandbox's nothing else.
pub async fn discovered(api: Api) {
    const JSON: &str = "application/json";
    let version = api.silent("GET", "/version", JSON, None).await.expect(200);
    let groups = api.silent("GET", "/apis", JSON, None).await.expect(200);
    let groups = groups["groups"].as_array().into_iter().flatten();
    let mut paths = vec!["/api/v1".to_owned()];
    for group in groups {
        // Definitions of other cases come and go.
        let name = group["name"].as_str().unwrap_or_default();
        if name.ends_with("k8s.io") || !name.contains('.') {
            paths.push(format!("/apis/{name}/v1"));
        }
    }
    let mut found = BTreeSet::new();
    for path in paths {
        let list = api.silent("GET", &path, JSON, None).await;
        let resources = list.body["resources"].as_array().into_iter().flatten();
        for resource in resources {
            let verbs = resource["verbs"].as_array().into_iter().flatten();
            let name = resource["name"].as_str().unwrap_or_default();
            if !name.contains('/') && verbs.into_iter().any(|verb| verb == "list") {
                found.insert(format!("{path}/{name}"));
            }
        }
    }
    let known = ALL.iter().map(|(path, _)| {
        let parts: Vec<&str> = path.split('/').collect();
        match parts[..] {
            [name] => format!("/api/v1/{name}"),
            [group, version, name] => format!("/apis/{group}/{version}/{name}"),
            _ => (*path).to_owned(),
        }
    });
    let known: BTreeSet<String> = known.collect();
    let missing: Vec<&String> = known.difference(&found).collect();
    assert!(missing.is_empty(), "{missing:?}");
    let sandbox = version["gitVersion"].as_str().is_some_and(|version| version.contains("sandbox"));
    let strange: Vec<&String> = found.difference(&known).collect();
    assert!(!sandbox || strange.is_empty(), "no case tries {strange:?}");
}

/// A kind and what is tried of it.
struct Kind {
    /// The collection.
    path: &'static str,
    /// A valid one.
    object: Value,
    /// A merge patch that is accepted.
    change: Value,
    /// Merge patches that make it invalid, with a part of the words.
    refused: Vec<(Value, &'static str)>,
}

async fn try_all(api: Api, kind: Kind) {
    let name = kind.object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
    let (path, one) = (kind.path, format!("{}/{name}", kind.path));
    let mut strange = kind.object.clone();
    strange["strange"] = json!(1);
    strange["metadata"]["strange"] = json!(1);
    let strict = format!("{path}?fieldValidation=Strict");
    api.post(&strict, &strange).await.refused_with(400, "BadRequest", "unknown field \"metadata.strange\", unknown field \"strange\"");
    api.post(&strict, &kind.object).await.expect(201);
    api.post(path, &kind.object).await.expect(409);
    api.get(&one).await.expect(200);
    let list = api.get(&format!("{path}?fieldSelector=metadata.name%3D{name}")).await.expect(200);
    assert_eq!(list["items"].as_array().map(Vec::len), Some(1), "{list}");
    api.table(&one).await.expect(200);
    let table = api.silent("GET", path, TABLE, None).await.expect(200);
    assert!(table["rows"].as_array().is_some_and(|rows| !rows.is_empty()), "{table}");
    let strict = format!("{one}?fieldValidation=Strict");
    let answer = api.patch(&strict, STRATEGIC, &json!({"strange": 1})).await;
    answer.refused_with(422, "Invalid", "unknown field \"strange\"");
    api.patch(&one, MERGE, &kind.change).await.expect(200);
    let labels = json!([{"op": "add", "path": "/metadata/labels", "value": {"a": "b"}}]);
    api.patch(&one, JSON_PATCH, &labels).await.expect(200);
    for (patch, words) in &kind.refused {
        api.patch(&one, MERGE, patch).await.refused_with(422, "Invalid", words);
        let mut invalid = kind.object.clone();
        merge(&mut invalid, patch);
        invalid["metadata"]["name"] = format!("{name}-not").into();
        api.post(path, &invalid).await;
    }
    let mut applied = kind.object.clone();
    applied["metadata"]["labels"] = json!({"c": "d"});
    let applied = api.apply(&format!("{one}?fieldManager=m&force=true"), &applied).await.expect(200);
    assert_eq!(applied["metadata"]["labels"], json!({"a": "b", "c": "d"}));
    api.delete(&one, &Value::Null).await.expect(200);
    api.until_gone(&one).await;
}

/// As a merge patch does, but for lists of objects.
fn merge(into: &mut Value, patch: &Value) {
    match patch {
        Value::Object(fields) => {
            if !into.is_object() {
                *into = json!({});
            }
            for (key, value) in fields {
                merge(&mut into[key], value);
            }
        }
        other => *into = other.clone(),
    }
}

pub async fn accounts(api: Api) {
    let object = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "one"}});
    let kind = Kind {
        path: "serviceaccounts",
        object,
        change: json!({"automountServiceAccountToken": false}),
        refused: Vec::new(),
    };
    try_all(api, kind).await;
}

pub async fn roles(api: Api) {
    let object = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "one"},
        "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}],
    });
    let kind = Kind {
        path: "rbac.authorization.k8s.io/v1/roles",
        object,
        change: json!({"rules": [{"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["*"]}]}),
        refused: vec![
            (json!({"rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": []}]}), "rules[0].verbs: Required value"),
            (json!({"rules": [{"resources": ["pods"], "verbs": ["get"]}]}), "rules[0].apiGroups: Required value"),
            (json!({"rules": [{"apiGroups": [""], "verbs": ["get"]}]}), "rules[0].resources: Required value"),
            (json!({"rules": [{"nonResourceURLs": ["/healthz"], "verbs": ["get"]}]}), "rules[0].nonResourceURLs: Invalid value"),
        ],
    };
    try_all(api, kind).await;
}

pub async fn clusterroles(api: Api) {
    let object = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "conformance-role"},
        "rules": [{"nonResourceURLs": ["/healthz"], "verbs": ["get"]}],
    });
    let both = json!({"rules": [{"nonResourceURLs": ["/healthz"], "apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]});
    let kind = Kind {
        path: "/apis/rbac.authorization.k8s.io/v1/clusterroles",
        object,
        change: json!({"rules": [{"apiGroups": [""], "resources": ["nodes"], "resourceNames": ["n"], "verbs": ["get"]}]}),
        refused: vec![(both, "rules[0].nonResourceURLs: Invalid value")],
    };
    try_all(api, kind).await;
}

fn role_ref(kind: &str, name: &str) -> Value {
    json!({"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name})
}

/// Subjects that no binding may have.
fn nobodies() -> Vec<(Value, &'static str)> {
    let one = |subject: Value| json!({"subjects": [subject]});
    vec![
        (one(json!({"kind": "Robot", "name": "r"})), "subjects[0].kind: Unsupported value: \"Robot\""),
        (one(json!({"kind": "User", "name": ""})), "subjects[0].name: Required value"),
        (one(json!({"kind": "User", "name": "u", "apiGroup": "example.com"})), "subjects[0].apiGroup: Unsupported value"),
        (one(json!({"kind": "ServiceAccount", "name": "s", "namespace": "n", "apiGroup": "example.com"})), "subjects[0].apiGroup: Unsupported value"),
    ]
}

pub async fn rolebindings(api: Api) {
    let object = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": "one"},
        "roleRef": role_ref("Role", "reader"), "subjects": [{"kind": "ServiceAccount", "name": "one"}],
    });
    let kind = Kind {
        path: "rbac.authorization.k8s.io/v1/rolebindings",
        object,
        change: json!({"subjects": [{"kind": "Group", "name": "people"}]}),
        refused: [nobodies(), vec![(json!({"roleRef": role_ref("Role", "other")}), "cannot change roleRef")]].concat(),
    };
    try_all(api, kind).await;
}

pub async fn clusterrolebindings(api: Api) {
    let object = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": "conformance-binding"},
        "roleRef": role_ref("ClusterRole", "view"), "subjects": [{"kind": "ServiceAccount", "name": "one", "namespace": "default"}],
    });
    let homeless = json!({"subjects": [{"kind": "ServiceAccount", "name": "one"}]});
    let more = vec![
        (json!({"roleRef": role_ref("ClusterRole", "edit")}), "cannot change roleRef"),
        (json!({"roleRef": role_ref("Role", "view")}), "roleRef.kind: Unsupported value: \"Role\""),
        (homeless, "subjects[0].namespace: Required value"),
    ];
    let kind = Kind {
        path: "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
        object,
        change: json!({"subjects": [{"kind": "User", "name": "somebody"}]}),
        refused: [nobodies(), more].concat(),
    };
    try_all(api, kind).await;
}

/// What allows how many evictions is worked out by a controller, whenever it likes.
pub async fn budgets(api: Api) {
    const JSON: &str = "application/json";
    let path = "policy/v1/poddisruptionbudgets";
    let one = format!("{path}/one");
    let object = json!({"metadata": {"name": "one"}, "spec": {"minAvailable": 1, "selector": {"matchLabels": {"a": "b"}}}});
    api.silent("POST", &format!("{path}?fieldValidation=Strict"), JSON, Some(&object)).await.expect(201);
    let rows = api.silent("GET", &one, TABLE, None).await.expect(200);
    assert_eq!(rows["rows"][0]["cells"][1], "1");
    let patch = json!({"spec": {"minAvailable": "50%"}});
    let changed = api.silent("PATCH", &one, MERGE, Some(&patch)).await.expect(200);
    assert_eq!((&changed["spec"]["minAvailable"], &changed["metadata"]["generation"]), (&"50%".into(), &2.into()));
    let both = json!({"spec": {"maxUnavailable": 1}});
    api.silent("PATCH", &one, MERGE, Some(&both)).await.refused_with(422, "Invalid", "minAvailable and maxUnavailable cannot be both set");
    let negative = json!({"spec": {"minAvailable": -1}});
    api.silent("PATCH", &one, MERGE, Some(&negative)).await.refused_with(422, "Invalid", "spec.minAvailable: Invalid value: -1: must be greater than or equal to 0");
    let half = json!({"spec": {"minAvailable": "half"}});
    api.silent("PATCH", &one, MERGE, Some(&half)).await.refused_with(422, "Invalid", "spec.minAvailable: Invalid value: \"half\": a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')");
    api.silent("DELETE", &one, JSON, None).await.expect(200);
    api.until_gone(&one).await;
}

/// What both servers serve is documented by both.
pub async fn index(api: Api) {
    let index = api.silent("GET", "/openapi/v3", "application/json", None).await.expect(200);
    for group in [
        "api/v1", "apis/apiextensions.k8s.io/v1", "apis/authentication.k8s.io/v1", "apis/authorization.k8s.io/v1",
        "apis/coordination.k8s.io/v1", "apis/events.k8s.io/v1", "apis/policy/v1",
        "apis/rbac.authorization.k8s.io/v1", "apis/scheduling.k8s.io/v1",
    ] {
        let url = index["paths"][group]["serverRelativeURL"].as_str();
        // The real server adds a hash of the document.
        let url = url.unwrap_or_else(|| panic!("no {group}: {index}"));
        assert_eq!(url.split('?').next(), Some(&*format!("/openapi/v3/{group}")));
        api.silent("GET", url, "application/json", None).await.expect(200);
    }
}

/// A document has what a client needs of it: the type of each field, and that the server checks fields.
pub async fn document(api: Api) {
    let document = api.silent("GET", "/openapi/v3/apis/coordination.k8s.io/v1", "application/json", None).await.expect(200);
    assert!(document["openapi"].as_str().is_some_and(|version| version.starts_with("3.")), "{}", document["openapi"]);
    let patch = &document["paths"]["/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases/{name}"]["patch"];
    assert_eq!(patch["x-kubernetes-group-version-kind"], json!({"group": "coordination.k8s.io", "version": "v1", "kind": "Lease"}));
    assert_eq!(patch["x-kubernetes-action"], "patch");
    let parameters = patch["parameters"].as_array().into_iter().flatten();
    let names: Vec<&str> = parameters.filter_map(|one| one["name"].as_str()).collect();
    for wanted in ["dryRun", "fieldManager", "fieldValidation", "force"] {
        assert!(names.contains(&wanted), "{names:?}");
    }
    let schemas = &document["components"]["schemas"];
    let lease = &schemas["io.k8s.api.coordination.v1.Lease"];
    assert_eq!(lease["type"], "object");
    assert_eq!(lease["x-kubernetes-group-version-kind"], json!([{"group": "coordination.k8s.io", "version": "v1", "kind": "Lease"}]));
    let spec = &schemas["io.k8s.api.coordination.v1.LeaseSpec"]["properties"];
    assert_eq!((&spec["leaseDurationSeconds"]["type"], &spec["leaseDurationSeconds"]["format"]), (&json!("integer"), &json!("int32")));
    assert_eq!(spec["holderIdentity"]["type"], "string");
    let fields = |properties: &Value| {
        let names = properties.as_object().into_iter().flatten();
        let mut names: Vec<String> = names.map(|(name, _)| name.clone()).collect();
        names.sort();
        names
    };
    assert_eq!(fields(spec), [
        "acquireTime", "holderIdentity", "leaseDurationSeconds", "leaseTransitions", "preferredHolder", "renewTime", "strategy",
    ]);
    api.silent("GET", "/openapi/v3/apis/nowhere.example.com/v1", "application/json", None).await.expect(404);
}
