//! `berth reanchor`: what was lost is given up, and nothing runs again by mistake.

use std::process::Output;

use berth_tests::e2e::{BRANCH, Flags, On, Stage, command};
use serde_json::json;

use super::commands::berth;

/// `berth reanchor`, as a person runs it beside whatever runs.
async fn reanchor(stage: &Stage, more: &[&str]) -> Output {
    let flags = stage.flags();
    let mut reanchor = command();
    reanchor
        .args(["reanchor", "--cluster", "lab", "--ref", "main"])
        .args(["--repo", &flags.repository, "--kubeconfig"])
        .arg(&flags.kubeconfig)
        .args(more);
    tokio::process::Command::from(reanchor)
        .output()
        .await
        .unwrap()
}

/// The ledger of the very beginning: of no experiment is anything known.
fn lose_the_ledger(stage: &Stage) {
    let commits = stage.repository.log(BRANCH);
    let reference = format!("refs/heads/{BRANCH}");
    let earliest = &commits.last().unwrap().0;
    stage.repository.git(&["update-ref", &reference, earliest]);
}

/// Its last pod goes, as if somebody had taken it away by hand.
fn take_away(stage: &Stage, name: &str) {
    let pod = &stage.scene.of(name)[0].name;
    let path = stage.pod_path(pod);
    let released = json!({"metadata": {"finalizers": null}});
    stage.cluster.patch(&path, &released);
    stage.cluster.delete(&path);
}

async fn after_a_reanchor_what_cannot_be_proven_is_held(on: On) {
    let mut stage = Stage::usual(on).await;
    stage.add("done", 1, "20ms", &[]);
    stage.add("bert", 8, "10m", &[]);
    stage.state("done", "Completed").await;
    stage.state("bert", "Running").await;
    stage.stop().await;
    stage.look();
    take_away(&stage, "bert");
    lose_the_ledger(&stage);
    // The daemon stops every write, and leaves the Lease to whoever mends it.
    stage.start();
    stage.said(&["not ready", "berth reanchor"]).await;
    let unsure = reanchor(&stage, &[]).await;
    assert_eq!(unsure.status.code(), Some(2));
    let sure = reanchor(&stage, &["--yes"]).await;
    let said = String::from_utf8_lossy(&sure.stderr);
    assert!(sure.status.success(), "{said}\n{}", stage.describe());
    // It goes on by itself.
    stage.state("bert", "Held").await;
    let message = stage.scene.status.message("bert");
    assert!(message.contains("raise `run`"), "{message}");
    assert_eq!(stage.scene.of("bert").len(), 1, "{}", stage.describe());
    stage.edit("bert", "  state: active", "  run: 2\n  state: active");
    stage
        .until("the raised run runs", |scene| {
            scene.running("bert").len() == 1
        })
        .await;
    assert_eq!(stage.scene.of("done").len(), 1, "{}", stage.describe());
    stage.check();
}

async fn what_has_ended_does_not_run_again_after_a_reanchor(on: On) {
    let mut stage = Stage::usual(on).await;
    // Its last pod, which is kept, tells of one failure: that there were more is lost.
    stage.add("failed", 1, "20ms", &[("exit", "1")]);
    stage.add("gone", 1, "20ms", &[]);
    stage.add("paused", 8, "10m", &[]);
    stage.add("broken", 1, "20ms", &[]);
    stage.state("failed", "Failed").await;
    assert_eq!(stage.scene.status.restarts("failed"), 3);
    stage.state("gone", "Completed").await;
    stage.state("broken", "Completed").await;
    stage.state("paused", "Running").await;
    stage.edit("paused", "state: active", "state: paused");
    stage
        .until("its pod is gone", |scene| scene.alive("paused").is_empty())
        .await;
    stage.state("paused", "Paused").await;
    stage.stop().await;
    // One document cannot be read while the reanchor looks.
    stage.edit("broken", "  resources", "  resuorces");
    stage.look();
    take_away(&stage, "gone");
    take_away(&stage, "broken");
    assert!(!stage.scene.of("failed").last().unwrap().gone, "it is kept");
    let pods = stage.scene.pods.len();
    lose_the_ledger(&stage);
    let sure = reanchor(&stage, &["--yes"]).await;
    let said = String::from_utf8_lossy(&sure.stderr);
    assert!(sure.status.success(), "{said}");
    stage.start();
    stage.edit("paused", "state: paused", "state: active");
    stage.edit("broken", "  resuorces", "  resources");
    for name in ["failed", "gone", "paused", "broken"] {
        stage.state(name, "Held").await;
    }
    // Whatever comes next does: nothing waits for anything.
    stage.add("next", 1, "20ms", &[]);
    stage.state("next", "Completed").await;
    assert_eq!(stage.scene.pods.len(), pods + 1, "{}", stage.describe());
    stage.check();
}

async fn beside_a_daemon_that_works_it_says_which(on: On) {
    let mut stage = Stage::usual(on).await;
    stage.add("one", 1, "20ms", &[]);
    stage.state("one", "Completed").await;
    let refused = reanchor(&stage, &["--yes"]).await;
    assert_eq!(refused.status.code(), Some(3));
    let said = String::from_utf8_lossy(&refused.stderr);
    for words in [
        "the Lease is held by `first-",
        "since 20",
        "renewed at 20",
        "SIGTERM",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    stage.add("two", 1, "20ms", &[]);
    stage.state("two", "Completed").await;
    stage.check();
}

/// The Cluster and its queues get another name, and nothing else changes.
fn rename(stage: &Stage, from: &str, to: &str) {
    let repository = &stage.repository;
    let (cluster, queue) = ("clusters/lab.yaml", "queues/vision.yaml");
    repository.replace(cluster, &format!("name: {from}"), &format!("name: {to}"));
    repository.replace(
        queue,
        &format!("cluster: {from}"),
        &format!("cluster: {to}"),
    );
    repository.commit("Rename the cluster");
}

async fn a_cluster_that_is_renamed_runs_nothing_once_more(on: On) {
    let mut stage = Stage::usual(on).await;
    stage.add("done", 1, "20ms", &[]);
    stage.add("long", 8, "10m", &[]);
    stage.state("done", "Completed").await;
    stage.state("long", "Running").await;
    stage.stop().await;
    rename(&stage, "lab", "other");
    let kubeconfig = stage.flags().kubeconfig.display().to_string();
    let root = stage.repository.root().display().to_string();
    let other = ["--repo", &root, "--cluster", "other", "--kubeconfig"];
    let plan = [&["plan"], &other[..], &[&*kubeconfig]].concat();
    let words = "as `lab`: under another name";
    berth(plan).await.must(1, &[words]);
    let renamed = Flags {
        cluster: "other".to_owned(),
        ..stage.flags()
    };
    stage.start_with(&renamed);
    stage
        .said(&["not ready", "as `lab`: under another name"])
        .await;
    stage.stop().await;
    rename(&stage, "other", "lab");
    stage.start();
    stage.add("next", 1, "20ms", &[]);
    stage.state("next", "Completed").await;
    assert_eq!(stage.scene.pods.len(), 3, "{}", stage.describe());
    stage.check();
}

on_both! {
    a_cluster_that_is_renamed_runs_nothing_once_more,
    after_a_reanchor_what_cannot_be_proven_is_held,
    what_has_ended_does_not_run_again_after_a_reanchor,
    beside_a_daemon_that_works_it_says_which,
}
