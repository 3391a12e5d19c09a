//! What a change of the document does.

use serde_json::json;

use super::World;
use crate::kinds::experiment::testing::with;
use crate::ledger::RunState;
use crate::observed::Fact;

#[test]
fn a_pause_stops_and_a_resume_goes_on() {
    let mut world = World::gang(&json!({}));
    world.settle().run().settle();
    world.edit(&json!({"state": "paused"}));
    world.step();
    assert_eq!(
        (world.status().0, world.objects.len()),
        ("Pausing".into(), 0)
    );
    world.obey().settle();
    assert_eq!((world.status().0, world.live().len()), ("Paused".into(), 0));
    assert_eq!(
        (world.trial().restarts, world.trial().interruptions),
        (0, 0)
    );
    world.wait(1000).settle();
    world.edit(&json!({"state": "active"}));
    world.settle();
    assert_eq!(
        world.live(),
        ["2.0", "2.1"],
        "at once, and by the next number"
    );
    assert_eq!(world.runs().len(), 1);
}

#[test]
fn a_cancel_is_final() {
    let mut world = World::gang(&json!({}));
    world.settle().run().settle();
    world.edit(&json!({"state": "canceled"}));
    world.settle().obey().settle();
    assert_eq!(
        (world.status().0, world.live().len()),
        ("Canceled".into(), 0)
    );
    assert_eq!(world.status().1, "canceled by its document");
    for asked in ["active", "paused"] {
        world.edit(&json!({"state": asked}));
        world.settle().wait(1000).settle();
        let (state, message) = world.status();
        assert_eq!((&*state, world.made.len()), ("Canceled", 2));
        assert!(message.contains("raise `run` to run it again"), "{message}");
    }
    world.edit(&json!({"state": "active"}));
    world.edit(&json!({"run": 2}));
    assert_eq!(world.settle().made.len(), 4);
}

#[test]
fn a_change_of_identity_replaces_an_unfinished_run() {
    let mut world = World::gang(&json!({}));
    world.settle().run().settle();
    let first = world.runs()[0].identity;
    world.edit(&json!({"hyperparameters": {"lr": 0.2}}));
    world.step();
    assert!(world.look().prunes, "the prune guard hears of it");
    world.settle();
    assert_eq!(world.made.len(), 2, "the old pods go first");
    world.obey().settle();
    assert_eq!((world.live().len(), world.runs().len()), (2, 2));
    assert_eq!(
        (world.runs()[0].state, world.runs()[1].state),
        (RunState::Open, RunState::Open)
    );
    assert!(
        world.runs()[0].trials[0].attempts[0]
            .end
            .as_ref()
            .unwrap()
            .reason
            .starts_with("replaced by the run")
    );
    // Going back continues the first run with its next attempt.
    world.run().edit(&json!({"hyperparameters": {"lr": 0.1}}));
    world.settle().obey().settle();
    assert_eq!(world.live(), ["2.0", "2.1"]);
    assert!(world.made[5].contains(&first.short()));
    assert_eq!(world.look().status.run, Some(first.short()));
}

#[test]
fn a_replaced_run_goes_on_while_the_queue_lets_nothing_begin() {
    for state in ["hold", "drain"] {
        let mut world = World::gang(&json!({}));
        world.settle().run().settle();
        let first = world.runs()[0].identity.short();
        let service = world.objects.first().unwrap().clone();
        world.services = vec![Fact {
            key: service.clone(),
            pod: None,
            ..world.fact(0).clone()
        }];
        world.repository.queue = with(&world.repository.queue, &json!({"state": state}));
        world.edit(&json!({"hyperparameters": {"lr": 0.2}}));
        world.settle().obey().settle();
        assert_eq!(world.live(), ["1.0", "1.1"], "{state}");
        assert!(world.objects.contains(&service), "its Service stays");
        assert!(!world.look().prunes);
        let (at, words) = world.status();
        assert_eq!(at, "Waiting");
        assert!(
            words.contains(&format!("the run {first} goes on until then")),
            "{words}"
        );
        // What is paused is paused.
        let active = world.repository.clone();
        world.edit(&json!({"state": "paused"}));
        assert_eq!(world.look().objects.len(), 0);
        world.repository = active;
        world.repository.queue = with(&world.repository.queue, &json!({"state": "active"}));
        world.settle().obey().settle();
        assert_eq!((world.live().len(), world.made.len()), (2, 4), "{state}");
        assert!(!world.made[2].contains(&first), "the new one runs");
    }
    // Going back to an earlier run, finished or not, waits too.
    for finished in [false, true] {
        let mut world = World::gang(&json!({}));
        world.settle().run().settle();
        if finished {
            world.exit(0, 0).exit(1, 0).settle();
        }
        world.edit(&json!({"hyperparameters": {"lr": 0.2}}));
        world.settle().obey().settle().run().settle();
        let (live, made) = (world.live(), world.made.len());
        world.repository.queue = with(&world.repository.queue, &json!({"state": "hold"}));
        world.edit(&json!({"hyperparameters": {"lr": 0.1}}));
        world.settle().obey().settle();
        assert_eq!((world.live(), world.made.len()), (live, made), "{finished}");
    }
    // It ends as it would have.
    let mut world = World::gang(&json!({}));
    world.settle().run().settle();
    world.repository.queue = with(&world.repository.queue, &json!({"state": "hold"}));
    world.edit(&json!({"hyperparameters": {"lr": 0.2}}));
    world.settle().exit(0, 0).exit(1, 0).settle();
    assert_eq!(world.runs()[0].state, RunState::Completed);
}

#[test]
fn an_unchanged_run_that_is_stopped_by_a_guard_goes_on() {
    // The prune guard holds the deletion: nothing happens to the pods, and the commit is reverted.
    let mut world = World::gang(&json!({}));
    world.settle().run().settle();
    world.withdrawn = true;
    world.ledger = world.look().ledger;
    assert!(world.ledger.as_ref().unwrap().withdrawn);
    assert!(world.look().prunes && world.look().objects.is_empty() && world.look().asks[0].holds);
    world.withdrawn = false;
    world.settle();
    assert_eq!((world.status().0, world.made.len()), ("Running".into(), 2));
}

#[test]
fn a_finished_run_stays_finished() {
    let mut world = World::new(&json!({}));
    world.settle().run().exit(0, 0).settle();
    let short = world.runs()[0].identity.short();
    world.edit(&json!({"image": "train:2"}));
    world.settle();
    assert_eq!(world.made.len(), 2, "a new run beside it");
    assert_eq!(world.live().len(), 2, "whose logs stay");
    world.run().exit_newest(0).settle();
    world.edit(&json!({"image": "train:1"}));
    world.settle().wait(10_000).settle();
    assert_eq!(world.made.len(), 2);
    let words = format!("already ran as {short}; raise `run` to run it again");
    assert_eq!(world.status(), ("Completed".into(), words));
    world.edit(&json!({"run": 2}));
    assert_eq!(world.settle().made.len(), 3);
}

#[test]
fn a_removed_document_keeps_its_past() {
    let mut world = World::gang(&json!({}));
    world.settle().run().settle();
    world.withdrawn = true;
    world.settle().obey().settle();
    assert_eq!(
        (world.live().len(), world.status().0),
        (0, "Withdrawn".into())
    );
    assert_eq!(world.runs()[0].state, RunState::Open);
    world.wait(1000).settle();
    world.withdrawn = false;
    world.settle();
    assert_eq!(world.live(), ["2.0", "2.1"]);
    world.run().exit(0, 0).exit(1, 0).settle();
    world.withdrawn = true;
    world.settle();
    assert_eq!(world.live().len(), 0);
    world.withdrawn = false;
    world.settle().wait(10).settle();
    assert_eq!(
        (world.made.len(), world.status().0),
        (4, "Completed".into())
    );
    assert!(!world.ledger.as_ref().unwrap().withdrawn);
}

#[test]
fn a_removed_document_still_completes() {
    let mut world = World::new(&json!({}));
    world.settle().run().settle();
    world.withdrawn = true;
    // The guard holds the deletion, and the program ends meanwhile.
    world.ledger = world.look().ledger;
    world.exit(0, 0).settle();
    assert_eq!(world.runs()[0].state, RunState::Completed);
}

#[test]
fn layers_take_effect_at_the_next_attempt() {
    let mut world = World::gang(&json!({}));
    world.settle().run().settle();
    world.repository.defaults = json!({"gpu": {"spec": {"tolerations": [{"key": "new"}]}}});
    world.settle();
    assert_eq!(
        (world.status().0, world.look().status.outdated),
        ("Running".into(), vec!["PodDefaults".to_owned()])
    );
    world.exit(1, 1).go_on();
    assert_eq!(
        (world.live().len(), world.look().status.outdated.len()),
        (2, 0)
    );
}

#[test]
fn another_split_is_told_and_takes_effect_at_the_next_attempt() {
    for rollout in ["nextAttempt", "replaceAttempt"] {
        let mut world = World::gang(&json!({"rollout": rollout}));
        world.settle().run().settle();
        assert_eq!(world.look().status.outdated, [] as [&str; 0]);
        let pods = world.live().len();
        world.repository.queue["maxSlotsPerPod"] = json!(4);
        world.settle().obey().settle();
        let told = vec!["maxSlotsPerPod".to_owned()];
        assert_eq!(
            (world.live().len(), world.look().status.outdated),
            (pods, told)
        );
        world.exit(1, 1).go_on();
        assert_eq!(
            (world.live().len(), world.look().status.outdated.len()),
            (2 * pods, 0)
        );
    }
}

#[test]
fn layers_take_effect_at_once_if_asked() {
    let mut world = World::gang(&json!({"rollout": "replaceAttempt"}));
    world.settle().run().settle();
    world.repository.defaults = json!({"gpu": {"spec": {"tolerations": [{"key": "new"}]}}});
    world.settle().obey().settle();
    assert_eq!(world.live(), ["2.0", "2.1"]);
    assert_eq!(
        (
            world.trial().restarts,
            world.trial().interruptions,
            world.runs().len()
        ),
        (0, 0, 1)
    );
    assert_eq!(
        world.trial().attempts[0].end.as_ref().unwrap().reason,
        "replaced, as PodDefaults changed"
    );
    world.settle();
    assert_eq!(world.made.len(), 4);
}

#[test]
fn what_changes_in_place_stops_nothing() {
    let mut world = World::gang(&json!({}));
    world.settle().run().settle();
    world.edit(&json!({"description": "x", "maxRestarts": 9, "resources": {"priority": 99}, "maxRuntime": "9h"}));
    world.settle();
    assert_eq!(
        (
            world.made.len(),
            world.runs().len(),
            world.look().status.outdated.len()
        ),
        (2, 1, 0)
    );
    assert_eq!(world.look().asks[0].priority, 99);
}

#[test]
fn edits_of_a_waiting_document_leave_no_runs_behind() {
    let mut world = World::new(&json!({"state": "paused"}));
    for lr in 0..9 {
        world.edit(&json!({"hyperparameters": {"lr": lr}}));
        world.settle();
    }
    assert_eq!(world.runs().len(), 1);
}

#[test]
fn an_old_run_that_is_open_counts_on() {
    let mut world = World::new(&json!({}));
    for image in 1..=9 {
        world.edit(&json!({"image": format!("train:{image}")}));
        world.settle().run().settle().exit_newest(1).settle();
    }
    world.edit(&json!({"image": "train:1"}));
    world.settle().wait(10).settle();
    assert_eq!(world.live(), ["2.0"]);
    assert_eq!(
        (world.runs()[0].trials[0].restarts, world.runs().len()),
        (1, 9)
    );
}

#[test]
fn a_run_whose_history_is_unknown_is_held() {
    let mut world = World::gang(&json!({}));
    world.settle().run().settle();
    world.ledger.as_mut().unwrap().runs[0].state = RunState::Unknown;
    world.settle();
    assert_eq!((world.status().0, world.live().len()), ("Held".into(), 2));
    // There is no next attempt for what is changed: only another run takes it.
    world.edit(&json!({"pod": {"metadata": {"labels": {"team": "audio"}}}}));
    world.settle();
    assert_eq!((world.status().0, world.live().len()), ("Held".into(), 2));
    assert_eq!(world.look().status.outdated, [] as [&str; 0]);
    world.edit(&json!({"run": 2}));
    world.settle().obey().settle();
    assert_eq!((world.live().len(), world.made.len()), (2, 4));
    assert_eq!(world.runs()[0].state, RunState::Unknown);
}

#[test]
fn finished_runs_are_never_forgotten() {
    let mut world = World::new(&json!({}));
    for run in 1..=12 {
        world.edit(&json!({"run": run}));
        world
            .settle()
            .run()
            .exit_newest(0)
            .settle()
            .wait(1000)
            .settle();
    }
    assert_eq!(world.runs().len(), 12);
    assert!(world.runs()[0].trials.is_empty() && !world.runs()[11].trials.is_empty());
    world.edit(&json!({"run": 1}));
    world.settle();
    assert_eq!(
        (world.made.len(), world.status().0),
        (12, "Completed".into())
    );
}
