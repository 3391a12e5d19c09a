//! `berth plan` without a cluster.

use std::fs;

use super::{CLUSTER, berth_in, valid};

#[test]
fn a_plan_names_each_object_with_reason_and_line_and_sets_the_exit_code() {
    let root = valid();
    let run = berth_in(root.path(), &["plan", "--offline", "-o", "json"]);
    assert_eq!(run.code, Some(0), "{}", run.err);
    let plan: serde_json::Value = serde_json::from_str(&run.out).unwrap();
    let changes = plan["changes"].as_array().unwrap();
    let pods = changes
        .iter()
        .filter(|it| it["object"].as_str().unwrap().starts_with("Pod vision/"));
    assert_eq!(pods.count(), 2);
    for change in changes {
        assert_eq!(change["action"], "create");
        assert!(
            change["place"]
                .as_str()
                .unwrap()
                .starts_with("experiments/resnet50.yaml:")
        );
        assert!(!change["why"].as_str().unwrap().is_empty());
    }
    let run = berth_in(
        root.path(),
        &["plan", "--offline", "--exit-code", "-o", "markdown"],
    );
    assert_eq!(run.code, Some(1));
    assert!(
        run.out.contains("| + | `Pod vision/resnet50-"),
        "{}",
        run.out
    );
}

#[test]
fn a_plan_without_a_valid_cluster_says_what_to_mend() {
    let root = valid();
    let broken = CLUSTER.replace("maxSlotsPerPod: 8", "maxSlotsPerPod: 0");
    fs::write(root.path().join("c.yaml"), broken).unwrap();
    let run = berth_in(root.path(), &["plan", "--offline"]);
    assert_eq!(run.code, Some(1));
    for words in [
        "B0207",
        "error: Cluster/demo is not valid, and no earlier form of it was ever applied",
        "help: mend c.yaml as said above",
    ] {
        assert!(run.err.contains(words), "no {words:?} in\n{}", run.err);
    }
}
