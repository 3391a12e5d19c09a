//! Git is away. Takes a minute, as the daemon waits that long for Git; so it comes first.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use berth_tests::e2e::{On, Stage};
use serde_json::Value;

/// Git is away: a lock that does not grow old, so that nothing can be written to the branch.
fn lock(stage: &Stage) -> PathBuf {
    let lock = ".git/refs/heads/berth/status/lab.lock";
    let lock = stage.repository.root().join(lock);
    let later = SystemTime::now() + Duration::from_hours(1);
    let file = std::fs::File::create(&lock).unwrap();
    file.set_modified(later).unwrap();
    lock
}

/// What is kept in the cluster meanwhile.
fn spill(stage: &Stage) -> Option<Arc<Value>> {
    let own = stage.names().own();
    stage.cluster.object("configmaps", &own, "berth-lab.spill")
}

async fn an_outcome_outlives_its_pod_while_git_is_away(on: On) {
    let mut stage = Stage::usual(on).await;
    stage.patience = Duration::from_mins(3);
    stage.add("bert", 1, "1s", &[]);
    stage.state("bert", "Running").await;
    let lock = lock(&stage);
    stage
        .until("its pod has ended", |scene| {
            scene.of("bert")[0].phase == "Succeeded"
        })
        .await;
    let pod = stage.scene.of("bert")[0].name.clone();
    stage.cluster.delete(&stage.pod_path(&pod));
    stage
        .wait(
            "the outcome is kept in the cluster, the pod is let go",
            |stage| {
                let gone = stage.scene.of("bert")[0].gone;
                (gone && spill(stage).is_some()).then_some(())
            },
        )
        .await;
    // Whoever comes next finds it there.
    stage.kill().await;
    stage.start();
    std::fs::remove_file(&lock).unwrap();
    stage.state("bert", "Completed").await;
    stage
        .wait("the cluster keeps nothing any more", |stage| {
            spill(stage).is_none().then_some(())
        })
        .await;
    assert_eq!(stage.scene.of("bert").len(), 1, "{}", stage.describe());
    assert_eq!(stage.scene.status.attempts("bert"), [(1, "completed")]);
    stage.check();
}

/// A node goes for good while Git is away: the pod garbage collector takes its pods.
async fn what_the_garbage_collector_takes_meanwhile_is_an_interruption(on: On) {
    let mut stage = Stage::usual(on).await;
    stage.patience = Duration::from_mins(4);
    stage.add("bert", 1, "10m", &[]);
    stage.state("bert", "Running").await;
    let lock = lock(&stage);
    let node = stage.scene.running("bert")[0].node.clone();
    stage.cluster.delete(&format!("/api/v1/nodes/{node}"));
    stage
        .wait(
            "the outcome is kept in the cluster, and the next attempt runs",
            |stage| {
                let first = stage.scene.attempt("bert", 1);
                let next = stage.scene.running("bert");
                let goes_on = first[0].gone && next.len() == 1 && next[0].attempt == 2;
                (goes_on && spill(stage).is_some()).then_some(())
            },
        )
        .await;
    let collected = &stage.scene.attempt("bert", 1)[0].object["status"]["conditions"];
    let reason = |condition: &Value| condition["reason"] == "DeletionByPodGC";
    let collected = collected.as_array().into_iter().flatten().any(reason);
    assert!(collected, "{}", stage.describe());
    stage.kill().await;
    stage.start();
    std::fs::remove_file(&lock).unwrap();
    stage.interrupted_once("bert").await;
    stage.check();
}

on_both! {
    what_the_garbage_collector_takes_meanwhile_is_an_interruption,
    an_outcome_outlives_its_pod_while_git_is_away,
}
