//! The name server of the node, which the ranks of a gang find each other by.

use std::time::{Duration, Instant};

use berth_tests::node::{IMAGE, PODS};
use serde_json::json;

use crate::play::Play;

const SERVICES: &str = "/api/v1/namespaces/default/services";
/// Between two questions.
const PAUSE: Duration = Duration::from_millis(100);

/// As Berth makes the Service of an attempt. Another one, which does not say so, tells the two
/// apart.
pub async fn a_name_is_known_before_its_pod_is_ready(play: &mut Play) {
    for (name, early) in [("peers", true), ("strict", false)] {
        let service = json!({"metadata": {"name": name}, "spec": {
            "clusterIP": "None",
            "publishNotReadyAddresses": early,
            "selector": {"app": "late"},
        }});
        play.stage.cluster.post(SERVICES, &service);
    }
    let never = json!({"exec": {"command": ["false"]}});
    let pod = json!({"metadata": {"name": "late", "labels": {"app": "late"}}, "spec": {
        "hostname": "rank-0",
        "subdomain": "peers",
        "terminationGracePeriodSeconds": 0,
        "containers": [
            {"name": "a", "image": IMAGE, "imagePullPolicy": "Never", "readinessProbe": never},
        ],
    }});
    play.stage.cluster.post(PODS, &pod);
    let end = Instant::now() + play.stage.patience;
    let found = loop {
        let found = play.node.resolve("rank-0.peers.default.svc.cluster.local");
        if !found.is_empty() || Instant::now() > end {
            break found;
        }
        tokio::time::sleep(PAUSE).await;
    };
    let path = format!("{PODS}/late");
    let pod = play.stage.cluster.read(&path);
    assert_eq!(found, [pod["status"]["podIP"].as_str().unwrap()], "{pod}");
    assert_eq!(pod["status"]["containerStatuses"][0]["ready"], false);
    let strict = play.node.resolve("strict.default.svc.cluster.local");
    assert!(strict.is_empty(), "{strict:?}");
    play.stage.cluster.delete(&path);
    for name in ["peers", "strict"] {
        play.stage.cluster.delete(&format!("{SERVICES}/{name}"));
    }
}
