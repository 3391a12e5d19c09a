//! What a user sees of the command line: help, exit codes, wrong inputs, validate's outputs.

#![allow(clippy::unwrap_used)]

mod check;
mod experiment;
mod help;
mod hostile;
mod live;
mod others;
mod plan;
mod validate;

use std::fs;
use std::path::Path;

use assert_cmd::Command;
use tempfile::TempDir;

const CLUSTER: &str = "\
apiVersion: berth.dev/v1alpha1
kind: Cluster
metadata: {name: demo}
spec:
  namespace: berth
  maxSlotsPerPod: 8
  images: {cpu: registry.example.com/base:1, gpu: registry.example.com/cuda:12}
";
const QUEUE: &str = "\
apiVersion: berth.dev/v1alpha1
kind: Queue
metadata: {name: vision}
spec: {cluster: demo, namespace: vision, quota: 64}
";
const EXPERIMENT: &str = "\
apiVersion: berth.dev/v1alpha1
kind: Experiment
metadata: {name: resnet50}
spec:
  queue: vision
  entrypoint: [python, train.py]
  resources: {slotsPerTrial: 16}
";

/// What a run of `berth` gave.
struct Run {
    code: Option<i32>,
    out: String,
    err: String,
}

fn berth_in(dir: &Path, arguments: &[&str]) -> Run {
    berth_with(dir, arguments, &[("COLUMNS", "80")])
}

fn berth_with(dir: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> Run {
    let mut command = Command::cargo_bin("berth").unwrap();
    command.current_dir(dir).args(arguments);
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("BERTH_")) {
        command.env_remove(name);
    }
    command
        .env_remove("COLUMNS")
        .envs(environment.iter().copied());
    let output = command.output().unwrap();
    Run {
        code: output.status.code(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

fn berth(arguments: &[&str]) -> Run {
    berth_in(&std::env::temp_dir(), arguments)
}

/// A state repository's folder with one experiment, changed by `change`.
fn folder(change: impl Fn(&str) -> String) -> TempDir {
    let root = tempfile::tempdir().unwrap();
    for (path, text) in [("c.yaml", CLUSTER), ("q.yaml", QUEUE)] {
        fs::write(root.path().join(path), text).unwrap();
    }
    fs::create_dir(root.path().join("experiments")).unwrap();
    fs::write(
        root.path().join("experiments/resnet50.yaml"),
        change(EXPERIMENT),
    )
    .unwrap();
    root
}

fn valid() -> TempDir {
    folder(ToOwned::to_owned)
}

/// Runs git in this folder.
fn git(dir: &Path, arguments: &[&str]) {
    git_says(dir, arguments);
}

/// As [`git`], and gives the line that it says.
fn git_says(dir: &Path, arguments: &[&str]) -> String {
    let mut command = std::process::Command::new("git");
    command
        .current_dir(dir)
        .args(["-c", "user.name=A", "-c", "user.email=a@example.com"]);
    let done = command.args(arguments).output().unwrap();
    assert!(done.status.success(), "{arguments:?}: {done:?}");
    String::from_utf8(done.stdout).unwrap().trim().to_owned()
}
