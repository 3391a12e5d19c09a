//! `berth schema`, `run` and `sandbox`: what is wrong with their arguments.

use std::fs;

use super::{berth, berth_in, valid};

#[test]
fn schemas_are_printed_by_kind() {
    for kind in ["Experiment", "PodDefaults", "pod-defaults"] {
        let run = berth(&["schema", kind]);
        let schema: serde_json::Value = serde_json::from_str(&run.out).unwrap();
        assert!(
            schema["$schema"].as_str().unwrap().contains("2020-12"),
            "{kind}"
        );
    }
    let run = berth(&["schema", "Pod"]);
    assert_eq!(run.code, Some(2));
    assert!(run.err.contains("Experiment"), "{}", run.err);
}

#[test]
fn the_daemon_says_what_is_missing() {
    let root = valid();
    let run = berth_in(root.path(), &["run", "--cluster", "demo"]);
    assert_eq!(run.code, Some(2));
    assert!(run.err.contains("--repo"), "{}", run.err);
    let arguments = [
        "run",
        "--repo",
        ".",
        "--cluster",
        "demo",
        "--kubeconfig",
        "nowhere",
    ];
    let run = berth_in(root.path(), &arguments);
    assert_eq!(run.code, Some(3));
    assert!(
        run.err.contains("nowhere") && run.err.contains("help:"),
        "{}",
        run.err
    );
    let run = berth_in(
        root.path(),
        &["run", "--repo", ".", "--cluster", "Not_A_Name"],
    );
    assert_eq!(run.code, Some(2));
}

#[test]
fn a_wrong_nodes_file_is_told() {
    let root = tempfile::tempdir().unwrap();
    fs::write(root.path().join("nodes.yaml"), "- {count: 2, gpu: 8}\n").unwrap();
    let run = berth_in(root.path(), &["sandbox", "--nodes-file", "nodes.yaml"]);
    assert_eq!(run.code, Some(2));
    assert!(run.err.contains("gpu"), "{}", run.err);
}
