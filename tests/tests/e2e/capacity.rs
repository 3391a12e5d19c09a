//! Slots that others take.

use std::collections::BTreeMap;

use berth_core::ids::Timestamp;
use berth_tests::e2e::documents::{experiment, path as document};
use berth_tests::e2e::{On, Pod, Scene, Stage};
use serde_json::{Value, json};

/// A pod that Berth knows nothing of, with so many GPUs of the stage's nodes.
fn foreign(stage: &Stage, name: &str, gpus: u32) -> Value {
    let pool = json!({"example.com/pool": stage.names().pool()});
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name},
        "spec": {
            "nodeSelector": pool,
            "terminationGracePeriodSeconds": 1,
            "containers": [{
                "name": "a", "image": "registry.example.com/other:1",
                "resources": {"limits": {"nvidia.com/gpu": gpus.to_string()}},
            }],
        },
    });
    stage.cluster.post(&path(stage, ""), &pod)
}

fn path(stage: &Stage, name: &str) -> String {
    let pods = format!("/api/v1/namespaces/{}/pods", stage.names().elsewhere());
    if name.is_empty() {
        pods
    } else {
        format!("{pods}/{name}")
    }
}

fn foreigners(scene: &Scene) -> Vec<&Pod> {
    let all = scene.pods.iter();
    all.filter(|pod| pod.experiment.is_empty() && !pod.gone)
        .collect()
}

/// How many GPUs of each node are taken now.
fn taken(scene: &Scene) -> BTreeMap<String, u64> {
    let mut taken = BTreeMap::new();
    for pod in &scene.pods {
        let ended = pod.gone || pod.phase == "Succeeded" || pod.phase == "Failed";
        if !ended && !pod.node.is_empty() {
            *taken.entry(pod.node.clone()).or_default() += pod.slots;
        }
    }
    taken
}

async fn foreign_pods_take_gpus_and_give_them_back(on: On) {
    let mut stage = Stage::usual(on).await;
    for number in 0..3 {
        foreign(&stage, &format!("other-{number}"), 8);
    }
    stage
        .until("the foreign pods run", |scene| {
            let foreign = foreigners(scene);
            foreign.len() == 3 && foreign.iter().all(|pod| pod.phase == "Running")
        })
        .await;
    let before: Vec<Value> = foreigners(&stage.scene)
        .iter()
        .map(|pod| (*pod.object).clone())
        .collect();
    stage.add("gang", 16, "10m", &[]);
    stage.add("small", 8, "20ms", &[]);
    // One node is left: enough for the small one, which does not wait behind the large one.
    stage.state("small", "Completed").await;
    stage
        .until("gang waits, and its status says for what", |scene| {
            scene.status.state("gang") == "Waiting"
                && scene.status.message("gang").contains("2 pods of 8 slots")
        })
        .await;
    assert!(stage.scene.of("gang").is_empty(), "{}", stage.describe());
    stage.cluster.delete(&path(&stage, "other-1"));
    stage
        .until("gang runs", |scene| scene.running("gang").len() == 2)
        .await;
    let taken = taken(&stage.scene);
    assert_eq!(taken.values().copied().collect::<Vec<_>>(), [8, 8, 8, 8]);
    for was in before
        .iter()
        .filter(|pod| pod["metadata"]["name"] != "other-1")
    {
        let name = was["metadata"]["name"].as_str().unwrap();
        let elsewhere = stage.names().elsewhere();
        let now = stage.cluster.object("pods", &elsewhere, name).unwrap();
        assert_eq!(*now, *was, "a foreign pod was touched");
    }
    stage.check();
}

/// The queue counts on nodes that come when they are needed, but they do not come in time.
async fn a_gang_that_is_not_wholly_placed_in_time_begins_again_as_one(on: On) {
    let mut stage = Stage::usual(on).await;
    let queue = "queues/vision.yaml";
    let elastic = "quota: 64, capacity: elastic, gangTimeout: 6s";
    stage.repository.replace(queue, "quota: 64", elastic);
    for number in 0..3 {
        foreign(&stage, &format!("other-{number}"), 8);
    }
    stage
        .until("one node is left", |scene| taken(scene).len() == 3)
        .await;
    stage.add("gang", 16, "10m", &[]);
    // One of the two is placed, and the status tells of the other one.
    stage
        .until("one pod waits for a node", |scene| {
            let message = scene.status.message("gang");
            let pods = scene.attempt("gang", 1);
            let placed = pods.iter().filter(|pod| !pod.node.is_empty());
            (pods.len(), placed.count()) == (2, 1)
                && scene.status.state("gang") == "Starting"
                && message.contains("nodes are available")
                && message.contains("Insufficient nvidia.com/gpu")
        })
        .await;
    stage
        .until("the attempt is over", |scene| {
            scene.status.attempts("gang").first() == Some(&(1, "interrupted"))
        })
        .await;
    let end = stage.scene.status.trial("gang")["attempts"][0]["end"].clone();
    let (at, reason) = (time(&end["at"]), end["reason"].as_str().unwrap());
    assert!(
        reason.starts_with("its pods were not all on nodes within gangTimeout, 6s: 0/"),
        "{reason}"
    );
    stage.cluster.delete(&path(&stage, "other-0"));
    stage
        .until("a later attempt runs", |scene| {
            scene.status.state("gang") == "Running" && scene.running("gang").len() == 2
        })
        .await;
    let first = stage.scene.attempt("gang", 1);
    assert_eq!(first.len(), 2, "{}", stage.describe());
    assert!(first.iter().all(|pod| pod.gone), "{}", stage.describe());
    // It counted against nobody, and waited two seconds; times of the server are whole seconds.
    let status = &stage.scene.status;
    let (last, before) = status
        .attempts("gang")
        .split_last()
        .map(|(last, before)| {
            let before: Vec<&str> = before.iter().map(|(_, result)| *result).collect();
            (*last, before)
        })
        .unwrap();
    assert!(
        before.iter().all(|result| *result == "interrupted"),
        "{}",
        stage.describe()
    );
    assert_eq!((last.0, last.1), (before.len() as u64 + 1, ""));
    assert_eq!(status.restarts("gang"), 0);
    let second = stage.scene.attempt("gang", 2);
    assert_eq!(second.len(), 2, "{}", stage.describe());
    for pod in second {
        let made = time(&pod.object["metadata"]["creationTimestamp"]);
        assert!(
            made.millis() + 1000 >= at.millis() + 2000,
            "{}",
            stage.describe()
        );
    }
    stage.check();
}

fn time(value: &Value) -> Timestamp {
    value.as_str().unwrap().parse().unwrap()
}

async fn what_came_later_with_a_higher_priority_begins_first(on: On) {
    let mut stage = Stage::usual(on).await;
    let queue = "queues/vision.yaml";
    stage.repository.replace(queue, "quota: 64", "quota: 8");
    stage.add("first", 8, "10m", &[]);
    stage.state("first", "Running").await;
    stage.add("low", 8, "20ms", &[]);
    let full = "needs 8 slots, and queue `vision` has 8 of 8 in use";
    stage.message("low", &[full]).await;
    let text = experiment("high", 8, "10m", &[]);
    let text = text.replace("slotsPerTrial: 8", "slotsPerTrial: 8, priority: 90");
    stage.repository.write(&document("high"), &text);
    stage.repository.commit("Add high");
    stage.message("high", &[full]).await;
    // Nothing is preempted.
    assert_eq!(stage.scene.running("first").len(), 1);
    assert!(stage.scene.of("high").is_empty() && stage.scene.of("low").is_empty());
    stage.edit("first", "state: active", "state: canceled");
    stage.state("high", "Running").await;
    assert!(stage.scene.of("low").is_empty(), "{}", stage.describe());
    stage.edit("high", "state: active", "state: canceled");
    stage.state("low", "Completed").await;
    let of = |name: &str| &stage.scene.of(name)[0].object["metadata"];
    let made = |name: &str| time(&of(name)["creationTimestamp"]);
    assert!(made("high") < made("low"), "{}", stage.describe());
    stage.check();
}

on_both! {
    a_gang_that_is_not_wholly_placed_in_time_begins_again_as_one,
    what_came_later_with_a_higher_priority_begins_first,
    foreign_pods_take_gpus_and_give_them_back,
}
