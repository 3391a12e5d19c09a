//! Berth on a real node: containerd, runc and a kubelet run real containers beside the real control
//! plane, and the daemon keeps them as a repository says. `make node-test` builds and runs it; it
//! needs root and packages, and says so where they are missing.
//!
//! One node plays all scenarios, one after the other; arguments are parts of the names of those to
//! play.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking, its helpers too"
)]

mod documents;
mod endings;
mod gang;
mod interruptions;
mod left;
mod names;
mod play;

use std::panic::{AssertUnwindSafe, resume_unwind};
use std::time::Instant;

use berth_tests::node::{Tools, tools};
use futures::FutureExt as _;
use futures::future::LocalBoxFuture;

use play::Play;

type Scenario = for<'a> fn(&'a mut Play) -> LocalBoxFuture<'a, ()>;

macro_rules! scenarios {
    ($($module:ident::$scenario:ident),* $(,)?) => {
        &[$((stringify!($scenario), |play| $module::$scenario(play).boxed_local())),*]
    };
}

const SCENARIOS: &[(&str, Scenario)] = scenarios![
    names::a_name_is_known_before_its_pod_is_ready,
    gang::a_gang_meets_trains_and_goes_on_from_its_checkpoint,
    interruptions::an_eviction_and_a_pause_are_no_successes,
    interruptions::work_that_was_done_when_asked_to_stop_counts,
    interruptions::a_program_that_must_be_killed_has_not_failed,
    endings::an_oom_is_named,
    endings::an_image_that_is_not_there_is_named,
    endings::a_container_beside_the_task_keeps_no_pod_alive,
];
const KILLED: &str = "nothing_is_left_of_a_test_that_was_killed";

#[tokio::main]
async fn main() {
    if std::env::var_os(left::DIES).is_some() {
        return left::die().await;
    }
    let arguments = std::env::args().skip(1);
    let words: Vec<String> = arguments.filter(|word| !word.starts_with('-')).collect();
    let asked = |name: &str| words.is_empty() || words.iter().any(|word| name.contains(word));
    let scenarios: Vec<_> = SCENARIOS.iter().filter(|(name, _)| asked(name)).collect();
    if scenarios.is_empty() && !asked(KILLED) {
        eprintln!("node: no case matches {words:?}");
        std::process::exit(1);
    }
    let tools = match tools() {
        Ok(Some(tools)) => tools,
        Ok(None) => return,
        Err(error) => panic!("{error}"),
    };
    if !scenarios.is_empty() {
        play(&tools, &scenarios).await;
    }
    if asked(KILLED) {
        let began = Instant::now();
        left::nothing_of_a_test_that_was_killed().await;
        passed(KILLED, began);
    }
}

/// Plays scenarios on one node, and tells how long each took.
async fn play(tools: &Tools, scenarios: &[&(&str, Scenario)]) {
    let began = Instant::now();
    let mut play = Play::begin(tools).await;
    passed("a_node_joins", began);
    for (name, scenario) in scenarios {
        let began = Instant::now();
        let played = AssertUnwindSafe(scenario(&mut play)).catch_unwind().await;
        if let Err(panic) = played {
            println!("node: {name} ... FAILED\n{}", play.node.last_words());
            resume_unwind(panic);
        }
        passed(name, began);
    }
    let began = Instant::now();
    left::nothing_in_the_cluster(&mut play).await;
    left::nothing_on_the_machine(play);
    passed("nothing_is_left", began);
}

fn passed(scenario: &str, began: Instant) {
    let seconds = began.elapsed().as_secs_f64();
    println!("node: {scenario} ... ok, {seconds:.1} s");
}
