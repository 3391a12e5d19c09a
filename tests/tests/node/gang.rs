//! Two pods that train together.

use serde_json::{Value, json};

use crate::play::Play;

/// The ranks find each other by name; one is killed, and the next attempt goes on from the
/// checkpoint. Daemon and kubelet are killed meanwhile, once while the program runs on and once
/// while it ends.
pub async fn a_gang_meets_trains_and_goes_on_from_its_checkpoint(play: &mut Play) {
    for step in [3, 5, 6] {
        play.put(&format!("mnist-{step}"));
    }
    play.train("mnist", 8, 8);
    play.at("mnist", 1, 3).await;
    what_a_program_gets(play);

    let rank = |play: &Play, attempt, rank| {
        let pods = play.stage.scene.attempt("mnist", attempt);
        let pod = pods.into_iter().find(|pod| pod.rank == rank);
        pod.unwrap().clone()
    };
    // The program may be quicker than the kubelet's word of it.
    let told = |object: &serde_json::Value| {
        object["status"]["containerStatuses"][0]["containerID"].is_string()
    };
    play.stage
        .until("the kubelet names the container of rank 1", |scene| {
            let pods = scene.attempt("mnist", 1);
            pods.iter().any(|pod| pod.rank == 1 && told(&pod.object))
        })
        .await;
    play.node.kill_container(&rank(play, 1, 1).object).unwrap();
    play.at("mnist", 2, 5).await;
    let ended = rank(play, 1, 1).object;
    let state = &ended["status"]["containerStatuses"][0]["state"];
    assert_eq!(state["terminated"]["exitCode"], 137, "{ended}");
    let stopped = rank(play, 1, 0).object;
    assert_eq!(stopped["status"]["phase"], "Succeeded", "{stopped}");
    for rank in [0, 1] {
        assert_eq!(play.note("mnist", 2, rank, "from"), "3");
        assert_eq!(play.note("mnist", 2, rank, "heard").lines().count(), 2);
    }

    play.kill_both().await;
    play.take("mnist-5");
    play.at("mnist", 2, 6).await;
    play.revive_both().await;
    play.stage.look();
    for pod in play.stage.scene.attempt("mnist", 2) {
        assert_eq!(pod.phase, "Running", "{}", play.stage.describe());
    }

    play.kill_both().await;
    play.take("mnist-6");
    play.at("mnist", 2, 8).await;
    play.revive_both().await;
    play.stage.state("mnist", "Completed").await;
    let status = &play.stage.scene.status;
    assert_eq!(status.attempts("mnist"), [(1, "failed"), (2, "completed")]);
    assert_eq!(
        (status.restarts("mnist"), status.runs("mnist").len()),
        (1, 1)
    );
    let reason = &status.trial("mnist")["attempts"][0]["end"]["reason"];
    let reason = reason.as_str().unwrap();
    assert!(reason.contains("rank 1 exited with 137"), "{reason}");
    assert_eq!(play.stage.scene.of("mnist").len(), 4);
    play.stage.check();
}

fn what_a_program_gets(play: &Play) {
    let pods = play.stage.scene.attempt("mnist", 1);
    assert_eq!(pods.len(), 2, "{}", play.stage.describe());
    let service = pods[0].object["spec"]["subdomain"].as_str().unwrap();
    let master = pods.iter().find(|pod| pod.rank == 0).unwrap();
    let master = master.object["status"]["podIP"].as_str().unwrap();
    for rank in [0, 1] {
        let note = |name: &str| play.note("mnist", 1, rank, name);
        assert_eq!(note("arguments"), "--lr 0.25");
        assert_eq!(note("place"), "/run/berth/work");
        assert_eq!(note("from"), "0");
        let shared: Vec<_> = note("shm")
            .split_whitespace()
            .map(ToOwned::to_owned)
            .collect();
        assert_eq!(shared[..2], ["tmpfs", "32768"], "KiB of /dev/shm");
        let file: Value = serde_json::from_str(&note("hyperparameters")).unwrap();
        assert_eq!(
            file,
            json!({"steps": 8, "optimizer": {"learningRate": 0.25}})
        );
        let run = &pods[0].run;
        let variables = note("environment");
        for variable in [
            format!("PET_NODE_RANK={rank}"),
            format!("PET_MASTER_ADDR=rank-0.{service}"),
            "PET_NNODES=2".into(),
            "PET_NPROC_PER_NODE=4".into(),
            "PET_MASTER_PORT=29500".into(),
            "BERTH_HP_steps=8".into(),
            "BERTH_HP_optimizer_learningRate=0.25".into(),
            "BERTH_ATTEMPT=1".into(),
            "BERTH_EXPERIMENT=mnist".into(),
            format!("BERTH_CHECKPOINT_URI=file:///checkpoints/vision/mnist/{run}/1"),
        ] {
            let found = variables.lines().any(|line| line == variable);
            assert!(found, "no {variable} in:\n{variables}");
        }
        let other = 1 - rank;
        let heard: Vec<_> = (1..=3)
            .map(|step| format!("rank {other} is at step {step}"))
            .collect();
        assert_eq!(note("heard").lines().collect::<Vec<_>>(), heard);
    }
    assert_eq!(play.note("mnist", 1, 0, "address"), master);
    assert_eq!(play.note("mnist", 1, 1, "master"), master);
}
