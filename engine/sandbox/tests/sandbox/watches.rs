//! Watches.

use serde_json::json;

use crate::{Cluster, PODS, pod};

#[test]
fn a_watch_tells_what_happens_after_its_revision() {
    let mut cluster = Cluster::new();
    cluster.post(PODS, &pod("a"));
    let from = cluster.server.revision();
    let watch = cluster.watch(&format!("{PODS}?watch=1&resourceVersion={from}"));
    assert!(cluster.heard(watch).is_empty());
    cluster.post(PODS, &pod("b"));
    cluster.patch(
        &format!("{PODS}/a"),
        "merge-patch+json",
        &json!({"metadata": {"labels": {"x": "1"}}}),
    );
    cluster.post("/api/v1/namespaces/kube-system/pods", &pod("elsewhere"));
    cluster.delete(&format!("{PODS}/b"));
    assert_eq!(cluster.heard(watch), ["ADDED b", "MODIFIED a", "DELETED b"]);
    assert!(cluster.heard(watch).is_empty());
    let behind = cluster.watch(&format!("{PODS}?watch=1&resourceVersion={from}"));
    assert_eq!(cluster.heard(behind).len(), 3);
}

#[test]
fn a_selector_makes_additions_and_removals_of_changes() {
    let mut cluster = Cluster::new();
    cluster.post(PODS, &pod("a"));
    let from = cluster.server.revision();
    let watch = cluster.watch(&format!(
        "{PODS}?watch=1&resourceVersion={from}&labelSelector=x=1"
    ));
    for value in ["1", "1", "2"] {
        let labels = json!({"metadata": {"labels": {"x": value}, "annotations": {"n": "n"}}});
        cluster.patch(&format!("{PODS}/a"), "merge-patch+json", &labels);
    }
    cluster.delete(&format!("{PODS}/a"));
    assert_eq!(cluster.heard(watch), ["ADDED a", "DELETED a"]);
}

#[test]
fn a_streaming_list_ends_with_a_bookmark() {
    let mut cluster = Cluster::new();
    cluster.post(PODS, &pod("a"));
    let query =
        "watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true";
    let watch = cluster.watch(&format!("{PODS}?{query}"));
    assert_eq!(cluster.heard(watch), ["ADDED a", "BOOKMARK "]);
    cluster.post(PODS, &pod("b"));
    assert_eq!(cluster.heard(watch), ["ADDED b"]);
    cluster.now += 60_000;
    assert_eq!(cluster.heard(watch), ["BOOKMARK "]);
}

#[test]
fn a_watch_behind_the_log_is_told_to_list_again() {
    let mut cluster = Cluster::new();
    let from = cluster.server.revision();
    cluster.post(PODS, &pod("a"));
    cluster.server.compact();
    let watch = cluster.watch(&format!("{PODS}?watch=1&resourceVersion={from}"));
    assert_eq!(cluster.heard(watch), ["ERROR Expired"]);
    assert_eq!(cluster.heard(watch), ["CLOSED"]);
}

#[test]
fn a_watch_ends_when_its_time_is_up() {
    let mut cluster = Cluster::new();
    let watch = cluster.watch(&format!("{PODS}?watch=1&timeoutSeconds=5"));
    assert!(cluster.heard(watch).is_empty());
    cluster.now += 5000;
    assert_eq!(cluster.heard(watch), ["CLOSED"]);
}
