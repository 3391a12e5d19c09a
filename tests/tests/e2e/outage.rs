//! The server dies, forgets or cannot be reached, and nobody can tell at the end.

use std::time::Duration;

use berth_tests::controlplane::Part;
use berth_tests::e2e::documents::{experiment, path};
use berth_tests::e2e::{BRANCH, Faults, On, Setting, Stage, Status, Wish, seed};
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

/// Something of others in the queue's namespace.
fn foreign(stage: &Stage) -> Value {
    let body = json!({"metadata": {"name": "foreign"}, "data": {"a": "b"}});
    stage.cluster.post(&stage.names().path("configmaps"), &body)
}

/// Kills a part in the middle of the launch, at a moment that the seed draws, and brings it back.
async fn dies_in_a_launch(part: Part) {
    let mut stage = wide().await;
    let foreign = foreign(&stage);
    let seed = seed();
    let moment = 50 + Random::new(seed).below(PODS - 100);
    println!("seed {seed}: {} dies at {moment} pods", part.program());
    launch(&stage);
    stage
        .until("the launch is under way", |scene| {
            scene.pods.len() >= moment
        })
        .await;
    stage.cluster.plane().kill(part);
    stage.cluster.plane().revive(part).unwrap();
    stage.cluster.plane().until_ready().await.unwrap();
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
    let queue = stage.names().queue();
    let now = stage
        .cluster
        .object("configmaps", &queue, "foreign")
        .unwrap();
    assert_eq!(*now, foreign, "something foreign was touched");
    told_the_truth(&stage);
    stage.check();
    stage.stop().await;
}

/// Nothing that the status branch ever said had to be taken back.
fn told_the_truth(stage: &Stage) {
    let order = ["", "Waiting", "Starting", "Running", "Completed"];
    let mut before = vec![0; EXPERIMENTS];
    let mut then = Status::default();
    for (commit, _) in stage.repository.log(BRANCH).iter().rev() {
        then = Status::at(&stage.repository, commit, &then);
        for (number, before) in before.iter_mut().enumerate() {
            let name = name(number);
            let told = then.state(&name);
            let now = order.iter().position(|known| *known == told);
            let now = now.unwrap_or_else(|| panic!("{name} was {told} in {commit}"));
            assert!(now >= *before, "{name} went back to {told} in {commit}");
            *before = now;
            let ended = then
                .attempts(&name)
                .iter()
                .any(|(_, result)| !result.is_empty());
            assert!(
                !ended || told == "Completed" || told == "Running",
                "{name}: {told} in {commit}"
            );
        }
    }
}

async fn kube_apiserver_dies_in_a_launch() {
    dies_in_a_launch(Part::ApiServer).await;
}

async fn etcd_dies_in_a_launch() {
    dies_in_a_launch(Part::Etcd).await;
}

async fn what_happened_while_the_server_was_away_and_forgot_it(on: On) {
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
    stage.cluster.compact().await;
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

on_both! {
    what_happened_while_the_server_was_away_and_forgot_it,
}

on_kube_apiserver! {
    etcd_dies_in_a_launch,
    kube_apiserver_dies_in_a_launch,
}
