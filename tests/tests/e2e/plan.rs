//! What `plan` tells before a commit is merged: what becomes of runs, for which field, and where.

use berth_tests::e2e::documents::{DEFAULTS, DEFAULTS_END, TOLERATION, path};
use berth_tests::e2e::{On, Stage};
use serde_json::Value;

use super::commands::looks;

async fn a_plan_takes_an_invalid_cluster_as_the_daemon_does(on: On) {
    let mut stage = Stage::usual(on).await;
    stage.add("bert", 1, "10m", &[]);
    stage.state("bert", "Running").await;
    stage.repository.replace(
        "clusters/lab.yaml",
        "maxSlotsPerPod: 8",
        "maxSlotsPerPod: 0",
    );
    stage.add("next", 1, "10m", &[]);
    stage
        .until("the daemon has read it", |scene| {
            scene.status.errors().contains("maxSlotsPerPod")
        })
        .await;
    let plan = looks(&stage, &["plan"]).await;
    plan.must(0, &["B0207", "0 to create, 0 to change, 0 to delete"]);
    assert!(stage.scene.of("next").is_empty(), "{}", stage.describe());
    stage.check();
}

/// The run that the status branch knows last.
fn run(stage: &Stage, experiment: &str) -> String {
    let runs = stage.scene.status.runs(experiment);
    let identity = runs.last().unwrap()["identity"].clone();
    identity.as_str().unwrap()[..8].to_owned()
}

/// A check for a forge shows on the lines what would stop, and is no less fine for it.
async fn sarif_tells_of_them(stage: &Stage, [changed, _, _, removed, _]: &[String; 5]) {
    let check = looks(stage, &["check", "-o", "sarif"]).await;
    check.must(0, &[]);
    let log: Value = serde_json::from_str(&check.out).unwrap();
    let results = log["runs"][0]["results"].as_array().unwrap();
    let of = |unit: &str| {
        let begins = format!("Experiment/vision/{unit}: ");
        let mut results = results.iter();
        let text = |it: &Value| it["message"]["text"].as_str().unwrap().to_owned();
        let found = results.find(|it| text(it).starts_with(&begins)).unwrap();
        (
            found["level"].clone(),
            text(found),
            found["locations"][0]["physicalLocation"].clone(),
        )
    };
    let queue = stage.names().queue();
    let (level, text, place) = of("changed");
    assert_eq!(level, "warning");
    for words in [
        &*format!("replaces the run {changed}, which stops"),
        "\nhyperparameters.learningRate: 0.2 instead of 0.1\n",
        &*format!("would be deleted: Pod {queue}/changed-{changed}-1-1-0: replaced by"),
    ] {
        assert!(text.contains(words), "no {words:?} in {text}");
    }
    assert_eq!(place["artifactLocation"]["uri"], "experiments/changed.yaml");
    assert_eq!(place["region"]["startLine"], 11);
    let (level, text, place) = of("removed");
    assert_eq!(level, "warning");
    assert!(text.contains(&format!("the run {removed} stops")), "{text}");
    assert_eq!(place["artifactLocation"]["uri"], "experiments/removed.yaml");
    assert!(place["region"].is_null(), "the file is gone: {place}");
    assert_eq!(results.len(), 4, "{}", check.out);
}

async fn a_plan_tells_what_becomes_of_runs_and_for_which_line(on: On) {
    let mut stage = Stage::usual(on).await;
    let names = ["changed", "paused", "canceled", "removed", "stays"];
    for name in names {
        stage.add(name, 4, "10m", &[]);
    }
    for name in names {
        stage.state(name, "Running").await;
    }
    stage.stop().await;
    let first = names.map(|name| run(&stage, name));
    let rate = ("learningRate: 0.1", "learningRate: 0.2");
    stage.edit("changed", rate.0, rate.1);
    stage.edit("paused", "state: active", "state: paused");
    stage.edit("canceled", "state: active", "state: canceled");
    stage.repository.remove(&path("removed"));
    let toleration = format!("{DEFAULTS_END}{TOLERATION}");
    stage
        .repository
        .replace(DEFAULTS, DEFAULTS_END, &toleration);
    stage.repository.commit("Remove one and add a toleration");

    let plan = looks(&stage, &["plan"]).await;
    let [changed, paused, canceled, removed, _] = &first;
    let queue = stage.names().queue();
    plan.must(0, &[
        &format!("replaces the run {changed}, which stops; it begins anew  (experiments/changed.yaml:11)"),
        "    hyperparameters.learningRate: 0.2 instead of 0.1  (experiments/changed.yaml:11)",
        &format!("Experiment/vision/paused: the run {paused} pauses, and goes on once `state` is active  (experiments/paused.yaml:13)"),
        &format!("Experiment/vision/canceled: the run {canceled} is canceled, for good  (experiments/canceled.yaml:13)"),
        &format!("Experiment/vision/removed: its document is gone from experiments/removed.yaml: the run {removed} stops"),
        &format!("- Pod {queue}/changed-{changed}-1-1-0: replaced by the run "),
        &format!("- Pod {queue}/paused-{paused}-1-1-0: paused  (experiments/paused.yaml:13)"),
        &format!("- Pod {queue}/canceled-{canceled}-1-1-0: canceled  (experiments/canceled.yaml:13)"),
        &format!("- Pod {queue}/removed-{removed}-1-1-0: its document was removed  (experiments/removed.yaml)"),
        "Experiment/vision/stays runs on with an earlier PodDefaults until the next attempt",
        "0 to create, 0 to change, 4 to delete",
    ]);
    sarif_tells_of_them(&stage, &first).await;
    let json = looks(&stage, &["plan", "-o", "json"]).await;
    let json: Value = serde_json::from_str(&json.out).unwrap();
    let field = &json["runs"][1]["fields"][0];
    assert_eq!(json["runs"][1]["unit"], "Experiment/vision/changed");
    assert_eq!(field["path"], "hyperparameters.learningRate");
    assert_eq!(
        (&field["before"], &field["after"]),
        (&"0.1".into(), &"0.2".into())
    );

    // What it told comes true, and the way back is told too.
    stage.start();
    stage.state("paused", "Paused").await;
    stage.state("canceled", "Canceled").await;
    stage.state("removed", "Withdrawn").await;
    stage
        .until("the new run of `changed` runs", |scene| {
            scene.running("changed").len() == 1 && scene.runs("changed").len() == 2
        })
        .await;
    stage.state("changed", "Running").await;
    stage.stop().await;
    let second = run(&stage, "changed");
    stage.edit("changed", rate.1, rate.0);
    stage.edit("paused", "state: paused", "state: active");
    stage.edit("canceled", "state: canceled", "state: active");
    stage.add("removed", 4, "10m", &[]);
    let plan = looks(&stage, &["plan"]).await;
    plan.must(0, &[
        &format!("Experiment/vision/changed: the run {changed} replaces the run {second}, which stops; it was there before, and goes on where it was"),
        &format!("Experiment/vision/paused: the run {paused} goes on"),
        &format!("Experiment/vision/canceled: the run {canceled} stays canceled: raise `run` to run it again"),
        &format!("Experiment/vision/removed: its document is back, and with it the run {removed} as it was"),
        &format!("+ Pod {queue}/paused-{paused}-1-2-0: attempt 2 of the run {paused} begins, as the last one ended: paused"),
        &format!("+ Pod {queue}/removed-{removed}-1-2-0: attempt 2 of the run {removed} begins, as the last one ended: its document was removed"),
        "2 to create, 0 to change, 1 to delete",
    ]);
    let suspend = ("maxSlotsPerPod: 8", "maxSlotsPerPod: 8\n  state: suspended");
    stage
        .repository
        .replace("clusters/lab.yaml", suspend.0, suspend.1);
    stage.repository.commit("Suspend the cluster");
    let plan = looks(&stage, &["plan"]).await;
    plan.must(
        0,
        &[
            "the cluster is suspended (clusters/lab.yaml:7): nothing is made, changed or deleted",
            "0 to create, 0 to change, 0 to delete",
        ],
    );
    stage.check();
}

on_both! {
    a_plan_takes_an_invalid_cluster_as_the_daemon_does,
    a_plan_tells_what_becomes_of_runs_and_for_which_line,
}
