//! How objects go.

use berth_sandbox::{Options, Request};
use serde_json::{Value, json};

use crate::{CONFIG_MAPS, Cluster, PODS, config_map, pod, scripted};

fn delete_with(cluster: &mut Cluster, path: &str, options: &Value) -> Value {
    cluster
        .send(&Request::new("DELETE", path).with("application/json", options))
        .value()
}

#[test]
fn preconditions_hold_a_deletion() {
    let mut cluster = Cluster::new();
    let made = cluster.post(CONFIG_MAPS, &config_map("c"));
    let path = format!("{CONFIG_MAPS}/c");
    for wrong in [json!({"uid": "other"}), json!({"resourceVersion": "1"})] {
        let refused = delete_with(&mut cluster, &path, &json!({"preconditions": wrong}));
        assert_eq!(
            (&refused["code"], &refused["reason"]),
            (&json!(409), &json!("Conflict"))
        );
    }
    let right = json!({"uid": made["metadata"]["uid"], "resourceVersion": made["metadata"]["resourceVersion"]});
    let gone = delete_with(&mut cluster, &path, &json!({"preconditions": right}));
    assert_eq!(gone["status"], "Success");
    assert_eq!(cluster.delete(&path)["code"], 404);
}

#[test]
fn a_finalizer_holds_an_object() {
    let mut cluster = Cluster::new();
    let mut held = config_map("c");
    held["metadata"]["finalizers"] = json!(["berth.dev/outcome"]);
    cluster.post(CONFIG_MAPS, &held);
    let path = format!("{CONFIG_MAPS}/c");
    assert!(cluster.delete(&path)["metadata"]["deletionTimestamp"].is_string());
    let more = json!({"metadata": {"finalizers": ["berth.dev/outcome", "late"]}});
    assert_eq!(cluster.patch(&path, "merge-patch+json", &more)["code"], 422);
    cluster.patch(
        &path,
        "merge-patch+json",
        &json!({"metadata": {"finalizers": null}}),
    );
    assert_eq!(cluster.get(&path)["code"], 404);
}

#[test]
fn a_running_pod_goes_when_its_program_ended_and_its_finalizers_are_off() {
    let mut cluster = Cluster::new();
    let mut held = scripted("a", &[("on-term", "exit=0,after=1s")]);
    held["metadata"]["finalizers"] = json!(["berth.dev/outcome"]);
    cluster.post(PODS, &held);
    cluster.pass(1000);
    assert_eq!(cluster.pod("a")["status"]["phase"], "Running");
    let asked = cluster.delete(&format!("{PODS}/a"));
    assert_eq!(asked["metadata"]["deletionGracePeriodSeconds"], 30);
    cluster.pass(900);
    assert_eq!(cluster.pod("a")["status"]["phase"], "Running");
    cluster.pass(200);
    let ended = cluster.pod("a");
    assert_eq!(
        (
            &ended["status"]["phase"],
            &ended["metadata"]["deletionGracePeriodSeconds"]
        ),
        (&json!("Succeeded"), &json!(0))
    );
    assert_eq!(
        ended["status"]["containerStatuses"][0]["state"]["terminated"]["exitCode"],
        0
    );
    cluster.patch(
        &format!("{PODS}/a"),
        "merge-patch+json",
        &json!({"metadata": {"finalizers": null}}),
    );
    assert_eq!(cluster.pod("a")["code"], 404);
}

#[test]
fn a_program_that_hangs_is_killed_after_the_grace() {
    let mut cluster = Cluster::new();
    let mut held = scripted("a", &[("on-term", "hang")]);
    held["metadata"]["finalizers"] = json!(["berth.dev/outcome"]);
    cluster.post(PODS, &held);
    cluster.pass(1000);
    cluster.delete(&format!("{PODS}/a?gracePeriodSeconds=5"));
    cluster.pass(4900);
    assert_eq!(cluster.pod("a")["status"]["phase"], "Running");
    cluster.pass(200);
    assert_eq!(
        cluster.pod("a")["status"]["containerStatuses"][0]["state"]["terminated"]["exitCode"],
        137
    );
}

#[test]
fn an_eviction_says_so_before_it_deletes() {
    let mut cluster = Cluster::new();
    cluster.post(PODS, &pod("a"));
    cluster.pass(1000);
    let eviction =
        json!({"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "a"}});
    assert_eq!(
        cluster.post(&format!("{PODS}/a/eviction"), &eviction)["status"],
        "Success"
    );
    let evicted = cluster.pod("a");
    let conditions = evicted["status"]["conditions"].as_array().unwrap();
    let reason = conditions
        .iter()
        .find(|condition| condition["type"] == "DisruptionTarget")
        .unwrap();
    assert_eq!(reason["reason"], "EvictionByEvictionAPI");
    assert!(evicted["metadata"]["deletionTimestamp"].is_string());
    cluster.pass(100);
    assert_eq!(cluster.pod("a")["code"], 404);
}

#[test]
fn a_namespace_takes_its_content_with_it() {
    let mut cluster = Cluster::new();
    cluster.post("/api/v1/namespaces", &json!({"metadata": {"name": "x"}}));
    let mut held = config_map("c");
    held["metadata"]["finalizers"] = json!(["f/f"]);
    cluster.post("/api/v1/namespaces/x/configmaps", &held);
    cluster.post("/api/v1/namespaces/x/pods", &pod("a"));
    cluster.delete("/api/v1/namespaces/x");
    let refused = cluster.post("/api/v1/namespaces/x/pods", &pod("b"));
    let message = "pods \"b\" is forbidden: unable to create new content in namespace x because it is being terminated";
    assert_eq!(
        (&refused["code"], &refused["message"]),
        (&json!(403), &json!(message))
    );
    cluster.pass(1000);
    assert_eq!(
        cluster.get("/api/v1/namespaces/x")["status"]["phase"],
        "Terminating"
    );
    assert_eq!(cluster.get("/api/v1/namespaces/x/pods")["items"], json!([]));
    cluster.patch(
        "/api/v1/namespaces/x/configmaps/c",
        "merge-patch+json",
        &json!({"metadata": {"finalizers": null}}),
    );
    cluster.pass(0);
    assert_eq!(cluster.get("/api/v1/namespaces/x")["code"], 404);
}

fn owned(name: &str, owner: &Value) -> Value {
    let mut object = config_map(name);
    object["metadata"]["ownerReferences"] = json!([{
        "apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner["metadata"]["uid"],
    }]);
    object
}

#[test]
fn what_is_owned_goes_with_its_owner_unless_orphaned() {
    for (policy, stays) in [
        ("Background", false),
        ("Foreground", false),
        ("Orphan", true),
    ] {
        let mut cluster = Cluster::new();
        let owner = cluster.post(CONFIG_MAPS, &config_map("owner"));
        cluster.post(CONFIG_MAPS, &owned("c", &owner));
        cluster.delete(&format!("{CONFIG_MAPS}/owner?propagationPolicy={policy}"));
        cluster.pass(0);
        assert_eq!(
            cluster.get(&format!("{CONFIG_MAPS}/owner"))["code"],
            404,
            "{policy}"
        );
        assert_eq!(
            cluster.get(&format!("{CONFIG_MAPS}/c"))["code"].is_null(),
            stays,
            "{policy}"
        );
    }
}

#[test]
fn finished_pods_above_the_threshold_are_collected() {
    let mut cluster = Cluster::with(Options {
        terminal_pods: Some(1),
        ..Options::default()
    });
    for name in ["a", "b"] {
        cluster.post(PODS, &scripted(name, &[("run", "100ms")]));
        cluster.pass(1000);
    }
    assert_eq!(cluster.pod("a")["code"], 404);
    assert_eq!(cluster.pod("b")["status"]["phase"], "Succeeded");
}

#[test]
fn many_are_deleted_at_once() {
    let mut cluster = Cluster::new();
    for name in ["a", "b"] {
        let mut map = config_map(name);
        map["metadata"]["labels"] = json!({"is": name});
        cluster.post(CONFIG_MAPS, &map);
    }
    cluster.delete(&format!("{CONFIG_MAPS}?labelSelector=is=a"));
    assert_eq!(
        cluster.get(CONFIG_MAPS)["items"][0]["metadata"]["name"],
        "b"
    );
}
