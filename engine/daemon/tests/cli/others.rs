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

/// Whoever names a commit is not answered about what lies in the folder.
#[test]
fn a_commit_is_not_ignored_where_no_repository_is_named() {
    let root = valid();
    for (verb, folder) in [
        ("validate", &["."][..]),
        ("plan", &["--dir", "."]),
        ("check", &["--dir", "."]),
    ] {
        let run = berth_in(root.path(), &[verb, "--ref", "nosuch"]);
        assert_eq!(run.code, Some(3), "{verb}: {}{}", run.out, run.err);
        let both = [&[verb, "--ref", "nosuch"], folder].concat();
        let both = berth_in(root.path(), &both);
        assert_eq!(both.code, Some(2), "{verb}: {}", both.err);
        assert!(both.err.contains("`nosuch` is a commit") && both.err.contains("help:"));
    }
}

#[test]
fn the_demo_keeps_out_of_a_folder_that_is_used() {
    let root = valid();
    fs::create_dir(root.path().join("mine")).unwrap();
    fs::write(root.path().join("mine/work"), "of somebody").unwrap();
    let run = berth_in(root.path(), &["demo", "--keep=mine"]);
    assert_eq!(run.code, Some(2), "{}", run.err);
    assert!(run.err.contains("not an empty folder") && run.err.contains("--keep=DIR"));
    assert_eq!(fs::read_dir(root.path().join("mine")).unwrap().count(), 1);
}
