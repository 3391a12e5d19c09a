//! What is left afterwards: nothing.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use berth_tests::controlplane::{ControlPlane, Options, Programs};
use berth_tests::e2e::Stage;
use berth_tests::node::{Node, Traces, tools};

use crate::play::Play;

/// Set in the process that plays the one that dies.
pub const DIES: &str = "BERTH_TEST_DIES";
/// How long the remains of a killed test may take to go.
const PATIENCE: Duration = Duration::from_mins(1);

/// The names of all that is in a namespace.
fn objects(stage: &Stage, namespace: &str) -> Vec<String> {
    let kinds = ["pods", "services", "configmaps"];
    let all = kinds.map(|kind| stage.cluster.objects(kind, namespace));
    let names = all.iter().flatten();
    let names = names.filter_map(|it| it["metadata"]["name"].as_str());
    // Every namespace has this one.
    names
        .filter(|name| *name != "kube-root-ca.crt")
        .map(str::to_owned)
        .collect()
}

/// No document, and nothing of any is left in the cluster; of Berth, only its anchor.
pub async fn nothing_in_the_cluster(play: &mut Play) {
    let stage = &mut play.stage;
    let (own, queue) = (stage.names().own(), stage.names().queue());
    let before = objects(stage, &queue);
    assert!(!before.is_empty(), "nothing was there before either");
    stage
        .repository
        .git(&["rm", "-r", "--quiet", "experiments"]);
    stage
        .repository
        .commit("Remove all experiments\n\nBerth-Allow-Prune: all");
    stage
        .wait("the queue's namespace is empty", |stage| {
            objects(stage, &queue).is_empty().then_some(())
        })
        .await;
    assert_eq!(objects(stage, &own), ["berth-lab"]);
    stage.check();
    stage.stop().await;
}

/// No process, mount, link, cgroup or file of the node.
pub fn nothing_on_the_machine(play: Play) {
    let traces = play.node.traces();
    drop(play);
    assert_eq!(traces.left(), [""; 0]);
}

/// Nor of one whose test was killed while a container ran.
pub async fn nothing_of_a_test_that_was_killed() {
    let mut dies = Command::new(std::env::current_exe().unwrap());
    let dies = dies
        .env(DIES, "1")
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    assert!(!dies.status.success());
    let said = String::from_utf8_lossy(&dies.stdout);
    let traces = said.lines().find_map(|line| line.strip_prefix("TRACES "));
    let traces = Traces::from_line(traces.unwrap()).unwrap();
    let end = Instant::now() + PATIENCE;
    while !traces.left().is_empty() && Instant::now() < end {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(traces.left(), [""; 0]);
}

/// Plays the one that dies.
pub async fn die() {
    let tools = tools().unwrap().unwrap();
    let programs = Programs::find().unwrap();
    let options = Options::without_nodes();
    let plane = ControlPlane::start(&programs, &options).await.unwrap();
    let mut node = Node::join(&tools, &plane).await.unwrap();
    node.run("runs").await.unwrap();
    println!("TRACES {}", node.traces().to_line());
    std::process::abort();
}
