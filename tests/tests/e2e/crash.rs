//! The daemon dies around each of its effects, is started again, and nobody can tell.

use std::collections::BTreeMap;

use berth_tests::e2e::documents::path;
use berth_tests::e2e::{Flags, On, Proxy, Setting, Stage};

/// What is left at the end, without what a restart may change (times, ids).
#[derive(Debug, PartialEq, Eq)]
struct End {
    pods: Vec<(String, String)>,
    ledger: BTreeMap<String, String>,
}

/// When the daemon is killed.
#[derive(Debug, Clone, Copy)]
enum Kill {
    Never,
    /// Before its nth effect.
    Before(u64),
    /// Once the server carried out its nth change and before the answer came.
    In(u64),
    /// After its nth effect, before anybody learns the outcome.
    After(u64),
}

/// What a daemon did that lived to the end.
struct Done {
    effects: u64,
    changes: u64,
    /// How often it died.
    deaths: u32,
}

/// An experiment finishes and another one is taken out while it runs; the daemon may be killed once
/// and is then started again.
async fn play(on: On, kill: Kill) -> (End, Done) {
    let mut stage = Stage::build(Setting {
        proxy: Some(0),
        daemon: false,
        ..Setting::usual(on)
    })
    .await;
    let crash = match kill {
        Kill::Before(number) => Some(format!("before:{number}")),
        Kill::After(number) => Some(format!("after:{number}")),
        Kill::Never | Kill::In(_) => None,
    };
    if let Kill::In(number) = kill {
        stage.proxy.as_ref().unwrap().hold(number);
    }
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
    let daemon = stage.daemon.as_ref().unwrap();
    let effects = daemon.effects().len() as u64;
    let changes = stage.proxy.as_ref().unwrap().changes();
    stage.daemon.as_ref().unwrap().terminate();
    // The last effects are those of a daemon that is asked to end.
    if !stage.ended().await.success() {
        revived.again(&mut stage);
        stage.said(&["\"ready\""]).await;
        stage.stop().await;
    }
    stage.check();
    let done = Done {
        effects,
        changes,
        deaths: revived.times,
    };
    (end(&stage), done)
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
                    (died || self.is_due(stage) || seen(stage)).then_some(died)
                })
                .await;
            if self.is_due(stage) {
                stage.kill().await;
                self.again(stage);
                // All may be as it should be already; who is asked to end must have begun.
                stage.said(&["\"ready\""]).await;
                continue;
            }
            if !died {
                return;
            }
            self.again(stage);
        }
    }

    /// A change was carried out, and the daemon waits for its answer.
    fn is_due(&self, stage: &Stage) -> bool {
        self.times == 0 && stage.proxy.as_ref().is_some_and(Proxy::holds)
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

async fn killed(on: On, number: impl Fn(&Done) -> u64, kill: impl Fn(u64) -> Kill) {
    let (expected, done) = play(on, Kill::Never).await;
    let last = number(&done);
    assert!(last > 8, "only {last}");
    let mut deaths = 0;
    for number in 1..=last {
        let kill = kill(number);
        println!("killed {kill:?}");
        let (end, done) = play(on, kill).await;
        assert_eq!(end, expected);
        deaths += u64::from(done.deaths);
    }
    // The last effects may come in fewer steps another time.
    assert!(deaths + 4 >= last, "it died {deaths} times of {last}");
}

async fn killed_before_any_effect_the_end_is_the_same(on: On) {
    killed(on, |done| done.effects, Kill::Before).await;
}

async fn killed_in_any_change_the_end_is_the_same(on: On) {
    killed(on, |done| done.changes, Kill::In).await;
}

async fn killed_after_any_effect_the_end_is_the_same(on: On) {
    killed(on, |done| done.effects, Kill::After).await;
}

on_both! {
    killed_before_any_effect_the_end_is_the_same,
    killed_in_any_change_the_end_is_the_same,
    killed_after_any_effect_the_end_is_the_same,
}
