//! What changes around a run that goes on: the cluster stands still, the queue moves, the server
//! takes its time.

use serde_json::json;

use super::World;
use crate::ids::ObjectKind;
use crate::kinds::experiment::testing::with;
use crate::ledger::RunState;

fn set_cluster(world: &mut World, state: &str) {
    world.repository.cluster = with(&world.repository.cluster, &json!({"state": state}));
}

#[test]
fn a_suspended_cluster_begins_nothing_and_no_deadline_passes() {
    let mut world = World::gang(&json!({"maxRestarts": 0, "startDeadline": "15s"}));
    set_cluster(&mut world, "suspended");
    world.settle().wait(3600).settle();
    let waits = ("Waiting".into(), "the cluster is suspended".into());
    assert_eq!(world.status(), waits);
    assert_eq!((world.made.len(), world.look().asks.len()), (0, 0));
    assert!(world.runs()[0].trials.is_empty(), "no attempt is used up");
    set_cluster(&mut world, "active");
    world.settle().run().settle();
    assert_eq!(world.live(), ["1.0", "1.1"]);
}

#[test]
fn what_was_begun_when_the_cluster_was_suspended_is_not_ended_by_it() {
    let mut world = World::new(&json!({"maxRestarts": 0, "startDeadline": "15s"}));
    world.settle().bind();
    set_cluster(&mut world, "suspended");
    world.wait(3600).settle();
    assert_eq!(
        world.status(),
        ("Starting".into(), "the cluster is suspended".into())
    );
    assert!(world.attempt().end.is_none());
    assert_eq!(world.look().due, None, "nothing is due");
    // What the program itself does is taken in all the same.
    world.run().settle().exit(0, 0).settle();
    assert_eq!(world.runs()[0].state, RunState::Completed);
}

#[test]
fn the_time_before_pods_are_on_nodes_is_none_of_their_start() {
    let mut world = World::gang(&json!({"maxRestarts": 0, "startDeadline": "1m"}));
    world.settle();
    // A quota or a webhook refuses them, or the scheduler finds no place.
    world.wait(300).settle();
    world.bind().settle();
    assert_eq!(world.look().due.unwrap().since(world.now).as_secs(), 60);
    world.wait(59).settle();
    assert!(world.attempt().end.is_none());
    world.wait(1).settle();
    assert_eq!(world.runs()[0].state, RunState::Failed);
}

#[test]
fn an_attempt_stays_in_the_namespace_where_it_began() {
    let mut world = World::gang(&json!({}));
    world.settle().run().settle();
    let before = world.objects.clone();
    assert_eq!(before.len(), 1, "a Service");
    world.repository.queue = with(&world.repository.queue, &json!({"namespace": "other-ns"}));
    world.settle();
    assert_eq!(world.objects, before, "the gang keeps its Service");
    // Also for a daemon that starts now and finds one pod not made yet.
    world.crash().settle();
    assert_eq!(world.objects, before);
    world.exit(1, 1).go_on();
    assert_eq!(world.live(), ["2.0", "2.1"]);
    let namespaces = |kind: ObjectKind| {
        let pods = world.pods.keys().filter(move |key| key.kind == kind);
        let others = world.objects.iter().filter(move |key| key.kind == kind);
        let mut all: Vec<&str> = pods.chain(others).map(|key| &*key.namespace).collect();
        all.dedup();
        all
    };
    for kind in ObjectKind::ALL {
        assert_eq!(namespaces(kind), ["other-ns"], "{kind:?}");
    }
}

#[test]
fn a_gang_whose_pods_are_not_all_made_is_completed_where_it_began() {
    let mut world = World::gang(&json!({}));
    world.settle().run().settle();
    let second = world.fact(1).key.clone();
    world.pods.remove(&second);
    let ledger = world.ledger.as_mut().unwrap();
    ledger.runs[0].trials[0].attempts[0]
        .ranks
        .retain(|it| it.rank == 0);
    world.repository.queue = with(&world.repository.queue, &json!({"namespace": "other-ns"}));
    let want = world.look();
    let pods = want
        .objects
        .iter()
        .filter(|it| it.key.kind == ObjectKind::Pod);
    let keys: Vec<_> = pods.map(|it| it.key.clone()).collect();
    assert!(keys.contains(&second), "{keys:?}");
    assert!(keys.iter().all(|key| *key.namespace == *second.namespace));
}
