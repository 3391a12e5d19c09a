//! Pods that are asked to stop, and stop in peace.

use berth_tests::e2e::Scene;
use berth_tests::node::IMAGE;
use serde_json::json;

use crate::documents::runs;
use crate::play::Play;

/// The program saves its work and exits with 0 when asked to stop: that is no success.
pub async fn an_eviction_and_a_pause_are_no_successes(play: &mut Play) {
    for step in [2, 4] {
        play.put(&format!("bert-{step}"));
    }
    play.train("bert", 8, 6);
    play.at("bert", 1, 2).await;
    let pods = play.stage.scene.attempt("bert", 1);
    let evicted = pods.iter().find(|pod| pod.rank == 1).unwrap().name.clone();
    let eviction = json!({
        "apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": evicted},
    });
    let path = format!("{}/eviction", play.stage.pod_path(&evicted));
    play.stage.cluster.post(&path, &eviction);
    play.at("bert", 2, 4).await;
    for rank in [0, 1] {
        assert_eq!(play.note("bert", 1, rank, "stopped"), "2");
        assert_eq!(play.note("bert", 2, rank, "from"), "2");
    }
    for pod in play.stage.scene.attempt("bert", 1) {
        assert_eq!(pod.phase, "Succeeded", "{}", pod.object);
    }

    play.stage.edit("bert", "state: active", "state: paused");
    play.stage.state("bert", "Paused").await;
    play.stage
        .until("all pods have ended", |scene| {
            scene.alive("bert").is_empty()
        })
        .await;
    assert_eq!(play.note("bert", 2, 1, "stopped"), "4");
    play.stage.edit("bert", "state: paused", "state: active");
    play.stage.state("bert", "Completed").await;
    assert_eq!(play.note("bert", 3, 0, "from"), "4");
    let status = &play.stage.scene.status;
    let attempts = status.attempts("bert");
    assert_eq!(
        attempts,
        [(1, "interrupted"), (2, "interrupted"), (3, "completed")]
    );
    assert_eq!(status.restarts("bert"), 0);
    play.stage.check();
}

/// A program that had finished says so in its termination message.
pub async fn work_that_was_done_when_asked_to_stop_counts(play: &mut Play) {
    play.put("done-1");
    play.put("done-is-done");
    play.train("done", 1, 2);
    play.at("done", 1, 1).await;
    let name = play.stage.scene.of("done")[0].name.clone();
    play.stage.cluster.delete(&play.stage.pod_path(&name));
    play.stage.state("done", "Completed").await;
    assert_eq!(play.note("done", 1, 0, "stopped"), "1");
    assert_eq!(play.stage.scene.status.attempts("done"), [(1, "completed")]);
    play.stage.check();
}

/// Programs that do not listen are killed: when their grace ends, or at once by a forced deletion.
pub async fn a_program_that_must_be_killed_has_not_failed(play: &mut Play) {
    let deaf = "trap '' TERM; echo starts; while :; do sleep 1; done";
    let text = runs("deaf", IMAGE, deaf, "{terminationGracePeriodSeconds: 1}");
    play.commit("deaf", &text);
    let attempt = |number| {
        move |scene: &Scene| {
            let running = scene.running("deaf");
            running.len() == 1 && running[0].attempt == number
        }
    };
    play.stage.until("attempt 1 runs", attempt(1)).await;
    play.stage.edit("deaf", "state: active", "state: paused");
    play.stage.state("deaf", "Paused").await;
    play.stage.edit("deaf", "state: paused", "state: active");
    play.stage.until("attempt 2 runs", attempt(2)).await;
    let name = play.stage.scene.running("deaf")[0].name.clone();
    let path = play.stage.pod_path(&name);
    play.stage
        .cluster
        .delete(&format!("{path}?gracePeriodSeconds=0"));
    play.stage.until("attempt 3 runs", attempt(3)).await;
    for attempt in [1, 2] {
        let pod = play.stage.scene.attempt("deaf", attempt)[0].object.clone();
        let state = &pod["status"]["containerStatuses"][0]["state"];
        assert_eq!(state["terminated"]["exitCode"], 137, "{pod}");
    }
    play.stage.edit("deaf", "state: active", "state: canceled");
    play.stage.state("deaf", "Canceled").await;
    let status = &play.stage.scene.status;
    let attempts = status.attempts("deaf");
    assert_eq!(attempts[..2], [(1, "interrupted"), (2, "interrupted")]);
    assert_eq!(status.restarts("deaf"), 0);
    play.stage.check();
}
