//! How attempts end, and what follows.

use std::time::Duration;

use serde_json::json;

use super::World;
use crate::kinds::experiment::testing::with;
use crate::ledger::{AttemptResult, RunState};
use crate::observed::PodEnd;

#[test]
fn a_gang_runs_and_completes() {
    let mut world = World::gang(&json!({}));
    world.settle();
    assert_eq!(
        world.made,
        ["resnet-RUN-1-1-0", "resnet-RUN-1-1-1"]
            .map(|it| it.replace("RUN", &world.runs()[0].identity.short()))
    );
    assert_eq!(world.objects.len(), 1, "a Service");
    assert_eq!(world.status().0, "Starting");
    world.run().settle();
    assert_eq!(world.status().0, "Running");
    world.exit(1, 0).settle();
    assert_eq!(world.runs()[0].state, RunState::Open);
    world.exit(0, 0).settle();
    assert_eq!(world.runs()[0].state, RunState::Completed);
    assert_eq!(
        world.status(),
        ("Completed".into(), "all 2 pods ended well".into())
    );
    assert_eq!(
        (world.live().len(), world.objects.len()),
        (2, 0),
        "pods stay for their logs"
    );
    world.wait(15 * 60).settle();
    assert_eq!(world.live().len(), 0);
    world.wait(100_000).settle();
    assert_eq!(world.made.len(), 2, "a finished run never runs again");
}

#[test]
fn a_kept_pod_that_somebody_deletes_is_not_made_again() {
    let mut world = World::new(&json!({}));
    world.settle().run().exit(0, 0).settle();
    world.pods.clear();
    world.settle();
    assert_eq!(world.made.len(), 1);
}

#[test]
fn one_failure_restarts_the_gang_as_one() {
    let mut world = World::gang(&json!({}));
    world.settle().run().exit(1, 3).settle();
    assert_eq!(
        world.attempt().end.as_ref().unwrap().reason,
        "rank 1 exited with 3 (Error)"
    );
    assert_eq!(
        world.live(),
        ["1.0"],
        "the failed pod is recorded and gone, its peer is going"
    );
    assert!(world.fact(0).deleting.is_some());
    world.wait(60).settle();
    assert_eq!(world.trial().attempts.len(), 1, "the peer still runs");
    world.obey().settle();
    assert_eq!(world.live(), ["2.0", "2.1"]);
    assert_eq!(
        (world.trial().restarts, world.trial().interruptions),
        (1, 0)
    );
    world.run().exit(0, 0).exit(1, 0).settle();
    assert_eq!(world.runs()[0].state, RunState::Completed);
}

#[test]
fn last_words_are_kept_only_where_the_cluster_says_so() {
    for (cluster, kept) in [
        (json!({}), None),
        (json!({"lastWords": true}), Some("token=abc")),
    ] {
        let mut world = World::new(&json!({"maxRestarts": 0}));
        world.repository.cluster = with(&world.repository.cluster, &cluster);
        world.settle().run().exit(0, 1);
        let end = world.pod(0).end.as_mut().unwrap();
        end.last_words = Some("token=abc".into());
        world.settle();
        let end = world.attempt().ranks[0].end.as_ref().unwrap();
        assert_eq!(end.last_words.as_deref(), kept, "{cluster}");
        assert!(!format!("{:?}", world.status()).contains("token"));
    }
}

#[test]
fn restarts_are_counted_and_spaced() {
    let mut world = World::new(&json!({"maxRestarts": 2}));
    world.settle().run().exit(0, 1).settle();
    assert_eq!(world.live().len(), 0, "the next one waits for its backoff");
    let due = world.look().due.unwrap();
    assert_eq!(due.since(world.now).as_secs(), 2);
    assert!(world.status().1.contains("rank 0 exited with 1"));
    for _ in 0..2 {
        world.wait(400).settle().run().exit(0, 1).settle();
    }
    assert_eq!(world.runs()[0].state, RunState::Failed);
    let reason = "failed 3 times, maxRestarts is 2; the last time rank 0 exited with 1 (Error)";
    assert_eq!(world.status(), ("Failed".into(), reason.into()));
    assert_eq!(world.live(), ["3.0"], "the last pod stays for its logs");
    world.edit(&json!({"maxRestarts": 9}));
    world.wait(100_000).settle();
    assert_eq!(world.made.len(), 3);
}

#[test]
fn max_restarts_may_be_lowered_meanwhile() {
    let mut world = World::new(&json!({"maxRestarts": 5}));
    world.settle().run().exit(0, 1).settle();
    world.edit(&json!({"maxRestarts": 0}));
    world.settle();
    assert_eq!(world.runs()[0].state, RunState::Failed);
}

#[test]
fn exit_0_of_a_pod_that_was_asked_to_stop_is_an_interruption() {
    let mut world = World::new(&json!({"maxRestarts": 0}));
    world.settle().run();
    world.fact(0).deleting = Some(world.now);
    world.exit(0, 0).settle();
    assert_eq!(
        world.attempt().end.as_ref().unwrap().result,
        AttemptResult::Interrupted
    );
    world.wait(10).settle();
    assert_eq!(world.live(), ["2.0"]);
    assert_eq!(
        (world.trial().restarts, world.trial().interruptions),
        (0, 1)
    );
    // The program said itself that it was done.
    world.run();
    world.fact(0).deleting = Some(world.now);
    world.exit(0, 0);
    world.pod(0).end.as_mut().unwrap().marker = true;
    world.settle();
    assert_eq!(world.runs()[0].state, RunState::Completed);
}

#[test]
fn what_came_first_is_the_cause() {
    for (delete_first, result) in [
        (true, AttemptResult::Interrupted),
        (false, AttemptResult::Failed),
    ] {
        let mut world = World::gang(&json!({}));
        world.settle().run();
        if delete_first {
            world.fact(0).deleting = Some(world.now);
            world.wait(2).exit(1, 1);
        } else {
            world.exit(1, 1).wait(2);
            world.fact(0).deleting = Some(world.now);
        }
        world.exit(0, 143).settle();
        assert_eq!(world.attempt().end.as_ref().unwrap().result, result);
    }
}

#[test]
fn a_pod_that_vanished_interrupts() {
    let mut world = World::gang(&json!({}));
    world.settle().run().settle();
    let key = world.fact(1).key.clone();
    world.pods.remove(&key);
    world.settle();
    assert_eq!(world.made.len(), 2, "its name is not used again");
    assert_eq!(
        world.attempt().end.as_ref().unwrap().reason,
        "the pod of rank 1 vanished without an outcome"
    );
    assert!(world.attempt().ranks[1].vanished);
    world.go_on();
    assert_eq!(world.live(), ["2.0", "2.1"]);
    assert_eq!(world.trial().restarts, 0);
}

#[test]
fn an_incomplete_view_proves_nothing() {
    let mut world = World::gang(&json!({}));
    world.settle().run().settle();
    let pods = std::mem::take(&mut world.pods);
    world.complete = false;
    world.settle();
    assert!(world.attempt().end.is_none() && world.made.len() == 2);
    world.complete = true;
    world.pods = pods;
    world.settle();
    assert_eq!(world.status().0, "Running");
    let mut new = World::gang(&json!({}));
    new.complete = false;
    assert_eq!((new.settle().made.len(), new.ledger.is_none()), (0, true));
}

#[test]
fn endless_interruptions_end() {
    let mut world = World::new(&json!({}));
    world.settle();
    for _ in 0..100 {
        world.run();
        world.fact(0).deleting = Some(world.now);
        world.exit(0, 143).settle().wait(301).settle();
    }
    assert_eq!(world.runs()[0].state, RunState::Failed);
    assert!(
        world
            .status()
            .1
            .starts_with("interrupted 100 times in a row; the last time rank 0 was asked")
    );
    assert_eq!(world.trial().attempts.len(), 20, "old attempts are dropped");
    assert_eq!(world.attempt().number, 100);
}

#[test]
fn rank_0_alone_may_decide() {
    let mut world = World::gang(&json!({"success": "rank0"}));
    world.settle().run().exit(0, 0).settle();
    assert_eq!(world.runs()[0].state, RunState::Completed);
    assert!(world.fact(1).deleting.is_some(), "its peer is stopped");
    world.obey().settle();
    assert_eq!(world.live(), ["1.0"]);
    let mut world = World::gang(&json!({"success": "rank0"}));
    world
        .settle()
        .run()
        .exit(1, 0)
        .settle()
        .wait(100_000)
        .settle();
    assert_eq!(world.status().0, "Running", "others may end well before it");
}

#[test]
fn peers_that_hang_fail() {
    let mut world = World::gang(&json!({"peerDeadline": "5m"}));
    world.settle().run().exit(0, 0).settle();
    assert_eq!(world.look().due.unwrap().since(world.now).as_secs(), 300);
    world.wait(300).settle();
    assert_eq!(world.trial().restarts, 1);
    assert!(
        world
            .attempt()
            .end
            .as_ref()
            .unwrap()
            .reason
            .contains("peerDeadline, 5m")
    );
}

/// What keeps a peer from its node is no fault of the program.
#[test]
fn a_peer_that_was_never_placed_does_not_hang() {
    let mut world = World::gang(&json!({"peerDeadline": "5m"}));
    world.settle();
    let now = world.now;
    let first = world.pod(0);
    (first.node, first.started) = (Some("node-0".into()), Some(now));
    world.exit(0, 0).settle().wait(301).settle();
    assert_eq!(world.trial().restarts, 0);
    assert!(world.attempt().end.is_none());
}

#[test]
fn a_run_that_takes_too_long_has_failed() {
    let mut world = World::new(&json!({"maxRuntime": "1h"}));
    world.settle().wait(500).run().settle().wait(3599).settle();
    assert_eq!(world.status().0, "Running");
    world.wait(1).settle();
    assert_eq!(world.runs()[0].state, RunState::Failed);
    assert!(world.fact(0).deleting.is_some());
    assert_eq!(world.status().1, "it ran longer than maxRuntime, 1h");
}

#[test]
fn a_node_whose_clock_is_hours_behind_ends_nothing_by_a_deadline() {
    let behind = Duration::from_hours(5);
    let mut world = World::gang(&json!({"maxRuntime": "1h", "peerDeadline": "5m"}));
    world.settle().run();
    for rank in 0..2 {
        let pod = world.pod(rank);
        pod.started = pod.started.map(|at| at.minus(behind));
    }
    world.exit(0, 0);
    let end = world.pod(0).end.as_mut().unwrap();
    end.finished = end.finished.map(|at| at.minus(behind));
    world.settle().wait(299).settle();
    assert_eq!(world.status().0, "Running");
    world.wait(1).settle();
    assert_eq!(world.trial().restarts, 1);
}

#[test]
fn a_pod_that_never_ran_is_an_interruption() {
    let mut world = World::new(&json!({}));
    world.settle().bind();
    world.pod(0).end = Some(PodEnd {
        exit_code: None,
        reason: "UnexpectedAdmissionError".into(),
        asked: false,
        last_words: None,
        marker: false,
        succeeded: false,
        finished: None,
    });
    world.settle();
    assert_eq!(
        (world.trial().restarts, world.trial().interruptions),
        (0, 1)
    );
}

/// One who may not see the namespace is told which right is missing, and nothing is begun. Until it
/// is known whether it may, nothing is said.
#[test]
fn a_missing_right_is_told_and_nothing_begins() {
    let mut world = World::gang(&json!({}));
    world.complete = false;
    assert_eq!(world.look().ledger, None, "the listing is under way");
    let words = "the services of the namespace `vision` cannot be seen: services is forbidden";
    world.unreadable = Some(words.into());
    world.step();
    let ledger = world.ledger.clone().unwrap();
    assert!(ledger.runs.is_empty() && world.made.is_empty());
    let status = world.look().status;
    assert_eq!(
        (&*status.state, status.message.as_deref()),
        ("Waiting", Some(words))
    );
    // Once it is granted, all goes its way; its place in the queue is that of its first sight.
    (world.complete, world.unreadable) = (true, None);
    world.step().step();
    assert_eq!(world.made.len(), 2);
    assert_eq!(world.ledger.clone().unwrap().sequence, ledger.sequence);
    // Taken away again, what runs goes on, and its status says what is not seen.
    (world.complete, world.unreadable) = (false, Some(words.into()));
    world.step();
    assert_eq!((world.made.len(), world.pods.len()), (2, 2));
    assert_eq!(world.look().status.message.as_deref(), Some(words));
}
