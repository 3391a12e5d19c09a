//! What a reconciler does on a cluster that does what it is told: what is held, and what an upgrade
//! changes.

mod drift;
mod guard;
mod leave;
mod spill;
mod superseded;
mod unmarked;

use std::time::Duration;

use serde_json::{Value as Json, json};

use super::testing::World;
use super::{Input, Role, WatchEvent, WatchKey};
use crate::desired::fixture::experiment;
use crate::ids::{CommitId, ObjectKey, ObjectKind, ResourceVersion, Timestamp, UnitId};
use crate::observed::marks;

const GANG: &str = "  resources: {slotsPerTrial: 16}\n";

fn runs_on(name: &str) -> impl FnOnce(&mut Json) + '_ {
    move |pod| {
        pod["spec"]["nodeName"] = name.into();
        pod["status"] = json!({"phase": "Running", "startTime": "1970-01-12T13:46:41Z"});
    }
}

/// A gang of two pods that are made.
fn gang() -> World {
    let mut world = World::new();
    world.put("a.yaml", &experiment("a", GANG));
    world.start();
    world
}

/// A gang of two pods that runs.
fn running() -> World {
    let mut world = gang();
    for (pod, node) in world.of(ObjectKind::Pod).iter().zip(["n1", "n2"]) {
        world.change(pod, runs_on(node));
    }
    assert_eq!(world.status().0, "Running");
    assert_eq!(world.done.len(), 3, "{:?}", world.done);
    world.done.clear();
    world
}

#[test]
fn what_is_held_is_told_to_differ_and_neither_corrected_nor_deleted() {
    let mut world = running();
    let service = world.of(ObjectKind::Service).remove(0);
    let drift = |world: &World| -> Vec<(String, bool)> {
        let entries = world.reconciler.drift();
        entries.map(|it| (it.object.clone(), it.held)).collect()
    };
    world.change(&service, |object| {
        object["metadata"]["annotations"][marks::HOLD] = "kim looks at it".into();
        object["spec"]["publishNotReadyAddresses"] = false.into();
    });
    assert_eq!(world.done, [] as [&str; 0]);
    assert_eq!(drift(&world), [(service.to_string(), true)]);
    let held = format!("`berth.dev/hold` on {service} stops all work on it");
    assert_eq!(world.status(), ("Running".to_owned(), held.clone()));

    // A commit that takes the document away takes all away but what is held.
    world.repository.files.remove("a.yaml");
    world.commit();
    world.settle();
    assert!(world.done.len() > 1, "{:?}", world.done);
    let touched = |world: &World| {
        world
            .done
            .iter()
            .any(|it| it.contains(&service.to_string()))
    };
    assert!(!touched(&world), "{:?}", world.done);
    assert!(world.status().1.contains(&held), "{:?}", world.status());

    world.change(&service, |object| {
        let annotations = object["metadata"]["annotations"].as_object_mut();
        annotations.unwrap().remove(marks::HOLD);
    });
    assert_eq!(world.done.last().unwrap(), &format!("delete {service}"));
    assert!(!world.status().1.contains(&held), "{:?}", world.status());
}

#[test]
fn what_is_held_is_corrected_once_it_is_let_go() {
    let mut world = running();
    let service = world.of(ObjectKind::Service).remove(0);
    world.change(&service, |object| {
        object["metadata"]["annotations"][marks::HOLD] = "".into();
        object["spec"]["publishNotReadyAddresses"] = false.into();
    });
    assert_eq!(world.done, [] as [&str; 0]);
    world.change(&service, |object| {
        let annotations = object["metadata"]["annotations"].as_object_mut();
        annotations.unwrap().remove(marks::HOLD);
    });
    assert_eq!(world.done, [format!("apply {service}")]);
}

/// The version before made Services of another form, and pods that would get
/// another body today.
#[test]
fn an_upgrade_that_renders_differently_touches_nothing_that_runs() {
    let mut world = running();
    for (key, object) in &mut world.objects {
        let other = "00".repeat(32);
        object["metadata"]["annotations"][marks::DIGEST] = other.into();
        match key.kind {
            ObjectKind::Pod => object["spec"]["terminationGracePeriodSeconds"] = 5.into(),
            ObjectKind::Service => object["spec"]["publishNotReadyAddresses"] = false.into(),
        }
    }
    world.start();
    assert_eq!(world.done, [] as [&str; 0]);
    assert_eq!(world.status().0, "Running");
}

/// A daemon that was killed left a Service; the next one has no room for the attempt yet, and may not
/// delete it. Once there is room it is wanted, and nothing is refused any more.
#[test]
fn a_refused_deletion_is_forgotten_once_the_object_is_wanted_again() {
    let mut world = running();
    world
        .objects
        .retain(|key, _| key.kind == ObjectKind::Service);
    world.branch.clear();
    world.commits = 0;
    (world.nodes, world.refuses_deletes) = (Vec::new(), true);
    world.start();
    let (_, words) = world.status();
    assert!(words.contains("no right to delete"), "{words}");

    world.nodes = vec!["n1", "n2"];
    world.now = world.now.plus(Duration::from_hours(1));
    world.settle();
    for (pod, node) in world.of(ObjectKind::Pod).iter().zip(["n1", "n2"]) {
        world.change(pod, runs_on(node));
    }
    assert_eq!(world.status(), ("Running".to_owned(), String::new()));
}

/// Another daemon may have written while this one did not hold the Lease, and its watches may lag:
/// it lists again before it makes anything.
#[test]
fn whoever_wins_the_lease_back_lists_again_first() {
    let mut world = running();
    let tenure = world.reconciler.tenure();
    let follower = Input::Role(Role::Follower { holder: "b".into() });
    for role in [follower, world.leads()] {
        world.reconciler.input(world.now, role);
    }
    assert_eq!(world.reconciler.tenure(), tenure + 1);
    assert!(!world.reconciler.ready());
    let other = experiment("b", "  resources: {slotsPerTrial: 0}\n");
    world.put("b.yaml", &other);
    world.commit();
    assert!(world.turn(), "the branch is read again");
    world.turn();
    assert_eq!(world.done, [] as [&str; 0], "nothing was listed yet");
    world.settle();
    assert!(
        world.done.iter().any(|it| it.starts_with("create Pod")),
        "{:?}",
        world.done
    );
}

/// A node is deleted and made again, and a pod is bound to the new one. The watch of the pods tells
/// so before that of the nodes tells anything: the news that the old node went stops nothing.
#[test]
fn a_node_that_went_before_the_pod_came_stops_nothing() {
    let mut world = gang();
    let gone = WatchEvent::NodeGone("n1".into(), ResourceVersion(world.version));
    for (pod, node) in world.of(ObjectKind::Pod).iter().zip(["n1", "n2"]) {
        world.change_alone(pod, runs_on(node));
    }
    assert_eq!(world.status().0, "Running");
    world.done.clear();
    world.tell(WatchKey::Nodes, gone);
    assert_eq!(world.done, [] as [&str; 0]);
    assert_eq!(world.status().0, "Running");
    let version = ResourceVersion(world.version);

    // No new one came: the node went after all, and the gang is started again.
    let passed = WatchEvent::Passed(version);
    world.tell(WatchKey::Nodes, passed);
    assert!(!world.done.is_empty());
}

/// A daemon that died before it kept anything of a launch: the next one finds it by its pods.
#[test]
fn a_launch_that_was_never_kept_loses_nothing() {
    let mut world = gang();
    world.branch.clear();
    world.commits = 0;
    // Its Service is seen before its pods are.
    world.begin();
    world.list(|watch| !matches!(watch, WatchKey::Ours(ObjectKind::Pod, _)));
    world.rest();
    world.settle();
    assert_eq!(world.done, [] as [&str; 0]);
}

/// What was made for a history that was rewritten since may go once that is allowed, though it is seen
/// only later, and the server's clock is an hour ahead of ours.
#[test]
fn a_rewrite_that_is_allowed_early_covers_what_is_seen_late() {
    let mut world = running();
    for object in world.objects.values_mut() {
        let meta = &mut object["metadata"];
        meta["annotations"][marks::COMMIT] = CommitId::from_bytes([200; 20]).to_string().into();
        meta["creationTimestamp"] = world.now.plus(Duration::from_hours(1)).to_string().into();
    }
    world.begin();
    // Something is recorded at last, though not all is seen.
    let commits = world.commits;
    for _ in 0..60 {
        world.turn();
    }
    assert!(world.commits > commits);
    world.repository.files.remove("a.yaml");
    world.repository.trailers = vec![("Berth-Allow-Rewrite".to_owned(), "yes".to_owned())];
    world.commit();
    world.turn();
    world.settle();
    assert_eq!(world.of(ObjectKind::Pod), []);
}

fn succeeded() -> Json {
    let ended = json!({"exitCode": 0, "reason": "Completed", "finishedAt": "1970-01-12T13:50:00Z"});
    json!({"phase": "Succeeded", "containerStatuses": [{"name": "task", "state": {"terminated": ended}}]})
}

/// A gang whose programs run.
fn started() -> World {
    let mut world = running();
    for pod in world.of(ObjectKind::Pod) {
        world.change(&pod, |object| {
            let running = json!({"startedAt": "1970-01-12T13:46:42Z"});
            object["status"]["containerStatuses"] =
                json!([{"name": "task", "state": {"running": running}}]);
        });
    }
    world
}

/// What a new daemon reads may lie a day ahead of its own clock, or a day back.
#[test]
fn a_clock_that_jumps_between_two_lives_ends_nothing_and_runs_nothing_twice() {
    let day = Duration::from_hours(24);
    for jump in [
        |now: Timestamp, by| now.plus(by),
        |now: Timestamp, by| now.minus(by),
    ] {
        let mut world = started();
        world.later();
        world.now = jump(world.now, day);
        world.begin();
        world.settle();
        assert_eq!(world.done, [] as [&str; 0]);
        assert_eq!(world.status().0, "Running");
        // How it ends meanwhile counts once, and it is not begun again.
        for pod in world.of(ObjectKind::Pod) {
            world.objects.get_mut(&pod).unwrap()["status"] = succeeded();
        }
        for _ in 0..2 {
            world.now = jump(world.now, day);
            world.begin();
            world.later();
            assert_eq!(world.status().0, "Completed");
            let made = world.done.iter().filter(|it| it.starts_with("create"));
            assert_eq!(made.count(), 0, "{:?}", world.done);
        }
    }
}

/// Within a life it may jump, too: what was worked out at a later time stands.
#[test]
fn a_clock_that_jumps_back_and_forth_undoes_nothing() {
    let mut world = started();
    let began = world.now;
    for by in [3600, 60, 7200, 0] {
        world.now = began.plus(Duration::from_secs(by));
        world.settle();
        assert_eq!(world.status().0, "Running");
    }
    let deleted = world.done.iter().filter(|it| it.starts_with("delete"));
    assert_eq!(deleted.count(), 0, "{:?}", world.done);
}

/// Whoever moves the status branch is noticed before anything is begun by a ledger that may be none.
#[test]
fn a_status_branch_that_somebody_moved_is_read_again_first() {
    let mut world = running();
    world.later();
    let ours = world.reconciler.book.tip;
    world.put("b.yaml", &experiment("b", ""));
    for (tip, reads) in [
        (ours, false),
        (None, true),
        (Some(CommitId::from_bytes([99; 20])), true),
    ] {
        world.input(Input::Tip(tip));
        let effects = world.step();
        let reload = |effect: &super::Effect| matches!(effect.what, super::What::Reload);
        assert_eq!(effects.iter().any(reload), reads, "{tip:?}");
        if reads {
            assert_eq!(effects.len(), 1, "{effects:?}");
            world.begin();
            world.settle();
        }
    }
}

/// A gang has no rendezvous while its Service is gone.
#[test]
fn a_service_that_was_fought_over_and_deleted_is_made_at_once() {
    let mut world = running();
    let service = world.of(ObjectKind::Service).remove(0);
    for _ in 0..6 {
        world.change_alone(&service, |object| {
            object["spec"]["selector"] = json!({"a": "b"});
        });
    }
    assert!(world.status().1.contains("again and again"));
    world.done.clear();
    world.take_away(&service);
    assert_eq!(world.done, [format!("create {service}")]);
    world.later();
    assert_eq!(world.status(), ("Running".into(), String::new()));
    assert_eq!(world.reconciler.drift().count(), 0);
}
