//! Reading and writing.

use berth_sandbox::{Denial, Options, Request};
use serde_json::{Value, json};

use crate::{CONFIG_MAPS, Cluster, PODS, config_map, gpu_pod, pod};

#[test]
fn a_new_pod_has_the_defaults_of_the_real_server() {
    let mut cluster = Cluster::new();
    let made = cluster.post(PODS, &gpu_pod("a", 8));
    let spec = &made["spec"];
    assert_eq!(
        made["status"],
        json!({"phase": "Pending", "qosClass": "BestEffort"})
    );
    assert_eq!(made["metadata"]["generation"], 1);
    assert_eq!(spec["terminationGracePeriodSeconds"], 30);
    assert_eq!(
        (&spec["dnsPolicy"], &spec["serviceAccount"]),
        (&json!("ClusterFirst"), &json!("default"))
    );
    assert_eq!(spec["tolerations"].as_array().unwrap().len(), 2);
    assert_eq!(spec["containers"][0]["imagePullPolicy"], "IfNotPresent");
    assert_eq!(
        spec["containers"][0]["resources"]["requests"],
        json!({"nvidia.com/gpu": "8"})
    );
    assert!(made["metadata"]["managedFields"].is_array());
}

/// Code, reason and message of an answer.
fn words(answer: &Value) -> (u64, &str, &str) {
    let text = |field: &str| answer[field].as_str().unwrap_or_default();
    (
        answer["code"].as_u64().unwrap_or_default(),
        text("reason"),
        text("message"),
    )
}

#[test]
fn refusals_in_the_words_of_the_real_server() {
    let mut cluster = Cluster::new();
    cluster.post(PODS, &pod("a"));
    let again = cluster.post(PODS, &pod("a"));
    assert_eq!(
        words(&again),
        (409, "AlreadyExists", "pods \"a\" already exists")
    );
    assert_eq!(again["details"], json!({"name": "a", "kind": "pods"}));
    let missing = cluster.get(&format!("{PODS}/b"));
    assert_eq!(words(&missing), (404, "NotFound", "pods \"b\" not found"));
    let nowhere = cluster.post("/api/v1/namespaces/x/pods", &pod("a"));
    assert_eq!(
        words(&nowhere),
        (404, "NotFound", "namespaces \"x\" not found")
    );
    let lease = cluster.get("/apis/coordination.k8s.io/v1/namespaces/default/leases/l");
    assert_eq!(
        words(&lease).2,
        "leases.coordination.k8s.io \"l\" not found"
    );
    let other = cluster.get("/apis/apps/v1/deployments");
    assert_eq!(
        words(&other),
        (
            404,
            "NotFound",
            "the sandbox does not simulate deployments (apps/v1)"
        )
    );
    let nonsense = cluster.get("/apis/nonsense/v1/things");
    assert_eq!(words(&nonsense).0, 404);
    let mut wrong = pod("c");
    wrong["kind"] = "Node".into();
    let wrong = cluster.post(PODS, &wrong);
    assert_eq!(
        words(&wrong).2,
        "Node in version \"v1\" cannot be handled as a Pod: converting (v1.Node) to (core.Pod): unknown conversion"
    );
    let named = cluster.post(PODS, &pod("Upper"));
    assert_eq!(words(&named).0, 422);
    assert!(words(&named).2.starts_with(
        "Pod \"Upper\" is invalid: metadata.name: Invalid value: \"Upper\": a lowercase"
    ));
}

#[test]
fn unknown_fields_are_refused_warned_of_or_ignored() {
    let mut cluster = Cluster::new();
    let mut typo = pod("a");
    typo["spec"]["restrtPolicy"] = "Never".into();
    let strict = cluster.post(&format!("{PODS}?fieldValidation=Strict"), &typo);
    let message = "Pod in version \"v1\" cannot be handled as a Pod: strict decoding error: unknown field \"spec.restrtPolicy\"";
    assert_eq!(words(&strict), (400, "BadRequest", message));
    let warned = cluster.send(&Request::new("POST", PODS).with("application/json", &typo));
    assert_eq!(warned.status, 201);
    assert!(
        warned
            .headers
            .iter()
            .any(|(name, value)| name == "Warning" && value.contains("unknown field"))
    );
    assert!(warned.value()["spec"].get("restrtPolicy").is_none());
}

#[test]
fn little_of_a_pod_may_change() {
    let mut cluster = Cluster::new();
    let mut made = cluster.post(PODS, &pod("a"));
    made["spec"]["containers"][0]["image"] = "other:2".into();
    made["spec"]["tolerations"]
        .as_array_mut()
        .unwrap()
        .push(json!({"key": "x", "operator": "Exists"}));
    let mut changed = cluster.put(&format!("{PODS}/a"), &made);
    assert_eq!(changed["metadata"]["generation"], 2);
    changed["spec"]["restartPolicy"] = "Always".into();
    let refused = cluster.put(&format!("{PODS}/a"), &changed);
    assert_eq!(words(&refused).0, 422);
    assert!(words(&refused).2.starts_with("Pod \"a\" is invalid: spec: Forbidden: pod updates may not change fields other than `spec.containers[*].image`"));
    let gate = json!({"spec": {"schedulingGates": [{"name": "late"}]}});
    let refused = cluster.patch(&format!("{PODS}/a"), "merge-patch+json", &gate);
    assert!(
        words(&refused)
            .2
            .contains("spec.schedulingGates[0].name: Forbidden: only deletion is allowed, but found new scheduling gate 'late'")
    );
}

#[test]
fn writes_are_fenced_by_version_and_uid() {
    let mut cluster = Cluster::new();
    let made = cluster.post(CONFIG_MAPS, &config_map("c"));
    let path = format!("{CONFIG_MAPS}/c");
    let mut next = made.clone();
    next["data"]["a"] = "2".into();
    assert_eq!(cluster.put(&path, &next)["data"]["a"], "2");
    let stale = cluster.put(&path, &next);
    assert_eq!(words(&stale).0, 409);
    assert!(words(&stale).2.starts_with(
        "Operation cannot be fulfilled on configmaps \"c\": the object has been modified"
    ));
    let other = json!({"metadata": {"uid": "other"}});
    let other = cluster.patch(&path, "merge-patch+json", &other);
    assert!(words(&other).2.contains(
        "ConfigMap \"c\" is invalid: metadata.uid: Invalid value: \"other\": field is immutable"
    ));
    let before = cluster.server.revision();
    let now = cluster.get(&path);
    assert_eq!(
        cluster.put(&path, &now),
        now,
        "a write that changes nothing makes no revision"
    );
    assert_eq!(cluster.server.revision(), before);
}

#[test]
fn apply_makes_changes_and_conflicts() {
    let mut cluster = Cluster::new();
    let path = format!("{CONFIG_MAPS}/c?fieldManager=berth");
    let first = cluster
        .send(&Request::new("PATCH", &path).with("application/apply-patch+yaml", &config_map("c")));
    assert_eq!(first.status, 201);
    let again = cluster.patch(&path, "apply-patch+yaml", &config_map("c"));
    assert_eq!(again, first.value());
    cluster.patch(
        &format!("{CONFIG_MAPS}/c?fieldManager=hand"),
        "merge-patch+json",
        &json!({"data": {"a": "9"}}),
    );
    let conflict = cluster.patch(&path, "apply-patch+yaml", &config_map("c"));
    assert_eq!(words(&conflict).0, 409);
    assert!(
        words(&conflict)
            .2
            .contains("conflict with \"hand\" using v1: .data.a"),
        "{conflict}"
    );
    let forced = cluster.patch(
        &format!("{path}&force=true&dryRun=All"),
        "apply-patch+yaml",
        &config_map("c"),
    );
    assert_eq!(forced["data"]["a"], "1");
    assert_eq!(
        cluster.get(&format!("{CONFIG_MAPS}/c"))["data"]["a"],
        "9",
        "a dry run changes nothing"
    );
    let mut absent = config_map("d");
    absent["metadata"]["uid"] = "gone".into();
    let absent = cluster.patch(
        &format!("{CONFIG_MAPS}/d?fieldManager=berth"),
        "apply-patch+yaml",
        &absent,
    );
    assert!(words(&absent).2.contains(
        "uid mismatch: the provided object specified uid gone, and no existing object was found"
    ));
}

#[test]
fn patches_of_every_kind() {
    let mut cluster = Cluster::new();
    cluster.post(PODS, &pod("a"));
    let path = format!("{PODS}/a");
    let image = json!({"spec": {"containers": [{"name": "task", "image": "x:2"}]}});
    let patched = cluster.patch(&path, "strategic-merge-patch+json", &image);
    assert_eq!(patched["spec"]["containers"][0]["image"], "x:2");
    let label = json!([{"op": "add", "path": "/metadata/labels", "value": {"a": "b"}}]);
    assert_eq!(
        cluster.patch(&path, "json-patch+json", &label)["metadata"]["labels"],
        json!({"a": "b"})
    );
    let unlabel = json!({"metadata": {"labels": null}});
    assert!(
        cluster.patch(&path, "merge-patch+json", &unlabel)["metadata"]
            .get("labels")
            .is_none()
    );
    assert_eq!(words(&cluster.patch(&path, "nonsense", &json!({}))).0, 415);
}

#[test]
fn lists_are_cut_and_go_on_from_the_same_revision() {
    let mut cluster = Cluster::new();
    for name in ["a", "b", "c"] {
        cluster.post(PODS, &pod(name));
    }
    let names = |list: &Value| {
        let items = list["items"].as_array().unwrap().iter();
        items
            .map(|item| item["metadata"]["name"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let first = cluster.get(&format!("{PODS}?limit=2"));
    assert_eq!(
        (names(&first), &first["metadata"]["remainingItemCount"]),
        (vec!["a".into(), "b".into()], &json!(1))
    );
    cluster.delete(&format!("{PODS}/c"));
    let token = first["metadata"]["continue"].as_str().unwrap().to_owned();
    let second = cluster.get(&format!("{PODS}?limit=2&continue={token}"));
    assert_eq!(names(&second), ["c"]);
    assert_eq!(
        second["metadata"]["resourceVersion"],
        first["metadata"]["resourceVersion"]
    );
    cluster.server.compact();
    let late = cluster.get(&format!("{PODS}?limit=2&continue={token}"));
    assert_eq!(words(&late).0, 410);
    let selected = cluster.get(
        "/api/v1/pods?fieldSelector=metadata.name%3Db"
            .replace("%3D", "=")
            .as_str(),
    );
    assert_eq!(names(&selected), ["b"]);
    let unknown = cluster.get(&format!("{PODS}?fieldSelector=spec.foo=1"));
    assert!(
        words(&unknown)
            .2
            .ends_with("field label not supported: spec.foo")
    );
}

#[test]
fn quotas_refuse_what_is_too_much() {
    let mut cluster = Cluster::new();
    let quota = json!({
        "metadata": {"name": "q"}, "spec": {"hard": {"pods": "2", "requests.nvidia.com/gpu": "8"}},
    });
    cluster.post("/api/v1/namespaces/default/resourcequotas", &quota);
    cluster.post(PODS, &gpu_pod("a", 6));
    let over = cluster.post(PODS, &gpu_pod("b", 4));
    let message = "pods \"b\" is forbidden: exceeded quota: q, requested: requests.nvidia.com/gpu=4, \
                   used: requests.nvidia.com/gpu=6, limited: requests.nvidia.com/gpu=8";
    assert_eq!(words(&over), (403, "Forbidden", message));
    cluster.post(PODS, &pod("b"));
    let over = cluster.post(PODS, &pod("c"));
    assert!(
        words(&over)
            .2
            .ends_with("exceeded quota: q, requested: pods=1, used: pods=2, limited: pods=2")
    );
    cluster.pass(0);
    let quota = cluster.get("/api/v1/namespaces/default/resourcequotas/q");
    assert_eq!(
        quota["status"]["used"],
        json!({"pods": "2", "requests.nvidia.com/gpu": "6"})
    );
}

#[test]
fn what_is_denied_is_refused_as_rbac_does() {
    let denied = vec![Denial {
        verb: "create".into(),
        resource: "pods".into(),
        namespace: None,
    }];
    let mut cluster = Cluster::with(Options {
        denied,
        user: "berth".into(),
        ..Options::default()
    });
    let refused = cluster.post(PODS, &pod("a"));
    let message = "pods is forbidden: User \"berth\" cannot create resource \"pods\" in API group \"\" \
                   in the namespace \"default\"";
    assert_eq!(words(&refused), (403, "Forbidden", message));
    let review = json!({"spec": {"resourceAttributes": {"verb": "create", "resource": "pods", "namespace": "default"}}});
    let review = cluster.post(
        "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
        &review,
    );
    assert_eq!(review["status"]["allowed"], false);
}

#[test]
fn an_image_is_rewritten_at_creation() {
    let image_rewrite = Some(("registry.example.com/".into(), "mirror/".into()));
    let mut cluster = Cluster::with(Options {
        image_rewrite,
        ..Options::default()
    });
    let made = cluster.post(PODS, &pod("a"));
    assert_eq!(made["spec"]["containers"][0]["image"], "mirror/train:1");
}

#[test]
fn events_are_one_store_in_two_versions() {
    let mut cluster = Cluster::new();
    let event = json!({
        "metadata": {"name": "e", "namespace": "default"}, "regarding": {"kind": "Pod", "name": "a"}, "note": "hello",
        "reason": "Tested", "type": "Normal", "action": "Test", "eventTime": "2026-01-01T00:00:00.000000Z",
        "reportingController": "berth", "reportingInstance": "one",
    });
    let made = cluster.post("/apis/events.k8s.io/v1/namespaces/default/events", &event);
    assert_eq!(made["apiVersion"], "events.k8s.io/v1");
    let core = cluster.get("/api/v1/namespaces/default/events?fieldSelector=involvedObject.name=a");
    assert_eq!(core["items"][0]["message"], "hello");
    let one = cluster.get("/api/v1/namespaces/default/events/e");
    assert_eq!(one["apiVersion"], "v1");
}

const FOOS: &str = "/apis/example.com/v1/namespaces/default/foos";

#[test]
fn users_define_kinds() {
    let mut cluster = Cluster::new();
    let definition = json!({
        "metadata": {"name": "foos.example.com"},
        "spec": {
            "group": "example.com", "scope": "Namespaced", "names": {"plural": "foos", "kind": "Foo"},
            "versions": [{
                "name": "v1", "served": true, "storage": true, "subresources": {"status": {}},
                "schema": {"openAPIV3Schema": {"type": "object", "properties": {
                    "spec": {"type": "object", "properties": {"size": {"type": "integer", "default": 3}}},
                    "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
                }}},
            }],
        },
    });
    assert_eq!(words(&cluster.get(FOOS)).0, 404);
    let crds = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
    cluster.post(crds, &definition);
    let made = cluster.post(
        FOOS,
        &json!({"metadata": {"name": "f"}, "spec": {}, "status": {"no": 1}}),
    );
    assert_eq!(
        (&made["spec"]["size"], made.get("status")),
        (&json!(3), None)
    );
    let status = cluster.patch(
        &format!("{FOOS}/f/status"),
        "merge-patch+json",
        &json!({"status": {"yes": 1}, "spec": {"size": 9}}),
    );
    assert_eq!(
        (
            &status["spec"]["size"],
            &status["status"],
            &status["metadata"]["generation"]
        ),
        (&json!(3), &json!({"yes": 1}), &json!(1))
    );
    cluster.delete(&format!("{crds}/foos.example.com"));
    assert_eq!(words(&cluster.get(FOOS)).0, 404);
    cluster.post(crds, &definition);
    assert_eq!(
        cluster.get(FOOS)["items"],
        json!([]),
        "a definition takes its objects with it"
    );
}

#[test]
fn tables_and_metadata() {
    let mut cluster = Cluster::new();
    cluster.post(PODS, &pod("a"));
    let mut request = Request::new("GET", PODS);
    request.accept = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json".into();
    let table = cluster.send(&request).value();
    assert_eq!(table["kind"], "Table");
    assert_eq!(
        table["rows"][0]["cells"],
        json!([
            "a", "0/1", "Pending", "0", "0s", "<none>", "<none>", "<none>", "<none>"
        ])
    );
    request.accept = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io".into();
    let list = cluster.send(&request).value();
    assert_eq!(
        (&list["kind"], list["items"][0].get("spec")),
        (&json!("PartialObjectMetadataList"), None)
    );
}
