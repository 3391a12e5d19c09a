//! Admission, nodes and starting.

use serde_json::json;

use super::World;
use crate::kinds::NodeState;
use crate::kinds::experiment::testing::with;
use crate::ledger::RunState;

#[test]
fn nothing_starts_without_a_grant() {
    let mut world = World::gang(
        &json!({"resources": {"priority": 70}, "pod": {"spec": {"nodeSelector": {"a": "b"}}}}),
    );
    world.granted = false;
    world.settle();
    assert_eq!((world.made.len(), world.objects.len()), (0, 0));
    assert_eq!(
        world.status(),
        ("Waiting".into(), "8 of 64 slots are free".into())
    );
    let want = world.look();
    let [ask] = want.asks.as_slice() else {
        panic!("one ask")
    };
    assert_eq!(
        (ask.pods, ask.slots, ask.priority, ask.sequence, ask.holds),
        (2, 16, 70, 7, false)
    );
    let each = ask.each.as_ref().unwrap();
    assert_eq!((&*each.resource, each.millis), ("nvidia.com/gpu", 8000));
    assert_eq!(ask.node_selector, [("a".into(), "b".into())]);
    assert_eq!(&*ask.tolerations[0].key, "nvidia.com/gpu");
    world.granted = true;
    world.settle();
    let asks = world.look().asks;
    assert!(asks.len() == 1 && asks[0].holds && asks[0].attempt.2 == 1);
}

#[test]
fn a_gang_that_is_not_wholly_placed_goes_back_to_the_queue() {
    let mut world = World::gang(&json!({"maxRestarts": 0}));
    world.settle();
    world.pod(0).node = Some("node-0".into());
    world.pod(1).unschedulable = Some("0/3 nodes are available".into());
    assert_eq!(
        world.status(),
        ("Starting".into(), "rank 1: 0/3 nodes are available".into())
    );
    assert_eq!(world.look().due.unwrap().since(world.now).as_secs(), 600);
    world.wait(600).settle();
    assert_eq!(
        world.live(),
        ["1.0"],
        "the unbound pod is recorded and gone"
    );
    world.obey().settle();
    world.wait(2).settle();
    assert_eq!(world.live(), ["2.0", "2.1"]);
    assert_eq!(world.trial().restarts, 0);
    let reason = &world.trial().attempts[0].end.as_ref().unwrap().reason;
    assert_eq!(
        reason,
        "its pods were not all on nodes within gangTimeout, 10m: 0/3 nodes are available"
    );
}

#[test]
fn waiting_for_a_place_never_fails_a_run() {
    let mut world = World::new(&json!({"maxRestarts": 0}));
    world.settle();
    for _ in 0..240 {
        world.wait(1000).settle();
    }
    assert_eq!(world.runs()[0].state, RunState::Open);
    assert!(world.attempt().number > 100);
}

#[test]
fn a_pod_that_does_not_start_fails_with_the_words_of_the_kubelet() {
    let mut world = World::new(&json!({"maxRestarts": 0, "startDeadline": "20m"}));
    world.settle().bind();
    world.pod(0).waiting = Some("ImagePullBackOff: no such image".into());
    assert_eq!(
        world.settle().status(),
        (
            "Starting".into(),
            "rank 0: ImagePullBackOff: no such image".into()
        )
    );
    world.wait(20 * 60).settle();
    assert_eq!(world.runs()[0].state, RunState::Failed);
    let words = "rank 0 did not run within startDeadline, 20m: ImagePullBackOff: no such image; maxRestarts is 0";
    assert_eq!(world.status().1, words);
}

#[test]
fn what_the_server_refuses_is_said_in_its_words() {
    let mut world = World::new(&json!({}));
    world.refused = Some("exceeded quota: pods=10".into());
    world.step();
    assert_eq!(
        world.status(),
        ("Refused".into(), "exceeded quota: pods=10".into())
    );
}

#[test]
fn a_lost_node_is_waited_for() {
    for (rules, state, starts) in [
        (json!({}), NodeState::Unknown, false),
        (json!({}), NodeState::Silent, false),
        (json!({}), NodeState::Gone, true),
        (json!({"onLostNode": "overlap"}), NodeState::Unknown, true),
        (json!({"onLostNode": "overlap"}), NodeState::Silent, true),
    ] {
        let mut world = World::gang(&rules);
        world.settle().run().settle();
        world.nodes.insert("node-1".into(), state);
        world.fact(1).deleting = Some(world.now);
        world.settle();
        assert!(world.attempt().end.is_some());
        // The kubelet of node 0 answers, that of node 1 does not.
        if world.pods.values().any(|it| it.key.name.ends_with("-0")) {
            world.exit(0, 143);
        }
        world.settle().wait(60).settle();
        assert_eq!(world.made.len() == 4, starts, "{rules} {state:?}");
        if !starts {
            assert!(
                world.status().1.contains("does not answer"),
                "{:?}",
                world.status()
            );
            world.nodes.insert("node-1".into(), NodeState::Gone);
            world.settle();
            assert_eq!(world.made.len(), 4);
        }
    }
}

#[test]
fn a_pod_that_does_not_answer_but_stays_is_left_alone() {
    let mut world = World::gang(&json!({}));
    world.settle().run().settle();
    // What is not read, as while the nodes are listed anew, is no news to tell.
    world.nodes.insert("node-1".into(), NodeState::Unknown);
    world.settle();
    assert_eq!(world.status(), ("Running".into(), String::new()));
    world.nodes.insert("node-1".into(), NodeState::Silent);
    world.wait(100).settle();
    assert!(world.attempt().end.is_none());
    let silent = "rank 1: its node node-1 does not answer or is not ready";
    assert_eq!(world.status(), ("Running".into(), silent.into()));
    world.nodes.insert("node-1".into(), NodeState::Live);
    world.settle();
    assert_eq!(world.status(), ("Running".into(), String::new()));
    world.nodes.insert("node-1".into(), NodeState::Silent);
    world.settle();
    world.nodes.insert("node-1".into(), NodeState::Gone);
    world.settle();
    assert!(
        world
            .attempt()
            .end
            .as_ref()
            .unwrap()
            .reason
            .starts_with("the node node-1 of pod")
    );
}

#[test]
fn a_pod_that_may_just_have_been_made_is_waited_for() {
    let mut world = World::gang(&json!({}));
    world.settle().run().settle();
    let lost = world.fact(1).key.clone();
    world.unheard = Some(lost.clone());
    // Rank 1 was given out, but the watch has not shown it yet.
    let hidden = world.pods.remove(&lost).unwrap();
    let ledger = world.ledger.as_mut().unwrap();
    let attempts = &mut ledger.runs[0].trials[0].attempts;
    attempts[0].ranks.retain(|it| it.rank == 0);
    world.exit(0, 1).step().keep().wait(60).step().keep().step();
    assert_eq!(world.trial().attempts.len(), 1, "{:?}", world.status());
    world.pods.insert(lost, hidden);
    world.unheard = None;
    world.settle().obey().settle();
    assert_eq!(world.trial().attempts.len(), 2);
}

#[test]
fn a_held_queue_starts_no_new_run() {
    let queue = |world: &mut World, state: &str| {
        world.repository.queue = with(&world.repository.queue, &json!({"state": state}));
    };
    let mut world = World::new(&json!({}));
    queue(&mut world, "hold");
    world.settle();
    assert_eq!(
        (world.status(), world.look().asks.len()),
        (("Waiting".into(), "the queue is on hold".into()), 0)
    );
    queue(&mut world, "active");
    world.settle().run().settle();
    queue(&mut world, "hold");
    world.exit(0, 1).go_on();
    assert_eq!(
        world.live(),
        ["2.0"],
        "an attempt that fails is started again"
    );
    queue(&mut world, "drain");
    world.settle();
    assert_eq!(world.status().0, "Running");
    world.exit(0, 1).go_on();
    assert_eq!(
        world.status(),
        ("Waiting".into(), "the queue is draining".into())
    );
}

#[test]
fn a_lower_maximum_leaves_live_attempts_alone() {
    let mut world = World::gang(&json!({}));
    world.settle().run().settle();
    world.repository.cluster = with(&world.repository.cluster, &json!({"maxSlotsPerPod": 4}));
    world.settle();
    assert_eq!(world.live().len(), 2);
    world.crash().settle();
    assert_eq!((world.attempt().pods, world.attempt().slots), (2, 8));
    world.exit(1, 1).go_on();
    assert_eq!(world.live(), ["2.0", "2.1", "2.2", "2.3"]);
    assert_eq!((world.attempt().pods, world.attempt().slots), (4, 4));
    assert_eq!(world.look().asks[0].slots, 16);
}

#[test]
fn what_is_stopped_on_a_node_that_does_not_answer_says_so() {
    let silent = "its node node-1 does not answer or is not ready";
    for (change, state) in [
        (Some(json!({"state": "paused"})), "Pausing"),
        (None, "Withdrawn"),
    ] {
        let mut world = World::gang(&json!({}));
        world.settle().run().settle();
        world.nodes.insert("node-1".into(), NodeState::Silent);
        match &change {
            Some(change) => {
                world.edit(change);
            }
            None => world.withdrawn = true,
        }
        world.step();
        for rank in [0, 1] {
            world.fact(rank).deleting = Some(world.now);
        }
        world.exit(0, 143).step();
        let (told, message) = world.status();
        assert_eq!(told, state);
        assert!(message.contains(silent), "{state}: {message}");
    }
}
