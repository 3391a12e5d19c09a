//! The daemon dies and starts again.

use std::time::Duration;

use serde_json::json;

use super::World;
use crate::ids::{Digest, ObjectKind};
use crate::kinds::experiment::testing::with;
use crate::kinds::{NodeState, Upkeep};
use crate::ledger::{AttemptResult, RunState};
use crate::observed::Fact;

#[test]
fn an_attempt_that_was_not_kept_is_found_again_by_its_pods() {
    let mut world = World::gang(&json!({}));
    world.step();
    let attempt = world.attempt().clone();
    world.ledger = None;
    world.wait(30).step();
    let found = world.attempt();
    assert_eq!(
        (found.number, found.began, found.pods, found.slots),
        (1, attempt.began, 2, 8)
    );
    assert_eq!(
        found.layers, attempt.layers,
        "its pods carry the digest of today's layers"
    );
    assert_eq!(world.runs()[0].began, attempt.began);
    assert_eq!(world.made.len(), 2);
    world.run().exit(0, 0).exit(1, 0).settle();
    assert_eq!(world.runs()[0].state, RunState::Completed);
}

#[test]
fn a_half_made_gang_is_completed() {
    let mut world = World::gang(&json!({}));
    world.step();
    let key = world.fact(1).key.clone();
    world.pods.remove(&key);
    world.made.pop();
    world.crash().settle();
    assert_eq!(world.live(), ["1.0", "1.1"]);
    assert_eq!(world.trial().attempts.len(), 1);
}

#[test]
fn pods_of_other_layers_are_told_apart() {
    let mut world = World::gang(&json!({}));
    world.step().crash();
    world.repository.defaults = json!({});
    world.step();
    assert_eq!(world.look().status.outdated, ["unknown"]);
}

#[test]
fn a_failure_that_was_not_kept_is_decided_the_same_way() {
    let mut world = World::gang(&json!({}));
    world.settle().run().settle();
    world.exit(1, 1).step();
    assert_eq!(world.trial().restarts, 1);
    // Its peer is being deleted by us; then the daemon dies.
    world.crash().obey().settle();
    let end = world.trial().attempts[0].end.as_ref().unwrap();
    assert_eq!(
        (end.result, end.reason.as_str()),
        (AttemptResult::Failed, "rank 1 exited with 1 (Error)")
    );
    assert_eq!(world.trial().restarts, 1);
}

#[test]
fn nothing_is_released_before_it_is_kept() {
    let mut world = World::new(&json!({}));
    world.settle().run().exit(0, 0).step();
    let key = world.fact(0).key.clone();
    assert_eq!(world.last.release, [key]);
    let ledger = world.last.ledger.as_ref().unwrap();
    assert!(ledger.runs[0].trials[0].attempts[0].ranks[0].end.is_some());
    assert!(world.fact(0).finalizer);
    world.keep();
    assert!(!world.fact(0).finalizer);
}

#[test]
fn a_replaced_run_that_was_not_kept_is_known_by_its_pods() {
    let mut world = World::gang(&json!({}));
    world.step().run();
    let first = world.runs()[0].identity;
    world.ledger = None;
    world.edit(&json!({"image": "train:2"}));
    world.settle().obey().settle();
    assert_eq!((world.runs().len(), world.made.len()), (2, 4));
    world.edit(&json!({"image": "train:1"}));
    world.settle().obey().settle();
    assert_eq!(
        world.runs()[0].identity,
        first,
        "its identity is whole again"
    );
    assert!(
        world.live().contains(&"2.0".to_owned()),
        "and no name is used twice"
    );
}

/// What the last attempt left is found by the next one, wherever checkpoints go by then.
#[test]
fn a_trial_keeps_its_checkpoints_where_they_are() {
    // Of the next pod that is made.
    let uri = |world: &mut World| {
        let made = world.made.len();
        while world.made.len() == made {
            world.step().keep();
        }
        let mut objects = world.last.objects.iter();
        let pod = objects.find(|it| it.key.kind == ObjectKind::Pod).unwrap();
        let env = &(pod.body)()["spec"]["containers"][0]["env"];
        let mut env = env.as_array().unwrap().iter();
        let uri = env.find(|it| it["name"] == "BERTH_CHECKPOINT_URI");
        uri.unwrap()["value"].as_str().unwrap().to_owned()
    };
    let elsewhere = json!({"checkpointStorage": {"uri": "s3://elsewhere"}});
    for own in [false, true] {
        let mut world = World::new(&json!({}));
        let first = uri(&mut world);
        assert!(first.starts_with("s3://checkpoints/lab/"), "{first}");
        world.run().settle();
        if own {
            world.edit(&elsewhere);
        } else {
            let cluster = with(&world.repository.cluster, &elsewhere);
            world.repository.cluster = cluster;
        }
        world.exit(0, 1).settle().wait(400);
        assert_eq!(uri(&mut world), first, "{own}");
        assert_eq!(world.attempt().number, 2);
        // Another run begins anew.
        world.run().edit(&json!({"hyperparameters": {"lr": 0.2}}));
        world.settle().obey();
        assert!(uri(&mut world).starts_with("s3://elsewhere/"), "{own}");
        assert_eq!(world.runs().len(), 2);
    }
}

/// The pods of an attempt and their Service are of one version.
#[test]
fn the_service_that_another_version_made_stays_until_its_attempt_ends() {
    let mut world = World::gang(&json!({}));
    world.settle().run().settle();
    let service = |world: &World| {
        let want = world.look();
        let mut objects = want.objects.into_iter();
        objects.find(|it| it.key.kind == ObjectKind::Service)
    };
    let ours = service(&world).unwrap();
    let theirs = Digest::from_bytes([7; 32]);
    for (digest, deleting, upkeep, wanted) in [
        (ours.digest, None, Upkeep::Converged, ours.digest),
        (theirs, None, Upkeep::Frozen, theirs),
        (theirs, Some(world.now), Upkeep::Converged, ours.digest),
    ] {
        world.services = vec![Fact {
            key: ours.key.clone(),
            digest: Some(digest),
            deleting,
            pod: None,
            ..world.fact(0).clone()
        }];
        let kept = service(&world).unwrap();
        assert_eq!((kept.upkeep, kept.digest), (upkeep, wanted));
    }
    world.exit(0, 1).settle();
    assert_eq!(service(&world).map(|it| it.key), None);
}

/// It finished while nobody looked, and its document asks for something else meanwhile: what is not
/// seen yet has not stopped.
#[test]
fn a_stop_is_told_of_pods_that_are_seen() {
    let asks = [Some("paused"), Some("canceled"), None];
    for ask in asks {
        let mut world = World::new(&json!({}));
        world.settle().run().settle();
        match ask {
            Some(state) => world.edit(&json!({"state": state})),
            None => world.withdrawn = true,
        }
        let unseen = std::mem::take(&mut world.pods);
        world.complete = false;
        world.settle();
        assert_eq!(world.attempt().end, None, "{ask:?}");
        (world.unheard, world.complete) = (unseen.keys().next().cloned(), true);
        world.settle();
        assert_eq!(world.attempt().end, None, "{ask:?}");
        (world.unheard, world.pods) = (None, unseen);
        world.exit(0, 0).settle();
        let end = world.attempt().end.clone().unwrap();
        assert_eq!(end.result, AttemptResult::Completed, "{ask:?}: {end:?}");
    }
}

#[test]
fn a_document_and_a_ledger_that_are_both_gone_leave_their_outcomes() {
    let mut world = World::gang(&json!({}));
    world.settle().run().settle();
    (world.ledger, world.withdrawn) = (None, true);
    world.settle().obey().settle();
    assert_eq!(world.live().len(), 0);
    assert_eq!(world.attempt().ranks.len(), 2);
}

/// A kubelet may report after all, though its node was gone: what it says takes the place of what
/// was presumed.
#[test]
fn a_late_report_takes_the_place_of_a_presumed_end() {
    let mut world = World::new(&json!({}));
    world.settle().run().settle();
    world.edit(&json!({"state": "paused"}));
    world.settle();
    // The server's clock is ahead of ours.
    world.fact(0).deleting = Some(world.now.plus(Duration::from_secs(20)));
    world.nodes.insert("node-0".into(), NodeState::Gone);
    world.step();
    let recorded = |world: &World| world.attempt().ranks[0].end.clone().unwrap();
    assert_eq!(recorded(&world).reason, "NodeLost");
    assert_eq!(recorded(&world).finished, Some(world.now), "not in future");
    world.exit(0, 137).step();
    assert_eq!(recorded(&world).exit_code, Some(137));
}
