//! How attempts end by the document's own rules, and what a program that does not stop holds up.

use std::time::Duration;

use berth_core::ids::Timestamp;
use berth_tests::e2e::documents::{experiment, path};
use berth_tests::e2e::{On, Pod, Stage};
use serde_json::{Value, json};

/// Adds an experiment with more fields, and commits.
fn add(stage: &Stage, name: &str, slots: u32, run: &str, more: &[(&str, &str)], fields: &str) {
    let text = experiment(name, slots, run, more);
    let (before, after) = text.split_once("  maxRestarts: 2\n").unwrap();
    let text = format!("{before}{fields}{after}");
    stage.repository.write(&path(name), &text);
    stage.repository.commit(&format!("Add {name}"));
}

/// Its one attempt failed, with this message, and its pods are let go.
async fn failed_once(stage: &mut Stage, name: &str, message: &str) {
    stage.state(name, "Failed").await;
    assert_eq!(stage.scene.status.message(name), message);
    assert_eq!(stage.scene.status.attempts(name), [(1, "failed")]);
    gone(stage, name).await;
    assert_eq!(stage.scene.of(name).len(), 1, "{}", stage.describe());
    stage.check();
}

async fn gone(stage: &mut Stage, name: &str) {
    stage
        .until("its pods are let go", |scene| {
            let held = |pod: &&Pod| pod.object["metadata"]["finalizers"].is_array();
            !scene.of(name).iter().any(|pod| !pod.gone && held(pod)) && scene.alive(name).is_empty()
        })
        .await;
}

async fn an_image_that_does_not_come_is_named_and_fails_at_its_deadline(on: On) {
    let mut stage = Stage::usual(on).await;
    let fields = "  maxRestarts: 0\n  startDeadline: 6s\n";
    let never = [("image", "pull-error")];
    add(&stage, "stuck", 1, "20ms", &never, fields);
    let words = "ImagePullBackOff: Back-off pulling image \"registry.example.com/vision/train:2.4.1\": \
                 ErrImagePull: not found";
    stage.message("stuck", &[&format!("rank 0: {words}")]).await;
    assert_eq!(stage.scene.status.state("stuck"), "Starting");
    let message = format!("rank 0 did not run within startDeadline, 6s: {words}; maxRestarts is 0");
    failed_once(&mut stage, "stuck", &message).await;
}

async fn a_secret_that_is_not_there_is_named_until_it_is(on: On) {
    let mut stage = Stage::usual(on).await;
    let (queue, own) = ("queues/vision.yaml", stage.names().queue());
    let allowed = "quota: 64, allow: {secrets: [tracking]}";
    stage.repository.replace(queue, "quota: 64", allowed);
    let variable = "  pod:\n    spec:\n      containers:\n      - name: task\n        env:\n        \
                    - {name: TOKEN, valueFrom: {secretKeyRef: {name: tracking, key: token}}}\n";
    // For KWOK's kubelets, which cannot look.
    let missing = [("config", "missing")];
    add(&stage, "bert", 1, "20ms", &missing, variable);
    let words = "rank 0: CreateContainerConfigError: secret \"tracking\" not found";
    stage.message("bert", &[words]).await;
    assert_eq!(stage.scene.status.state("bert"), "Starting");
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "tracking", "namespace": own},
        "stringData": {"token": "s3cret"},
    });
    stage.cluster.post(&stage.names().path("secrets"), &secret);
    let pod = stage.pod_path(&stage.scene.of("bert")[0].name);
    let found = json!({"metadata": {"annotations": {"sandbox.berth.dev/config": null}}});
    stage.cluster.patch(&pod, &found);
    stage.state("bert", "Completed").await;
    assert_eq!(stage.scene.of("bert").len(), 1, "{}", stage.describe());
    stage.check();
}

async fn a_run_that_takes_too_long_is_ended_for_good(on: On) {
    let mut stage = Stage::usual(on).await;
    add(&stage, "long", 1, "10m", &[], "  maxRuntime: 3s\n");
    failed_once(&mut stage, "long", "it ran longer than maxRuntime, 3s").await;
    let attempt = &stage.scene.status.trial("long")["attempts"][0];
    let time = |value: &Value| value.as_str().unwrap().parse::<Timestamp>().unwrap();
    let (began, ended) = (time(&attempt["started"]), time(&attempt["end"]["at"]));
    assert!(began.plus(Duration::from_secs(3)) <= ended, "{attempt}");
}

async fn an_oom_is_named(on: On) {
    let mut stage = Stage::usual(on).await;
    let oom = [("oom", "true")];
    add(&stage, "greedy", 1, "20ms", &oom, "  maxRestarts: 0\n");
    let message = "rank 0 exited with 137 (OOMKilled); maxRestarts is 0";
    failed_once(&mut stage, "greedy", message).await;
}

/// The other rank would go on for long.
async fn where_rank_0_decides_its_end_is_that_of_all(on: On) {
    let mut stage = Stage::usual(on).await;
    add(&stage, "gang", 16, "10m", &[], "  success: rank0\n");
    stage.state("gang", "Running").await;
    let pods = stage.scene.running("gang");
    let first = pods.iter().find(|pod| pod.rank == 0).unwrap();
    ends_well(&stage, &first.name);
    stage.state("gang", "Completed").await;
    assert_eq!(stage.scene.status.message("gang"), "rank 0 ended well");
    assert_eq!(stage.scene.status.attempts("gang"), [(1, "completed")]);
    gone(&mut stage, "gang").await;
    assert_eq!(stage.scene.of("gang").len(), 2, "{}", stage.describe());
    stage.check();
}

/// Tells of a pod what its kubelet would.
fn ends_well(stage: &Stage, pod: &str) {
    let now = stage.cluster.read(&stage.pod_path(pod));
    let mut container = now["status"]["containerStatuses"][0].clone();
    let began = container["state"]["running"]["startedAt"].clone();
    container["ready"] = false.into();
    container["state"] = json!({"terminated": {
        "exitCode": 0, "reason": "Completed", "startedAt": began, "finishedAt": began,
    }});
    let status = json!({"status": {"phase": "Succeeded", "containerStatuses": [container]}});
    let path = format!("{}/status", stage.pod_path(pod));
    stage.cluster.patch(&path, &status);
}

/// A pod of 8 slots that runs, does not obey when it is asked to stop, and is killed 6 seconds later.
async fn stubborn(on: On) -> Stage {
    let mut stage = Stage::usual(on).await;
    let grace = "  pod: {spec: {terminationGracePeriodSeconds: 6}}\n";
    let hangs = [("on-term", "hang")];
    add(&stage, "bert", 8, "10m", &hangs, grace);
    stage.state("bert", "Running").await;
    stage
}

/// What comes next waits for the first pod, says so, and begins only once it has been killed.
async fn waits_for_the_first(stage: &mut Stage) {
    let first = stage.scene.of("bert")[0].name.clone();
    let words = format!("the pod {first} of an earlier attempt to end");
    stage.message("bert", &[&words]).await;
    assert_eq!(stage.scene.of("bert").len(), 1, "{}", stage.describe());
    stage
        .until("the next one runs", |scene| {
            scene.status.state("bert") == "Running" && scene.running("bert").len() == 1
        })
        .await;
    let pods = stage.scene.of("bert");
    assert_eq!(pods.len(), 2, "{}", stage.describe());
    let ended = &pods[0].ends[0]["status"]["containerStatuses"][0]["state"]["terminated"];
    assert_eq!(ended["exitCode"], 137, "{}", stage.describe());
    let made = &pods[1].object["metadata"]["creationTimestamp"];
    assert!(
        ended["finishedAt"].as_str().unwrap() <= made.as_str().unwrap(),
        "{ended} {made}"
    );
    stage.check();
}

async fn a_paused_program_that_does_not_stop_is_waited_for(on: On) {
    let mut stage = stubborn(on).await;
    stage.edit("bert", "state: active", "state: paused");
    stage
        .until("it is asked to stop", |scene| {
            let stopped = [(1, "interrupted")];
            scene.status.state("bert") == "Pausing" && scene.status.attempts("bert") == stopped
        })
        .await;
    stage.edit("bert", "state: paused", "state: active");
    waits_for_the_first(&mut stage).await;
    let attempts = stage.scene.status.attempts("bert");
    assert_eq!(attempts, [(1, "interrupted"), (2, "")]);
    assert_eq!(stage.scene.status.restarts("bert"), 0);
}

async fn a_replaced_run_that_does_not_stop_is_waited_for(on: On) {
    let mut stage = stubborn(on).await;
    stage.edit("bert", "learningRate: 0.1", "learningRate: 0.05");
    waits_for_the_first(&mut stage).await;
    assert_eq!(stage.scene.runs("bert").len(), 2, "{}", stage.describe());
    assert_eq!(stage.scene.status.attempts("bert"), [(1, "")]);
}

on_both! {
    a_paused_program_that_does_not_stop_is_waited_for,
    a_replaced_run_that_does_not_stop_is_waited_for,
    a_run_that_takes_too_long_is_ended_for_good,
    a_secret_that_is_not_there_is_named_until_it_is,
    an_image_that_does_not_come_is_named_and_fails_at_its_deadline,
    an_oom_is_named,
    where_rank_0_decides_its_end_is_that_of_all,
}
