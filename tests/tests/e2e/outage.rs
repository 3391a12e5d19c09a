//! The server dies, forgets or cannot be reached, and nobody can tell at the end.

use std::time::Duration;

use berth_tests::controlplane::Part;
use berth_tests::e2e::documents::{experiment, path};
use berth_tests::e2e::{BRANCH, Faults, On, Setting, Stage, Status, Wish, seed, seeds};
use berth_tests::simulation::Random;
use serde_json::{Value, json};

const EXPERIMENTS: usize = 100;
const PODS: usize = 4 * EXPERIMENTS;
const NODES: u32 = 50;

fn name(number: usize) -> String {
    format!("gang-{number}")
}

/// A control plane of its own, with room for all pods.
async fn wide() -> Stage {
    let mut stage = Stage::build(Setting {
        cluster: Wish {
            nodes: NODES,
            alone: true,
            ..Wish::default()
        },
        ..Setting::usual(On::Real)
    })
    .await;
    stage.patience = Duration::from_mins(5);
    stage
}

/// 100 gangs of 4 pods of 1 slot, in one commit.
fn launch(stage: &Stage) {
    let queue = "queues/vision.yaml";
    let wide = format!("quota: {PODS}, maxSlotsPerPod: 1");
    stage.repository.replace(queue, "quota: 64", &wide);
    for number in 0..EXPERIMENTS {
        let text = experiment(&name(number), 4, "5s", &[]);
        stage.repository.write(&path(&name(number)), &text);
    }
    stage.repository.commit("Add 100 gangs");
}

/// Kills a part in the middle of the launch, at a moment that the seed draws, and brings it back.
async fn dies_in_a_launch(part: Part, usual: u64) {
    let mut stage = wide().await;
    stage.put_foreign();
    let seed = seeds(&[usual])[0];
    let moment = 50 + Random::new(seed).below(PODS - 100);
    println!("seed {seed}: {} dies at {moment} pods", part.program());
    launch(&stage);
    stage
        .until("the launch is under way", |scene| {
            scene.pods.len() >= moment
        })
        .await;
    stage.strike(part).await;
    stage
        .until("all are complete", |scene| {
            (0..EXPERIMENTS).all(|number| scene.status.state(&name(number)) == "Completed")
        })
        .await;
    stage
        .until("all pods are let go", |scene| {
            let held = |pod: &Value| pod["metadata"]["finalizers"].is_array();
            !scene.pods.iter().any(|pod| !pod.gone && held(&pod.object))
        })
        .await;
    for number in 0..EXPERIMENTS {
        let name = name(number);
        let mut ranks: Vec<_> = stage
            .scene
            .of(&name)
            .iter()
            .map(|pod| (pod.attempt, pod.rank))
            .collect();
        ranks.sort_unstable();
        assert_eq!(
            ranks,
            [(1, 0), (1, 1), (1, 2), (1, 3)],
            "{name}\n{}",
            stage.describe()
        );
        assert_eq!(stage.scene.status.attempts(&name), [(1, "completed")]);
        assert_eq!(stage.scene.status.runs(&name).len(), 1);
    }
    assert_eq!(stage.scene.pods.len(), PODS);
    never_went_back(&stage);
    stage.check();
    stage.stop().await;
}

/// What the status branch said of each gang only ever went forward; that it was so when it was said,
/// every stage checks.
fn never_went_back(stage: &Stage) {
    let order = ["", "Waiting", "Starting", "Running", "Completed"];
    let mut before = vec![0; EXPERIMENTS];
    let mut then = Status::default();
    for (commit, _) in stage.repository.log(BRANCH).iter().rev() {
        then = Status::at(&stage.repository, commit, &then);
        for (number, before) in before.iter_mut().enumerate() {
            let name = name(number);
            let told = then.state(&name);
            let now = order.iter().position(|known| *known == told);
            let words = then.message(&name);
            let now = now.unwrap_or_else(|| panic!("{name} was {told} in {commit}: {words}"));
            assert!(now >= *before, "{name} went back to {told} in {commit}");
            *before = now;
        }
    }
}

async fn kube_apiserver_dies_in_a_launch() {
    dies_in_a_launch(Part::ApiServer, 1).await;
}

async fn etcd_dies_in_a_launch() {
    dies_in_a_launch(Part::Etcd, 5).await;
}

/// A cluster of its own, whose server forgets, behind a proxy that can keep the daemon from it.
async fn behind_a_proxy(on: On) -> Stage {
    let mut stage = Stage::build(Setting {
        cluster: Wish {
            alone: true,
            ..Wish::default()
        },
        proxy: Some(seed()),
        ..Setting::usual(on)
    })
    .await;
    stage.patience = Duration::from_mins(2);
    stage
}

async fn what_happened_while_the_server_was_away_and_forgot_it(on: On) {
    let mut stage = behind_a_proxy(on).await;
    stage.add("stays", 8, "10m", &[]);
    stage.add("dies", 8, "10m", &[]);
    stage.state("stays", "Running").await;
    stage.state("dies", "Running").await;
    let proxy = stage.proxy.as_ref().unwrap();
    proxy.set(Faults::AWAY);
    proxy.cut_watches();
    let pod = stage.scene.running("dies")[0].name.clone();
    stage.cluster.delete(&stage.pod_path(&pod));
    stage.add("next", 8, "20ms", &[]);
    for number in 0..20 {
        let body = json!({"metadata": {"name": format!("noise-{number}")}});
        stage.cluster.post(&stage.names().path("configmaps"), &body);
    }
    stage
        .until("the deleted pod has ended", |scene| {
            scene.of("dies")[0].phase == "Failed"
        })
        .await;
    // Nobody could know.
    assert_eq!(stage.scene.status.state("dies"), "Running");
    assert!(stage.scene.of("next").is_empty(), "{}", stage.describe());
    stage.compact().await;
    stage.proxy.as_ref().unwrap().set(Faults::default());
    stage.state("next", "Completed").await;
    stage
        .until("attempt 2 of what died runs", |scene| {
            let running = scene.running("dies");
            running.len() == 1 && running[0].attempt == 2
        })
        .await;
    stage.state("dies", "Running").await;
    let attempts = stage.scene.status.attempts("dies");
    assert_eq!(attempts, [(1, "interrupted"), (2, "")]);
    assert_eq!(stage.scene.of("stays").len(), 1, "{}", stage.describe());
    assert_eq!(stage.scene.of("next").len(), 1, "{}", stage.describe());
    stage.check();
}

/// Twice in a launch the store forgets what was, while all watches are open. At first the server
/// knows it still, and nobody notices; then it does not, and whoever is behind lists again.
async fn a_compaction_under_live_watches_loses_nothing(on: On) {
    let mut stage = behind_a_proxy(on).await;
    stage.add("stays", 8, "10m", &[]);
    stage.state("stays", "Running").await;
    let lists = |stage: &Stage| stage.proxy.as_ref().unwrap().lists();
    let before = lists(&stage);
    assert!(before > 3, "each watch begins with a list");
    launches(&mut stage, "first").await;
    stage.cluster.compact_store().await;
    completes(&mut stage, "first").await;
    assert_eq!(lists(&stage), before, "{}", stage.describe());
    launches(&mut stage, "second").await;
    stage.compact().await;
    stage.proxy.as_ref().unwrap().cut_watches();
    stage
        .wait("what was behind is listed again", |stage| {
            (lists(stage) > before).then_some(())
        })
        .await;
    completes(&mut stage, "second").await;
    assert_eq!(stage.scene.of("stays").len(), 1, "{}", stage.describe());
    assert_eq!(
        stage.scene.running("stays").len(),
        1,
        "{}",
        stage.describe()
    );
    stage.check();
}

/// Two experiments, and the first of their pods is there. Others are busy, too.
async fn launches(stage: &mut Stage, name: &str) {
    for number in 0..2 {
        stage.add(&format!("{name}-{number}"), 8, "2s", &[]);
        let noise = json!({"metadata": {"name": format!("noise-{name}-{number}")}});
        stage
            .cluster
            .post(&stage.names().path("configmaps"), &noise);
    }
    let first = format!("{name}-0");
    stage
        .until("the launch is under way", |scene| {
            !scene.of(&first).is_empty()
        })
        .await;
}

async fn completes(stage: &mut Stage, name: &str) {
    for number in 0..2 {
        let name = format!("{name}-{number}");
        stage.state(&name, "Completed").await;
        assert_eq!(stage.scene.of(&name).len(), 1, "{}", stage.describe());
        let attempts = stage.scene.status.attempts(&name);
        assert_eq!(attempts, [(1, "completed")], "{}", stage.describe());
    }
}

on_both! {
    a_compaction_under_live_watches_loses_nothing,
    what_happened_while_the_server_was_away_and_forgot_it,
}

on_kube_apiserver! {
    etcd_dies_in_a_launch,
    kube_apiserver_dies_in_a_launch,
}
