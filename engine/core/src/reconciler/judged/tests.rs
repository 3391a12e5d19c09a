//! Another daemon leads, which read other commits; or the ledger could not be read at first.

use std::time::Duration;

use serde_json::json;

use super::*;
use crate::desired::fixture::{CLUSTER, Repository, experiment};
use crate::ids::{ObjectKey, ObjectKind};
use crate::reconciler::testing::{SMALL, World};
use crate::reconciler::{HaltReason, Input, Role};

const BROKEN: &str = "  resources: {slotsPerTrail: 1}\n";

/// One whose loader has read what is committed so far.
fn standby(world: &World) -> Repository {
    let mut other = Repository {
        files: world.repository.files.clone(),
        objects: world.repository.objects.clone(),
        commits: world.repository.commits,
        ..Repository::default()
    };
    other.again().unwrap();
    other
}

/// From now on it is this loader that reads what is committed.
fn reads(world: &mut World, loader: Repository) {
    world.repository = Repository {
        files: world.repository.files.clone(),
        objects: world.repository.objects.clone(),
        commits: world.repository.commits,
        ..loader
    };
}

/// The daemon is gone; another one, whose loader this is, reads all that was committed since at once.
fn take_over(world: &mut World, standby: Repository) {
    reads(world, standby);
    world.start();
    world.later();
}

fn says(world: &mut World, rest: &str) {
    world.put("a.yaml", &experiment("a", rest));
    world.commit();
    world.later();
}

/// Its pods run, and that is pushed.
fn runs(world: &mut World) {
    for pod in world.of(ObjectKind::Pod) {
        world.change(&pod, |pod| {
            pod["spec"]["nodeName"] = "n1".into();
            pod["status"] = json!({"phase": "Running", "startTime": "1970-01-12T13:46:41Z"});
        });
    }
    world.later();
    assert_eq!(world.status().0, "Running");
}

fn pods(world: &World) -> Vec<ObjectKey> {
    world.of(ObjectKind::Pod)
}

/// The experiment `a` runs, and a loader that has read all but its document.
fn running() -> (World, Repository) {
    let mut world = World::new();
    let before = standby(&world);
    world.put("a.yaml", &experiment("a", SMALL));
    world.start();
    runs(&mut world);
    (world, before)
}

/// One that knows nothing yet is in the place of the daemon.
fn another(world: &mut World) {
    world.done.clear();
    world.reconciler = Reconciler::new(world.reconciler.options.clone());
}

/// It added and applied a document that is not valid any more.
#[test]
fn a_new_leader_that_never_read_the_valid_form_deletes_nothing() {
    let (mut world, other) = running();
    let made = pods(&world);
    says(&mut world, BROKEN);
    take_over(&mut world, other);
    assert_eq!(world.done, [] as [&str; 0]);
    assert_eq!(pods(&world), made);
    let (state, words) = world.status();
    assert_eq!(state, "Running");
    assert!(words.contains("slotsPerTrail"), "{words}");
}

/// The same, of one that stood by in the same process.
#[test]
fn one_that_stood_by_deletes_nothing() {
    let (mut world, mut other) = running();
    says(&mut world, BROKEN);
    another(&mut world);
    world.input(Input::Role(Role::Follower { holder: "a".into() }));
    let first = other.again().unwrap();
    world.input(Input::Snapshot(Arc::new(first)));
    reads(&mut world, other);
    world.commit();
    assert!(world.step().is_empty());
    world.input(world.leads());
    world.rest();
    world.later();
    assert_eq!(world.done, [] as [&str; 0]);
    assert_eq!(world.status().0, "Running");
}

/// It has not read yet what the other one applied: it looks for the tip before it does anything.
#[test]
fn a_new_leader_that_lags_looks_for_the_tip_first() {
    let (mut world, mut other) = running();
    says(&mut world, BROKEN);
    another(&mut world);
    world.input(world.leads());
    other.loader.forget();
    let first = other.again().unwrap();
    assert!(first.is_clear());
    world.input(Input::Snapshot(Arc::new(first)));
    reads(&mut world, other);
    world.read_outside();
    assert!(!world.reconciler.is_judged() && !world.reconciler.ready());
    assert_eq!(world.reconciler.due(), None);
    world.settle();
    world.later();
    assert!(world.reconciler.is_judged());
    assert_eq!(world.done, [] as [&str; 0]);
    assert_eq!(world.status().0, "Running");
}

/// It replaced the run by another one; then the document broke.
#[test]
fn a_new_leader_puts_no_older_form_in_force() {
    let (mut world, _) = running();
    let other = standby(&world);
    says(&mut world, &format!("{SMALL}  run: 2\n"));
    runs(&mut world);
    let made = pods(&world);
    says(&mut world, BROKEN);
    take_over(&mut world, other);
    assert_eq!(world.done, [] as [&str; 0]);
    assert_eq!(pods(&world), made);
    assert_eq!(world.status().0, "Running");
}

/// What was withdrawn, and comes again and is not valid, stays withdrawn.
#[test]
fn a_new_leader_brings_nothing_back_that_was_withdrawn() {
    let (mut world, _) = running();
    let other = standby(&world);
    world.repository.files.remove("a.yaml");
    world.commit();
    world.later();
    assert_eq!(pods(&world), []);
    says(&mut world, BROKEN);
    take_over(&mut world, other);
    assert_eq!(world.done, [] as [&str; 0]);
}

/// It suspended the cluster; then that document broke.
#[test]
fn a_new_leader_goes_by_the_cluster_that_was_in_force() {
    let (mut world, _) = running();
    let other = standby(&world);
    for rest in ["  state: suspended\n", "  state: suspend\n"] {
        world.put("cluster.yaml", &format!("{CLUSTER}{rest}"));
        world.commit();
        world.later();
    }
    take_over(&mut world, other);
    let pod = pods(&world).remove(0);
    let ended = json!({"exitCode": 1, "finishedAt": "1970-01-12T13:50:00Z"});
    world.change(&pod, |pod| {
        pod["status"] = json!({
            "phase": "Failed",
            "containerStatuses": [{"name": "task", "state": {"terminated": ended}}],
        });
    });
    world.later();
    let made = |it: &String| it.starts_with("create");
    assert!(!world.done.iter().any(made), "{:?}", world.done);
}

/// At the start the ledger could not be read, so that nothing was in force as far as the loader knew.
#[test]
fn a_ledger_that_is_restored_tells_what_is_in_force() {
    let (mut world, _) = running();
    says(&mut world, BROKEN);
    let branch = world.branch.clone();
    for (path, text) in &mut world.branch {
        if path.starts_with("experiment/") {
            text.truncate(10);
        }
    }
    world.repository = standby(&world);
    world.begin();
    world.rest();
    let halt = world.reconciler.halted().unwrap();
    assert_eq!(halt.reason, HaltReason::Ledger);
    world.branch = branch;
    world.wait(Duration::from_mins(2));
    world.settle();
    world.later();
    assert_eq!(world.reconciler.halted(), None);
    assert_eq!(world.done, [] as [&str; 0]);
    assert_eq!(world.status().0, "Running");
}

/// The branch does not know yet what was in force when the document broke; who led all the time does.
#[test]
fn one_that_leads_on_knows_what_it_did_not_push() {
    let (mut world, _) = running();
    let first = pods(&world);
    let away = world.now.plus(Duration::from_mins(2));
    world.reconciler.book.not_before = away;
    world.put("a.yaml", &experiment("a", &format!("{SMALL}  run: 2\n")));
    world.commit();
    while pods(&world).is_empty() || pods(&world) == first {
        assert!(world.turn());
    }
    let (tip, made) = (world.commits, pods(&world));
    world.put("a.yaml", &experiment("a", BROKEN));
    world.commit();
    world.reconciler.outside.stale = true;
    world.done.clear();
    for _ in 0..3 {
        world.turn();
    }
    assert!(world.reconciler.is_judged());
    assert_eq!(world.commits, tip, "something was pushed");
    world.settle();
    runs(&mut world);
    assert_eq!(pods(&world), made);
    let gone = |it: &String| made.iter().any(|pod| *it == format!("delete {pod}"));
    assert!(!world.done.iter().any(gone), "{:?}", world.done);
}

/// What nobody asked for is judged by a ledger that may be old.
#[test]
fn a_snapshot_that_was_judged_unasked_is_compared_with_the_branch() {
    let (mut world, _) = running();
    says(&mut world, BROKEN);
    assert!(world.reconciler.is_judged());
    let mut other = standby(&world);
    other.loader.forget();
    let desired = other.again().unwrap();
    world.done.clear();
    world.input(Input::Snapshot(Arc::new(desired)));
    assert!(!world.reconciler.is_judged());
    world.settle();
    world.later();
    assert!(world.reconciler.is_judged());
    assert_eq!(world.done, [] as [&str; 0]);
    assert_eq!(world.status().0, "Running");
}
