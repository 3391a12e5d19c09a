//! What a reconciler does on a cluster that does what it is told: what is held, and what an upgrade
//! changes.

use std::time::Duration;

use serde_json::{Value as Json, json};

use super::testing::{SMALL, World};
use super::{Input, Role, WatchEvent, WatchKey, What};
use crate::desired::fixture::{CLUSTER, QUEUE, blob, experiment};
use crate::ids::{CommitId, ObjectKey, ObjectKind, ResourceVersion};
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

/// What somebody does to the marks of a pod.
type Unmark = fn(&mut Json);

const UNMARKS: [(&str, Unmark); 7] = [
    ("the instance", |meta| {
        drop_one(meta, "labels", marks::INSTANCE);
    }),
    ("the id", |meta| drop_one(meta, "annotations", marks::ID)),
    ("all annotations", |meta| meta["annotations"] = json!({})),
    ("all labels", |meta| meta["labels"] = json!({})),
    ("the run", |meta| drop_one(meta, "labels", marks::RUN)),
    ("another experiment", |meta| {
        meta["annotations"][marks::UNIT] = "Experiment/vision/b".into();
    }),
    ("another attempt", |meta| {
        meta["labels"][marks::ATTEMPT] = "7".into();
    }),
];

fn drop_one(meta: &mut Json, field: &str, name: &str) {
    meta[field].as_object_mut().unwrap().remove(name).unwrap();
}

#[test]
fn a_pod_that_lost_its_marks_gets_them_back_and_nothing_runs_twice() {
    for while_down in [false, true] {
        for (what, unmark) in UNMARKS {
            let mut world = running();
            let pod = world.of(ObjectKind::Pod).remove(1);
            let before = world.objects[&pod]["metadata"].clone();
            world.later();
            if while_down {
                unmark(&mut world.objects.get_mut(&pod).unwrap()["metadata"]);
                world.start();
            } else {
                world.change_alone(&pod, |object| unmark(&mut object["metadata"]));
            }
            let mark = format!("mark {pod}");
            assert!(
                world.done.iter().all(|it| *it == mark),
                "{what}: {:?}",
                world.done
            );
            assert!(!world.done.is_empty(), "{what}");
            assert_eq!(world.status().0, "Running", "{what}: {:?}", world.status());
            let after = &world.objects[&pod]["metadata"];
            for (field, name) in [
                ("labels", marks::INSTANCE),
                ("labels", marks::RUN),
                ("labels", marks::SERVICE),
                ("labels", marks::ATTEMPT),
                ("annotations", marks::ID),
                ("annotations", marks::UNIT),
                ("annotations", marks::COMMIT),
            ] {
                assert_eq!(after[field][name], before[field][name], "{what}: {name}");
            }
            // Its end is recorded and its finalizer comes off, as if nothing had been.
            world.done.clear();
            for pod in world.of(ObjectKind::Pod) {
                world.change(&pod, |object| object["status"] = succeeded());
            }
            world.later();
            assert_eq!(
                world.status().0,
                "Completed",
                "{what}: {:?}",
                world.status()
            );
            assert!(
                world.done.contains(&format!("release {pod}")),
                "{what}: {:?}",
                world.done
            );
        }
    }
}

fn succeeded() -> Json {
    let ended = json!({"exitCode": 0, "reason": "Completed", "finishedAt": "1970-01-12T13:50:00Z"});
    json!({"phase": "Succeeded", "containerStatuses": [{"name": "task", "state": {"terminated": ended}}]})
}

/// Who takes Berth away finds it, whatever it does or does not do to it now.
#[test]
fn a_pod_that_lost_its_marks_is_looked_for_whatever_stands_still() {
    let suspended = format!("{CLUSTER}  state: suspended\n");
    let cases = [
        ("cluster.yaml", suspended, false),
        ("a.yaml", experiment("a", "  nonsense: 1\n"), false),
        // Nothing of it can be read any more.
        ("a.yaml", experiment("a", "  nonsense: 1\n"), true),
    ];
    for (path, text, unreadable) in cases {
        let mut world = running();
        world.later();
        let pod = world.of(ObjectKind::Pod).remove(1);
        unmark_while_down(&mut world, &pod);
        world.put(path, &text);
        if unreadable {
            let old = blob(&experiment("a", GANG));
            world.repository.objects.remove(&old);
            world.repository.loader.forget();
        }
        world.begin();
        world.step();
        let stands_still = world.reconciler.desired().unwrap().frozen().len();
        assert_eq!(stands_still, usize::from(unreadable));
        world.listed();
        let now = world.now;
        let found = world.reconciler.find_unmarked(now);
        let keys = found.iter().filter_map(|effect| match &effect.what {
            What::Mark { key, .. } => Some(key),
            _ => None,
        });
        assert_eq!(keys.collect::<Vec<_>>(), [&pod], "{path} {unreadable}");
    }
}

#[test]
fn a_pod_that_is_not_seen_has_vanished_once_the_server_says_so() {
    let mut world = running();
    let pod = world.of(ObjectKind::Pod).remove(0);
    world.take_away(&pod);
    assert_eq!(world.done[0], format!("mark {pod}"));
    world.later();
    let made = world.done.iter().filter(|it| it.starts_with("create Pod"));
    assert_eq!(made.count(), 2, "{:?}", world.done);
}

#[test]
fn a_document_that_is_removed_takes_its_unmarked_pods_along() {
    let mut world = running();
    let pod = world.of(ObjectKind::Pod).remove(1);
    world.later();
    unmark_while_down(&mut world, &pod);
    world.repository.files.remove("a.yaml");
    world.put("b.yaml", &experiment("b", "  state: paused\n"));
    world.start();
    assert_eq!(world.done[0], format!("mark {pod}"), "{:?}", world.done);
    assert!(
        world.done.contains(&format!("delete {pod}")),
        "{:?}",
        world.done
    );
}

fn unmark_while_down(world: &mut World, pod: &ObjectKey) {
    let meta = &mut world.objects.get_mut(pod).unwrap()["metadata"];
    drop_one(meta, "labels", marks::INSTANCE);
}

#[test]
fn a_document_that_is_moved_does_not_run_twice_while_the_rule_keeps_its_old_run() {
    let mut world = running();
    world.later();
    let rule = |most: u32| format!("{CLUSTER}  prune: {{maxDeletions: {most}}}\n");
    world.put("cluster.yaml", &rule(0));
    let audio = QUEUE.replace("vision", "audio");
    world.put("audio.yaml", &audio);
    let moved = experiment("a", GANG).replace("queue: vision", "queue: audio");
    world.put("a.yaml", &moved);
    // Also for a daemon that begins then.
    for begins in [false, true] {
        if begins {
            world.start();
        } else {
            world.commit();
        }
        world.later();
        assert_eq!(world.done, [] as [&str; 0], "{begins}");
        let (state, words) = world.status();
        assert_eq!(state, "Waiting");
        assert!(words.contains("Experiment/vision/a"), "{words}");
    }
    world.put("cluster.yaml", &rule(1));
    world.commit();
    world.later();
    let made = world
        .done
        .iter()
        .filter(|it| it.starts_with("create Pod audio"));
    assert_eq!(made.count(), 2, "{:?}", world.done);
    let gone = world
        .done
        .iter()
        .filter(|it| it.starts_with("delete Pod vision"));
    assert_eq!(gone.count(), 2, "{:?}", world.done);
}

#[test]
fn a_pod_that_ended_without_its_marks_says_again_for_which_commit_it_was_made() {
    let mut world = running();
    world.later();
    let pod = world.of(ObjectKind::Pod).remove(0);
    let before = world.objects[&pod]["metadata"].clone();
    let object = world.objects.get_mut(&pod).unwrap();
    object["metadata"]["labels"] = json!({});
    object["metadata"]["annotations"] = json!({});
    object["status"] = succeeded();
    world.start();
    world.later();
    let after = &world.objects[&pod]["metadata"]["annotations"];
    assert_eq!(after[marks::COMMIT], before["annotations"][marks::COMMIT]);
}

#[test]
fn a_removal_that_was_not_allowed_is_not_by_a_restart_or_another_commit() {
    for (restarts, broken) in [(false, false), (true, false), (true, true)] {
        let mut world = World::new();
        if broken {
            // It is judged anew after the restart.
            world.put("c.yaml", &experiment("c", "  nonsense: 1\n"));
        }
        world.put(
            "cluster.yaml",
            &format!("{CLUSTER}  prune: {{maxDeletions: 1}}\n"),
        );
        for name in ["a", "b"] {
            world.put(&format!("{name}.yaml"), &experiment(name, SMALL));
        }
        world.start();
        let pods = world.of(ObjectKind::Pod);
        for pod in &pods {
            world.change(pod, runs_on("n1"));
        }
        world.later();
        for name in ["a", "b"] {
            world.repository.files.remove(&format!("{name}.yaml"));
        }
        world.commit();
        world.later();
        world.change(&pods[0], |object| object["status"] = succeeded());
        world.later();
        if restarts {
            world.start();
        } else {
            world.commit();
        }
        world.later();
        let delete = format!("delete {}", pods[1]);
        assert!(
            !world.done.contains(&delete),
            "{restarts}: {:?}",
            world.done
        );
        world.put(
            "cluster.yaml",
            &format!("{CLUSTER}  prune: {{maxDeletions: 2}}\n"),
        );
        world.commit();
        world.later();
        assert!(world.done.contains(&delete), "{restarts}: {:?}", world.done);
    }
}

/// Its removal was not allowed; it is there again, and not valid. Whether it is wanted is not known.
#[test]
fn nothing_is_deleted_of_what_is_there_and_not_in_force() {
    let mut world = running();
    world.later();
    let pods = world.of(ObjectKind::Pod);
    let rule = |most: u32| format!("{CLUSTER}  prune: {{maxDeletions: {most}}}\n");
    world.put("cluster.yaml", &rule(0));
    world.repository.files.remove("a.yaml");
    world.commit();
    world.later();
    world.put("cluster.yaml", &rule(1));
    world.put("a.yaml", &experiment("a", "  nonsense: 1\n"));
    world.commit();
    world.later();
    assert_eq!(world.of(ObjectKind::Pod), pods);
    let (state, words) = world.status();
    assert_eq!(state, "Held");
    assert!(words.contains("its document is there"), "{words}");
    world.put("a.yaml", &experiment("a", GANG));
    world.commit();
    world.later();
    assert_eq!(world.done, [] as [&str; 0]);
    assert_eq!(world.status().0, "Running");
}
