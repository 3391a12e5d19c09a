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

/// When the daemon is killed, around one of its effects or changes.
#[derive(Debug, Clone, Copy)]
enum When {
    /// Before the effect.
    Before,
    /// Once the server carried out the change and before the answer came.
    In,
    /// After the effect, before anybody learns the outcome.
    After,
}

/// The nth effect or change of a kind.
type Nth<'a> = (&'a str, u64);

/// What a daemon did that lived to the end: how many of each kind.
struct Done {
    effects: BTreeMap<String, u64>,
    changes: BTreeMap<String, u64>,
    died: bool,
}

/// An experiment finishes and another one is taken out while it runs; the daemon may be killed once
/// and is then started again.
async fn play(on: On, kill: Option<(When, Nth<'_>)>) -> (End, Done) {
    let mut stage = Stage::build(Setting {
        proxy: Some(0),
        daemon: false,
        ..Setting::usual(on)
    })
    .await;
    let crash = match kill {
        Some((When::Before, (kind, number))) => Some(format!("before:{kind}:{number}")),
        Some((When::After, (kind, number))) => Some(format!("after:{kind}:{number}")),
        Some((When::In, _)) | None => None,
    };
    if let Some((When::In, (kind, number))) = kill {
        stage.proxy.as_ref().unwrap().hold(kind, number);
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
    daemon.terminate();
    // The last effects are those of a daemon that is asked to end.
    if !stage.ended().await.success() {
        revived.again(&mut stage);
        stage.said(&["\"ready\""]).await;
        stage.stop().await;
    }
    stage.check();
    let mut effects = BTreeMap::new();
    for (kind, ..) in stage.daemon.as_ref().unwrap().effects() {
        *effects.entry(kind).or_default() += 1;
    }
    let done = Done {
        effects,
        changes: stage.proxy.as_ref().unwrap().changes(),
        died: revived.times > 0,
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

/// Kills at each effect or change of each kind, until none of that kind comes any more: how many there
/// are of some depends on what falls together. `least` says which kinds there are, and that the daemon
/// dies so often of each.
async fn killed(on: On, when: When, least: &[(&str, u64)]) {
    let (expected, done) = play(on, None).await;
    let all = match when {
        When::In => done.changes,
        When::Before | When::After => done.effects,
    };
    println!("{when:?}: {all:?}");
    let known: Vec<&str> = least.iter().map(|(kind, _)| *kind).collect();
    assert!(all.keys().all(|kind| known.contains(&&**kind)), "{all:?}");
    for (kind, least) in least {
        let mut deaths = 0;
        loop {
            let nth = (*kind, deaths + 1);
            println!("killed {when:?} {nth:?}");
            let (end, done) = play(on, Some((when, nth))).await;
            assert_eq!(end, expected);
            if !done.died {
                break;
            }
            deaths += 1;
        }
        println!("it died {deaths} times {when:?} a {kind}");
        assert!(deaths >= *least, "{when:?} {kind}: {deaths} of {least}");
    }
}

/// The effects of the story; what is recorded together takes one `record`, and a `keep` follows each.
const EFFECTS: [(&str, u64); 7] = [
    ("reload", 1),
    ("keep", 2),
    ("record", 2),
    ("create", 4),
    ("tell", 2),
    ("delete", 2),
    ("release", 3),
];

/// The changes that they ask for.
const CHANGES: [(&str, u64); 8] = [
    ("POST configmaps", 1),
    ("PUT configmaps", 2),
    ("POST services", 1),
    ("POST pods", 3),
    ("POST events", 2),
    ("PATCH pods", 3),
    ("DELETE pods", 1),
    ("DELETE services", 1),
];

async fn killed_before_any_effect_the_end_is_the_same(on: On) {
    killed(on, When::Before, &EFFECTS).await;
}

async fn killed_in_any_change_the_end_is_the_same(on: On) {
    killed(on, When::In, &CHANGES).await;
}

async fn killed_after_any_effect_the_end_is_the_same(on: On) {
    killed(on, When::After, &EFFECTS).await;
}

on_both! {
    killed_before_any_effect_the_end_is_the_same,
    killed_in_any_change_the_end_is_the_same,
    killed_after_any_effect_the_end_is_the_same,
}
