//! Nodes that go away and come back.

use berth_tests::e2e::{On, Pod, Stage};
use serde_json::Value;

/// One running pod of 8 slots on a node that nobody hears from any more; and the node's name.
async fn lost(on: On, run: &str) -> (Stage, String) {
    let mut stage = Stage::usual(on).await;
    stage.add("stays", 8, "10m", &[]);
    stage.add("bert", 8, run, &[]);
    stage
        .until("bert runs", |scene| scene.running("bert").len() == 1)
        .await;
    let node = stage.scene.running("bert")[0].node.clone();
    stage.cluster.lose(&node);
    stage.state("stays", "Running").await;
    let silent = ["rank 0", &node, "does not answer or is not ready"];
    stage.message("bert", &silent).await;
    assert_eq!(stage.scene.status.state("bert"), "Running");
    (stage, node)
}

/// What must hold at the end beside: what is on other nodes was not touched.
fn check(stage: &mut Stage) {
    stage.check();
    assert_eq!(stage.scene.of("stays").len(), 1, "{}", stage.describe());
    assert_eq!(
        stage.scene.running("stays").len(),
        1,
        "{}",
        stage.describe()
    );
}

async fn what_ran_on_a_node_that_comes_back_is_not_run_again(on: On) {
    let (mut stage, node) = lost(on, "15s").await;
    // Others are put elsewhere, and a new daemon takes nothing for gone either.
    stage.add("next", 8, "20ms", &[]);
    stage.state("next", "Completed").await;
    assert_ne!(stage.scene.of("next")[0].node, node);
    stage.kill().await;
    stage.start();
    stage.add("after", 8, "20ms", &[]);
    stage.state("after", "Completed").await;
    assert_ne!(stage.scene.of("after")[0].node, node);
    assert_eq!(stage.scene.status.state("bert"), "Running");
    assert_eq!(stage.scene.status.attempts("bert"), [(1, "")]);
    stage.cluster.find(&node);
    stage.state("bert", "Completed").await;
    assert_eq!(stage.scene.status.attempts("bert"), [(1, "completed")]);
    assert_eq!(stage.scene.of("bert").len(), 1, "{}", stage.describe());
    // It is a node as any other again: with the one of `stays`, all four are needed.
    stage.add("wide", 24, "20ms", &[]);
    stage.state("wide", "Completed").await;
    let mut nodes = stage.scene.of("wide").into_iter().map(|pod| &pod.node);
    assert!(nodes.any(|used| *used == node), "{}", stage.describe());
    check(&mut stage);
}

async fn what_was_to_go_meanwhile_ends_before_the_next_attempt_begins(on: On) {
    let (mut stage, node) = lost(on, "10m").await;
    let pod = stage.scene.running("bert")[0].name.clone();
    stage.cluster.delete(&stage.pod_path(&pod));
    stage
        .message("bert", &["may still run", &node, "does not answer"])
        .await;
    assert_eq!(stage.scene.of("bert").len(), 1, "{}", stage.describe());
    stage.cluster.find(&node);
    stage
        .until("attempt 2 runs", |scene| {
            let running = scene.running("bert");
            running.len() == 1 && running[0].attempt == 2
        })
        .await;
    stage.interrupted_once("bert").await;
    let (first, second) = (
        stage.scene.attempt("bert", 1),
        stage.scene.attempt("bert", 2),
    );
    let (ended, made) = (
        ended(first[0]),
        &second[0].object["metadata"]["creationTimestamp"],
    );
    assert!(ended <= made.as_str().unwrap(), "{}", stage.describe());
    check(&mut stage);
}

/// When the task's container ended.
fn ended(pod: &Pod) -> &str {
    let state: &Value = &pod.object["status"]["containerStatuses"][0]["state"];
    state["terminated"]["finishedAt"].as_str().unwrap()
}

on_both! {
    what_ran_on_a_node_that_comes_back_is_not_run_again,
    what_was_to_go_meanwhile_ends_before_the_next_attempt_begins,
}
