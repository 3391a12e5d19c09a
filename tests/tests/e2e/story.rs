//! What users do every day, and what they see of it.

use berth_tests::e2e::documents::{DEFAULTS, DEFAULTS_END, TOLERATION, path};
use berth_tests::e2e::{On, Stage};

async fn one_slot_runs_and_finishes(on: On) {
    let mut stage = Stage::usual(on).await;
    let commit = stage.add("hello", 1, "50ms", &[]);
    stage.state("hello", "Completed").await;
    let pods = stage.scene.of("hello");
    assert_eq!(pods.len(), 1, "{}", stage.describe());
    let pod = pods[0];
    assert_eq!((pod.slots, pod.rank, pod.attempt), (1, 0, 1));
    assert_eq!(pod.image(), "registry.example.com/vision/train:2.4.1");
    let annotations = &pod.object["metadata"]["annotations"];
    assert_eq!(annotations["berth.dev/commit"], commit.as_str());
    assert_eq!(stage.scene.status.attempts("hello"), [(1, "completed")]);
    stage.check();
    stage.stop().await;
}

async fn sixteen_slots_are_two_pods_of_eight(on: On) {
    let mut stage = Stage::usual(on).await;
    stage.add("big", 16, "200ms", &[]);
    stage.state("big", "Completed").await;
    let mut pods = stage.scene.of("big");
    pods.sort_by_key(|pod| pod.rank);
    let seen: Vec<_> = pods.iter().map(|pod| (pod.rank, pod.slots)).collect();
    assert_eq!(seen, [(0, 8), (1, 8)], "{}", stage.describe());
    assert_ne!(pods[0].node, pods[1].node, "8 slots fill a node of 8");
    stage.check();
}

async fn a_size_that_does_not_split_is_refused_alone(on: On) {
    let mut stage = Stage::usual(on).await;
    let write = |name: &str, slots| {
        let text = berth_tests::e2e::documents::experiment(name, slots, "50ms", &[]);
        stage.repository.write(&path(name), &text);
    };
    write("uneven", 12);
    write("side", 2);
    stage.repository.commit("Add uneven and side");
    stage.state("side", "Completed").await;
    stage
        .until("uneven is refused", |scene| {
            scene.status.errors().contains("B0401")
        })
        .await;
    let errors = stage.scene.status.errors();
    for word in ["experiments/uneven.yaml:10:30: ", "8", "16"] {
        assert!(errors.contains(word), "no {word:?} in: {errors}");
    }
    assert!(stage.scene.of("uneven").is_empty());
    stage.edit("uneven", "slotsPerTrial: 12", "slotsPerTrial: 8");
    stage.state("uneven", "Completed").await;
    stage.check();
}

async fn one_rank_fails_and_the_gang_restarts_as_one(on: On) {
    let mut stage = Stage::usual(on).await;
    let script = [("exit", "attempt=1,rank=1:137;0")];
    stage.add("flaky", 16, "100ms", &script);
    stage.state("flaky", "Completed").await;
    let status = &stage.scene.status;
    let attempts = status.attempts("flaky");
    assert_eq!(attempts, [(1, "failed"), (2, "completed")]);
    assert_eq!(
        (status.restarts("flaky"), status.runs("flaky").len()),
        (1, 1)
    );
    let reason = &status.trial("flaky")["attempts"][0]["end"]["reason"];
    let reason = reason.as_str().unwrap();
    assert!(reason.contains("rank 1 exited with 137"), "{reason}");
    for attempt in [1, 2] {
        assert_eq!(stage.scene.attempt("flaky", attempt).len(), 2);
    }
    stage.check();
}

async fn a_program_that_always_fails_ends_after_its_restarts(on: On) {
    let mut stage = Stage::usual(on).await;
    let text = berth_tests::e2e::documents::experiment("broken", 1, "20ms", &[("exit", "3")]);
    let text = text.replace("maxRestarts: 2", "maxRestarts: 1");
    stage.repository.write(&path("broken"), &text);
    stage.repository.commit("Add broken");
    stage.state("broken", "Failed").await;
    assert_eq!(stage.scene.of("broken").len(), 2, "{}", stage.describe());
    let message = stage.scene.status.message("broken");
    assert!(message.contains("exited with 3"), "{message}");
    stage.check();
}

async fn a_pause_ends_the_pods_and_a_resume_makes_the_next_attempt(on: On) {
    let mut stage = Stage::usual(on).await;
    stage.add("bert", 8, "10m", &[]);
    stage
        .until("bert runs", |scene| scene.running("bert").len() == 1)
        .await;
    stage.edit("bert", "state: active", "state: paused");
    stage.state("bert", "Paused").await;
    stage
        .until("its pod is gone", |scene| scene.alive("bert").is_empty())
        .await;
    stage.edit("bert", "state: paused", "state: active");
    stage
        .until("attempt 2 runs", |scene| {
            let running = scene.running("bert");
            running.len() == 1 && running[0].attempt == 2
        })
        .await;
    stage.state("bert", "Running").await;
    assert_eq!(stage.scene.runs("bert").len(), 1);
    assert_eq!(stage.scene.status.runs("bert").len(), 1);
    assert_eq!(stage.scene.status.restarts("bert"), 0);
    stage.check();
}

async fn a_changed_hyperparameter_replaces_the_run(on: On) {
    let mut stage = Stage::usual(on).await;
    stage.add("bert", 8, "10m", &[]);
    stage
        .until("bert runs", |scene| scene.running("bert").len() == 1)
        .await;
    stage.edit("bert", "learningRate: 0.1", "learningRate: 0.05");
    stage
        .until("a second run has replaced the first", |scene| {
            let alive = scene.alive("bert");
            let first = scene.runs("bert").first().cloned();
            alive.len() == 1 && alive[0].phase == "Running" && Some(&alive[0].run) != first.as_ref()
        })
        .await;
    stage
        .until("the ledger knows both", |scene| {
            scene.status.runs("bert").len() == 2
        })
        .await;
    // Going back continues the first run: it was not finished.
    stage.edit("bert", "learningRate: 0.05", "learningRate: 0.1");
    stage
        .until("the first run goes on", |scene| {
            let running = scene.running("bert");
            running.len() == 1
                && scene.alive("bert").len() == 1
                && Some(&running[0].run) == scene.runs("bert").first()
                && running[0].attempt == 2
        })
        .await;
    stage.check();
}

async fn new_pod_defaults_restart_nothing_and_are_said_to_be_outdated(on: On) {
    let mut stage = Stage::usual(on).await;
    stage.add("bert", 8, "10m", &[]);
    stage.add("done", 1, "20ms", &[]);
    stage.state("done", "Completed").await;
    stage
        .until("bert runs", |scene| scene.running("bert").len() == 1)
        .await;
    let with = format!("{DEFAULTS_END}{TOLERATION}");
    stage.repository.replace(DEFAULTS, DEFAULTS_END, &with);
    stage.repository.commit("Tolerate nodes under maintenance");
    stage
        .until("bert is outdated by PodDefaults", |scene| {
            let outdated = scene.status.outdated("bert");
            outdated.iter().any(|layer| layer.contains("PodDefaults"))
        })
        .await;
    assert_eq!(stage.scene.running("bert").len(), 1);
    assert_eq!(stage.scene.of("bert").len(), 1, "{}", stage.describe());
    assert_eq!(stage.scene.of("done").len(), 1, "{}", stage.describe());
    // The next attempt has it.
    stage.edit("bert", "state: active", "state: paused");
    stage.state("bert", "Paused").await;
    stage.edit("bert", "state: paused", "state: active");
    stage
        .until("the next attempt tolerates", |scene| {
            let running = scene.running("bert");
            let tolerates = |pod: &serde_json::Value| {
                let all = pod["spec"]["tolerations"].as_array();
                all.is_some_and(|all| {
                    all.iter()
                        .any(|one| one["key"] == "example.com/maintenance")
                })
            };
            running.len() == 1 && tolerates(&running[0].object)
        })
        .await;
    stage
        .until("nothing is outdated", |scene| {
            scene.status.outdated("bert").is_empty()
        })
        .await;
    stage.check();
}

async fn a_deletion_ends_the_pods_and_a_finished_one_never_runs_again(on: On) {
    let mut stage = Stage::usual(on).await;
    stage.add("bert", 8, "10m", &[]);
    stage.add("done", 1, "20ms", &[]);
    stage.state("done", "Completed").await;
    stage
        .until("bert runs", |scene| scene.running("bert").len() == 1)
        .await;
    let removed = std::fs::read_to_string(stage.repository.root().join(path("done"))).unwrap();
    stage.repository.remove(&path("bert"));
    stage.repository.remove(&path("done"));
    stage.repository.commit("Remove bert and done");
    stage
        .until("both are withdrawn, no pod is left", |scene| {
            let withdrawn = |name: &str| scene.status.of(name)["ledger"]["withdrawn"] == true;
            withdrawn("bert") && withdrawn("done") && scene.alive("bert").is_empty()
        })
        .await;
    stage.repository.write(&path("done"), &removed);
    stage.repository.commit("Add done again");
    stage
        .until("done is there again and finished", |scene| {
            scene.status.of("done")["ledger"]["withdrawn"] != true
                && scene.status.state("done") == "Completed"
        })
        .await;
    assert_eq!(stage.scene.of("done").len(), 1, "{}", stage.describe());
    // Raised, it runs again.
    stage.edit("done", "  state: active", "  run: 2\n  state: active");
    stage
        .until("a second run is complete", |scene| {
            scene.status.runs("done").len() == 2 && scene.status.state("done") == "Completed"
        })
        .await;
    assert_eq!(stage.scene.of("done").len(), 2, "{}", stage.describe());
    stage.check();
}

async fn a_document_that_becomes_invalid_keeps_its_last_form(on: On) {
    let mut stage = Stage::usual(on).await;
    stage.add("bert", 8, "10m", &[]);
    stage
        .until("bert runs", |scene| scene.running("bert").len() == 1)
        .await;
    stage.edit("bert", "slotsPerTrial: 8", "slotsPerTrial: 12");
    stage
        .until("its status names the fault", |scene| {
            scene.status.findings("bert").contains("B0401")
        })
        .await;
    let findings = stage.scene.status.findings("bert");
    assert!(
        findings.contains("experiments/bert.yaml:10:30: "),
        "{findings}"
    );
    // A file that cannot be read as YAML holds what it contained, and others go on.
    stage.repository.write(&path("bert"), "kind: [");
    stage.repository.commit("Break the file");
    stage.add("next", 1, "20ms", &[]);
    stage.state("next", "Completed").await;
    assert_eq!(stage.scene.running("bert").len(), 1, "{}", stage.describe());
    assert_eq!(stage.scene.of("bert").len(), 1, "{}", stage.describe());
    stage.check();
}

on_both! {
    one_slot_runs_and_finishes,
    sixteen_slots_are_two_pods_of_eight,
    a_size_that_does_not_split_is_refused_alone,
    one_rank_fails_and_the_gang_restarts_as_one,
    a_program_that_always_fails_ends_after_its_restarts,
    a_pause_ends_the_pods_and_a_resume_makes_the_next_attempt,
    a_changed_hyperparameter_replaces_the_run,
    new_pod_defaults_restart_nothing_and_are_said_to_be_outdated,
    a_deletion_ends_the_pods_and_a_finished_one_never_runs_again,
    a_document_that_becomes_invalid_keeps_its_last_form,
}
