//! Slots that others take.

use std::collections::BTreeMap;

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

on_both! {
    foreign_pods_take_gpus_and_give_them_back,
}
