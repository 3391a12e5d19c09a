//! The daemon dies around each of its effects, is started again, and nobody can tell.

use std::collections::BTreeMap;

use berth_tests::e2e::documents::path;
use berth_tests::e2e::{Flags, On, Setting, Stage};

/// What is left at the end, without what a restart may change (times, ids).
#[derive(Debug, PartialEq, Eq)]
struct End {
    pods: Vec<(String, String)>,
    ledger: BTreeMap<String, String>,
}

/// An experiment finishes and another one is taken out while it runs; the daemon may be killed once
/// and is then started again. Gives the end, and how many effects the first daemon carried out.
async fn play(on: On, crash: Option<String>) -> (End, u64) {
    let mut stage = Stage::build(Setting {
        daemon: false,
        ..Setting::usual(on)
    })
    .await;
    let first = Flags {
        crash,
        ..stage.flags()
    };
    stage.add("done", 16, "20ms", &[]);
    stage.add("gone", 1, "10m", &[]);
    stage.start_with(&first);
    let mut revived = Revived::default();
    revived
        .until(&mut stage, |stage| {
            let status = &stage.scene.status;
            status.state("done") == "Completed" && stage.scene.running("gone").len() == 1
        })
        .await;
    stage.repository.remove(&path("gone"));
    stage.repository.commit("Remove gone");
    revived
        .until(&mut stage, |stage| {
            let gone = &stage.scene.status.of("gone")["ledger"];
            let released = |name| {
                let pods = stage.scene.of(name);
                pods.iter().all(|pod| pod.gone || unheld(&pod.object))
            };
            gone["withdrawn"] == true
                && stage.scene.alive("gone").is_empty()
                && released("done")
                && released("gone")
        })
        .await;
    let effects = stage
        .daemon
        .as_ref()
        .map_or(0, |daemon| daemon.effects().len() as u64);
    stage.daemon.as_ref().unwrap().terminate();
    // The last effects are those of a daemon that is asked to end.
    if !stage.ended().await.success() {
        revived.again(&mut stage);
        stage.said(&["\"ready\""]).await;
        stage.stop().await;
    }
    stage.check();
    (end(&stage), effects)
}

fn unheld(pod: &serde_json::Value) -> bool {
    let finalizers = pod["metadata"]["finalizers"].as_array();
    finalizers.is_none_or(Vec::is_empty)
}

#[derive(Default)]
struct Revived {
    times: u32,
}

impl Revived {
    /// Waits; a daemon that died is started again, once.
    async fn until(&mut self, stage: &mut Stage, seen: impl Fn(&Stage) -> bool) {
        loop {
            let died = stage
                .wait("the scene, or the daemon's death", |stage| {
                    let died = stage.daemon.as_ref().is_some_and(|it| it.ended().is_some());
                    (died || seen(stage)).then_some(died)
                })
                .await;
            if !died {
                return;
            }
            self.again(stage);
        }
    }

    fn again(&mut self, stage: &mut Stage) {
        self.times += 1;
        assert_eq!(self.times, 1, "it died again\n{}", stage.describe());
        stage.start();
    }
}

fn end(stage: &Stage) -> End {
    let mut pods: Vec<(String, String)> = stage
        .scene
        .pods
        .iter()
        .map(|pod| (pod.name.clone(), format!("{} {}", pod.phase, pod.gone)))
        .collect();
    pods.sort();
    let told = |name: &str| {
        let status = &stage.scene.status;
        let told = format!(
            "{} {:?} restarts {} runs {}",
            status.state(name),
            status.attempts(name),
            status.restarts(name),
            status.runs(name).len()
        );
        (name.to_owned(), told)
    };
    End {
        pods,
        ledger: ["done", "gone"].into_iter().map(told).collect(),
    }
}

async fn killed(on: On, when: &str) {
    let (expected, effects) = play(on, None).await;
    assert!(effects > 8, "only {effects} effects");
    for number in 1..=effects {
        let point = format!("{when}:{number}");
        println!("killed {point}");
        let (end, _) = play(on, Some(point)).await;
        assert_eq!(end, expected);
    }
}

async fn killed_before_any_effect_the_end_is_the_same(on: On) {
    killed(on, "before").await;
}

async fn killed_after_any_effect_the_end_is_the_same(on: On) {
    killed(on, "after").await;
}

on_both! {
    killed_before_any_effect_the_end_is_the_same,
    killed_after_any_effect_the_end_is_the_same,
}
