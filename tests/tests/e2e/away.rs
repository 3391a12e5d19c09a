//! Git is away. Takes a minute, as the daemon waits that long for Git; so it comes first.

use std::time::{Duration, SystemTime};

use berth_tests::e2e::{On, Stage};

async fn an_outcome_outlives_its_pod_while_git_is_away(on: On) {
    let mut stage = Stage::usual(on).await;
    stage.patience = Duration::from_mins(3);
    stage.add("bert", 1, "1s", &[]);
    stage.state("bert", "Running").await;
    // A lock that does not grow old: nothing can be written to the branch.
    let lock = stage
        .repository
        .root()
        .join(".git/refs/heads/berth/status/lab.lock");
    let later = SystemTime::now() + Duration::from_hours(1);
    std::fs::File::create(&lock)
        .unwrap()
        .set_modified(later)
        .unwrap();
    stage
        .until("its pod has ended", |scene| {
            scene.of("bert")[0].phase == "Succeeded"
        })
        .await;
    let pod = stage.scene.of("bert")[0].name.clone();
    stage.cluster.delete(&stage.pod_path(&pod));
    let spill = |stage: &Stage| {
        stage
            .cluster
            .object("configmaps", &stage.names().own(), "berth-lab.spill")
    };
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

on_both! {
    an_outcome_outlives_its_pod_while_git_is_away,
}
