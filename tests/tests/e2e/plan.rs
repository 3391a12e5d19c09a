//! What `plan` tells before a commit is merged: what becomes of runs, for which field, and where.

use berth_tests::e2e::documents::{DEFAULTS, DEFAULTS_END, TOLERATION, path};
use berth_tests::e2e::{On, Stage};
use serde_json::{Value, json};

use super::commands::{Said, looks, reads};

/// The plan; without the cluster it is the same, by what the branch knows to run.
async fn plans(stage: &Stage) -> Said {
    let live = looks(stage, &["plan"]).await;
    let offline = reads(stage, &["plan", "--offline", "--ref", "main"]).await;
    live.must(0, &[]);
    assert_eq!(offline.out, live.out);
    live
}

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

    let plan = plans(&stage).await;
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
    let plan = plans(&stage).await;
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

async fn without_the_cluster_what_the_branch_knows_to_run_is_there(on: On) {
    let mut stage = Stage::usual(on).await;
    stage.add("gang", 16, "10m", &[]);
    stage.state("gang", "Running").await;
    let nothing = "0 to create, 0 to change, 0 to delete";
    for command in [&["plan", "--exit-code"][..], &["check"]] {
        let offline = [command, &["--offline", "--ref", "main"]].concat();
        reads(&stage, &offline).await.must(0, &[nothing]);
    }
    stage.stop().await;
    stage.edit("gang", "state: active", "state: paused");
    let run = run(&stage, "gang");
    let queue = stage.names().queue();
    plans(&stage).await.must(
        0,
        &[
            &format!("- Pod {queue}/gang-{run}-1-1-1: paused"),
            &format!("- Service {queue}/gang-{run}-1-1: paused"),
            "0 to create, 0 to change, 3 to delete",
        ],
    );
    let exit_code = ["plan", "--exit-code", "--offline", "--ref", "main"];
    reads(&stage, &exit_code).await.must(1, &["3 to delete"]);
    stage.check();
}

/// Somebody else has the names of the next attempts: no watch of Berth's shows it.
async fn a_name_that_is_taken_is_told_and_nothing_is_promised(on: On) {
    let mut stage = Stage::usual(on).await;
    let (pause, go_on) = (
        ("state: active", "state: paused"),
        ("state: paused", "state: active"),
    );
    for name in ["gang", "pair"] {
        stage.add(name, 16, "10m", &[]);
        stage.state(name, "Running").await;
        stage.edit(name, pause.0, pause.1);
        stage.state(name, "Paused").await;
    }
    stage.stop().await;
    let (gang, pair) = (run(&stage, "gang"), run(&stage, "pair"));
    let (service, pod) = (format!("gang-{gang}-1-2"), format!("pair-{pair}-1-2-0"));
    let theirs = json!({"metadata": {"name": service}, "spec": {"clusterIP": "None"}});
    stage.cluster.post(&stage.names().path("services"), &theirs);
    let container = json!({"name": "task", "image": "registry.example.com/train:1"});
    let theirs = json!({
        "metadata": {"name": pod},
        "spec": {
            "schedulerName": "nobody", "serviceAccountName": "default", "containers": [container],
        },
    });
    stage.cluster.post(&stage.names().path("pods"), &theirs);
    for name in ["gang", "pair"] {
        stage.edit(name, go_on.0, go_on.1);
    }

    let queue = stage.names().queue();
    let words = |object: &str| {
        format!(
            "{object} exists and is not Berth's (it does not carry Berth's instance label): delete \
             or rename it"
        )
    };
    let of_gang = words(&format!("Service {queue}/{service}"));
    let of_pair = words(&format!("Pod {queue}/{pod}"));
    let plan = looks(&stage, &["plan"]).await;
    plan.must(
        0,
        &[
            &format!("+ Pod {queue}/pair-{pair}-1-2-1: attempt 2"),
            &format!("+ Service {queue}/pair-{pair}-1-2: attempt 2"),
            &format!("  Experiment/vision/gang would be refused: {of_gang}\n"),
            &format!("  Experiment/vision/pair would be refused: {of_pair}\n"),
            "2 to create, 0 to change, 0 to delete",
        ],
    );
    let json = looks(&stage, &["plan", "-o", "json"]).await;
    let json: Value = serde_json::from_str(&json.out).unwrap();
    let refused =
        json!({"Experiment/vision/gang": [&of_gang], "Experiment/vision/pair": [&of_pair]});
    assert_eq!(json["refused"], refused);

    // So it comes; what goes out of the way is waited for no longer.
    stage.start();
    stage.message("gang", &[&of_gang]).await;
    stage.message("pair", &[&of_pair]).await;
    stage.state("pair", "Refused").await;
    assert_eq!(stage.scene.attempt("gang", 2).len(), 0);
    assert_eq!(stage.scene.attempt("pair", 2).len(), 1);
    let services = stage.names().path(&format!("services/{service}"));
    stage.cluster.delete(&services);
    stage.state("gang", "Running").await;
    stage.check();
}

on_both! {
    a_name_that_is_taken_is_told_and_nothing_is_promised,
    a_plan_takes_an_invalid_cluster_as_the_daemon_does,
    a_plan_tells_what_becomes_of_runs_and_for_which_line,
    without_the_cluster_what_the_branch_knows_to_run_is_there,
}
