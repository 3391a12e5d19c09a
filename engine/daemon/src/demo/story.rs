//! The story: what a user commits, and what must come of it.

use std::time::Duration;

use super::example::{self, experiment, path};
use super::signals::{Came, Signals};
use super::stage::{BRANCH, Scene, Stage};
use super::world::Pod;
use super::{DemoError, Settings};

/// Commits of the status branch that are shown.
const LOG_LINES: usize = 16;
/// Within this a signal of the whole group has come here, too.
const ALSO_TOLD: Duration = Duration::from_secs(1);

/// Tells the whole story; an error says what did not happen. However it ends, nothing of it goes on,
/// and nothing of it stays that is not to be kept: a signal while the daemon is given time to end kills
/// it at once.
pub async fn tell(settings: &Settings) -> Result<(), DemoError> {
    let mut signals = Signals::listen()?;
    let mut stage = Stage::build(settings).await?;
    let mut told = tokio::select! {
        biased;
        signal = signals.come() => Err(ended(&stage, settings, signal)),
        told = acts(&mut stage) => told,
    };
    // A terminal tells its whole group: what was just started and died of that is the first to be seen.
    let failed = matches!(&told, Err(error) if !matches!(error, DemoError::Ended { .. }));
    if failed && let Ok(signal) = tokio::time::timeout(ALSO_TOLD, signals.come()).await {
        told = Err(ended(&stage, settings, signal));
    }
    if told.is_ok() && settings.keep.is_some() {
        say_how_to_look_around(&stage);
        signals.come().await;
    }
    tokio::select! {
        biased;
        _ = signals.come() => {}
        () = stage.finish() => {}
    }
    told.and(stage.clear().await)
}

fn ended(stage: &Stage, settings: &Settings, signal: Came) -> DemoError {
    let kept = settings.keep.is_some().then(|| stage.folder().to_owned());
    DemoError::Ended { signal, kept }
}

async fn acts(stage: &mut Stage) -> Result<(), DemoError> {
    begin(stage).await?;
    one_slot(stage).await?;
    split_and_killed(stage).await?;
    uneven(stage).await?;
    gang_restart(stage).await?;
    pause_and_resume(stage).await?;
    replaced(stage).await?;
    outdated(stage).await?;
    deleted(stage).await?;
    end(stage).await
}

async fn begin(stage: &mut Stage) -> Result<(), DemoError> {
    stage
        .narrator
        .step("", "A state repository, 8 nodes of 8 GPUs, and the daemon");
    for namespace in ["berth", "vision"] {
        stage.namespace(namespace).await?;
    }
    for (path, text) in example::FIRST {
        stage.repository.write(path, text)?;
    }
    stage.commit("Describe the cluster, its pods and a queue")?;
    stage.start_daemon()
}

async fn one_slot(stage: &mut Stage) -> Result<(), DemoError> {
    stage.narrator.step("a", "An experiment of 1 slot");
    stage.cast(&["hello"]);
    add(stage, "hello", 1, 1, "")?;
    stage.commit("Add hello")?;
    stage
        .see("one pod with 1 GPU runs", |scene| {
            slots(scene, "hello", 1) == [1]
        })
        .await?;
    stage
        .see(
            "it finished, and the status branch says so",
            completed("hello"),
        )
        .await
}

async fn split_and_killed(stage: &mut Stage) -> Result<(), DemoError> {
    stage.narrator.step(
        "b,i",
        "16 slots: 2 pods of 8; the daemon is killed in the middle",
    );
    stage.cast(&["resnet50"]);
    add(stage, "resnet50", 16, 4, "")?;
    stage.commit("Train resnet50 on 16 GPUs")?;
    stage
        .until("the first pod of resnet50", |scene| {
            scene.world.of("resnet50").count() > 0
        })
        .await?;
    stage.kill_daemon().await?;
    stage.narrator.fact("the daemon was killed with kill -9");
    stage.start_daemon()?;
    stage.narrator.aside("the daemon was started again");
    stage
        .see("2 pods of 8 GPUs run, none was made twice", |scene| {
            running(scene, "resnet50", 1) == 2 && slots(scene, "resnet50", 1) == [8, 8]
        })
        .await?;
    let clean =
        stage.scene.world.used_twice().is_empty() && stage.scene.world.of("resnet50").count() == 2;
    stage.check("no pod was made twice, none beside these two", clean)
}

async fn uneven(stage: &mut Stage) -> Result<(), DemoError> {
    let title = "12 slots do not split into pods of 8; another one goes on";
    stage.narrator.step("c", title);
    stage.cast(&["uneven", "side"]);
    add(stage, "uneven", 12, 1, "")?;
    add(stage, "side", 2, 1, "")?;
    stage.commit("Add uneven and side")?;
    let refused = |scene: &Scene| refusal(scene).is_some();
    stage
        .see("uneven is refused, with file and line", refused)
        .await?;
    let words = refusal(&stage.scene).unwrap_or_default();
    stage.narrator.aside(&words);
    let named = words.contains("8 and 16");
    stage.check("the refusal names the nearest sizes, 8 and 16", named)?;
    stage
        .see("side finished meanwhile", completed("side"))
        .await?;
    let none = stage.scene.world.of("uneven").count() == 0;
    stage.check("uneven has no pod", none)?;
    let file = path("uneven");
    stage
        .repository
        .replace(&file, "slotsPerTrial: 12", "slotsPerTrial: 8")?;
    stage.commit("Give uneven 8 slots")?;
    stage.see("mended, it finished", completed("uneven")).await
}

/// What the status branch says of the size that does not split.
fn refusal(scene: &Scene) -> Option<String> {
    let errors = scene.status.errors();
    errors
        .iter()
        .find(|line| line.contains("B0401"))
        .map(ToString::to_string)
}

async fn gang_restart(stage: &mut Stage) -> Result<(), DemoError> {
    stage
        .narrator
        .step("d", "Rank 1 fails once: all ranks start again as one");
    stage.cast(&["flaky"]);
    add(
        stage,
        "flaky",
        16,
        2,
        r#", sandbox.berth.dev/exit: "attempt=1,rank=1:137;0""#,
    )?;
    stage.commit("Add flaky")?;
    stage
        .see("rank 1 of attempt 1 ended with a failure", |scene| {
            scene
                .world
                .attempt("flaky", 1)
                .iter()
                .any(|pod| pod.rank == 1 && pod.phase == "Failed")
        })
        .await?;
    stage
        .see("attempt 2 has 2 pods", |scene| {
            scene.world.attempt("flaky", 2).len() == 2
        })
        .await?;
    stage.see("it finished", completed("flaky")).await?;
    let status = stage.scene.status.of("flaky");
    let restarts = status
        .runs()
        .last()
        .and_then(|run| run["trials"][0]["restarts"].as_u64());
    stage.check(
        "one restart was counted, in one run",
        restarts == Some(1) && status.runs().len() == 1,
    )
}

async fn pause_and_resume(stage: &mut Stage) -> Result<(), DemoError> {
    stage.narrator.step("e", "A pause and a resume");
    stage.cast(&["bert"]);
    add(stage, "bert", 8, 600, "")?;
    stage.commit("Train bert")?;
    stage
        .until("bert runs", |scene| running(scene, "bert", 1) == 1)
        .await?;
    stage
        .repository
        .replace(&path("bert"), "state: active", "state: paused")?;
    stage.commit("Pause bert")?;
    stage
        .see("its pod is gone, its run stays open", |scene| {
            alive(scene, "bert").is_empty() && scene.status.of("bert").state() == "Paused"
        })
        .await?;
    stage
        .repository
        .replace(&path("bert"), "state: paused", "state: active")?;
    stage.commit("Resume bert")?;
    stage
        .see("attempt 2 of the same run runs", |scene| {
            running(scene, "bert", 2) == 1 && runs(scene, "bert").len() == 1
        })
        .await
}

async fn replaced(stage: &mut Stage) -> Result<(), DemoError> {
    stage
        .narrator
        .step("f", "A hyperparameter of the running one changes");
    let old = runs(&stage.scene, "bert");
    stage
        .repository
        .replace(&path("bert"), "learningRate: 0.1", "learningRate: 0.05")?;
    stage.commit("Halve the learning rate of bert")?;
    stage
        .see("a new run has replaced the old one", |scene| {
            let live = alive(scene, "bert");
            live.len() == 1 && live[0].phase == "Running" && !old.contains(&live[0].run)
        })
        .await?;
    stage
        .see("the ledger knows both runs", |scene| {
            scene.status.of("bert").runs().len() == 2
        })
        .await
}

async fn outdated(stage: &mut Stage) -> Result<(), DemoError> {
    stage
        .narrator
        .step("g", "A toleration for every pod: nothing restarts");
    let before = stage.scene.world.count();
    let added = format!("{}{}", example::BEFORE, example::TOLERATION);
    stage
        .repository
        .replace(example::DEFAULTS, example::BEFORE, &added)?;
    stage.commit("Tolerate nodes under maintenance")?;
    stage
        .see("the status of bert says: outdated: PodDefaults", |scene| {
            scene
                .status
                .of("bert")
                .outdated()
                .iter()
                .any(|what| what.contains("PodDefaults"))
        })
        .await?;
    let quiet = stage.scene.world.count() == before && alive(&stage.scene, "bert").len() == 1;
    stage.check("no pod was stopped or made", quiet)
}

async fn deleted(stage: &mut Stage) -> Result<(), DemoError> {
    stage.narrator.step("h", "A deletion");
    stage.repository.remove(&path("bert"))?;
    stage.commit("Remove bert")?;
    stage
        .see("its pod is gone, its ledger stays", |scene| {
            alive(scene, "bert").is_empty() && scene.status.of("bert").withdrawn()
        })
        .await
}

async fn end(stage: &mut Stage) -> Result<(), DemoError> {
    stage.narrator.step("", "What is left");
    stage.cast(&["resnet50"]);
    stage
        .see(
            "resnet50 finished, through the death of the daemon",
            completed("resnet50"),
        )
        .await?;
    let attempts = stage.scene.status.of("resnet50").attempts().len();
    stage.check("in one attempt", attempts == 1)?;
    stage.check(
        "no pod name was ever used twice",
        stage.scene.world.used_twice().is_empty(),
    )?;
    stage.stop_daemon().await?;
    stage.narrator.fact("SIGTERM ended the daemon cleanly");
    stage.narrator.plain(&format!(
        "\n$ git log --format='%h %s' -{LOG_LINES} {BRANCH}"
    ));
    show_log(stage)?;
    show_file(stage, "flaky")
}

/// The newest commits of the status branch, and how many there are.
fn show_log(stage: &Stage) -> Result<(), DemoError> {
    let log = stage.repository.log(BRANCH)?;
    log.lines()
        .take(LOG_LINES)
        .for_each(|line| stage.narrator.plain(line));
    let count = log.lines().count();
    stage.narrator.aside(&format!("{count} commits in all"));
    Ok(())
}

fn show_file(stage: &Stage, experiment: &str) -> Result<(), DemoError> {
    let path = stage.scene.status.path(experiment).unwrap_or_default();
    stage
        .narrator
        .plain(&format!("\n$ git show {BRANCH}:{path}"));
    stage
        .narrator
        .plain(stage.repository.show(BRANCH, path)?.trim_end());
    Ok(())
}

fn say_how_to_look_around(stage: &Stage) {
    let folder = stage.folder().display();
    stage.narrator.plain(&format!(
        "\nEverything is left in {folder}. Look around in another terminal:\n\
         \x20 git -C {folder}/state log --stat {BRANCH}\n\
         \x20 kubectl --kubeconfig {folder}/kubeconfig get pods -A\n\
         \x20 berth run --repo {folder}/state --ref main --cluster lab \\\n\
         \x20     --identity demo --kubeconfig {folder}/kubeconfig\n\
         The sandbox runs until you press Ctrl-C; the files stay."
    ));
}

fn add(stage: &Stage, name: &str, slots: u32, seconds: u32, more: &str) -> Result<(), DemoError> {
    stage
        .repository
        .write(&path(name), &experiment(name, slots, seconds, more))
}

fn completed(name: &'static str) -> impl Fn(&Scene) -> bool {
    move |scene| scene.status.of(name).state() == "Completed"
}

/// The slots of the pods of an attempt, by name.
fn slots(scene: &Scene, name: &str, attempt: u32) -> Vec<u64> {
    scene
        .world
        .attempt(name, attempt)
        .iter()
        .map(|pod| pod.slots)
        .collect()
}

fn running(scene: &Scene, name: &str, attempt: u32) -> usize {
    let pods = scene.world.attempt(name, attempt);
    pods.iter()
        .filter(|pod| pod.phase == "Running" && !pod.gone)
        .count()
}

/// The pods that still take up their node.
fn alive<'a>(scene: &'a Scene, name: &'a str) -> Vec<&'a Pod> {
    let over = |pod: &&Pod| pod.gone || pod.phase == "Succeeded" || pod.phase == "Failed";
    scene.world.of(name).filter(|pod| !over(pod)).collect()
}

/// The runs that ever had a pod.
fn runs(scene: &Scene, name: &str) -> std::collections::BTreeSet<String> {
    scene.world.of(name).map(|pod| pod.run.clone()).collect()
}
