//! Pods whose marks somebody took off.

use std::time::Duration;

use serde_json::{Value as Json, json};

use super::{GANG, World, gang, running, runs_on, succeeded};
use crate::desired::fixture::{CLUSTER, QUEUE, blob, experiment};
use crate::ids::{ObjectKey, ObjectKind};
use crate::observed::marks;
use crate::reconciler::What;

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

pub(super) fn drop_one(meta: &mut Json, field: &str, name: &str) {
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

/// Another namespace is listed late: until then nothing is asked for by name, and nothing is taken
/// for a stranger either.
#[test]
fn a_pod_that_lost_its_run_is_left_alone_until_all_is_seen() {
    let mut world = World::new();
    world.put("audio.yaml", &QUEUE.replace("vision", "audio"));
    world.put("a.yaml", &experiment("a", GANG));
    world.start();
    for (pod, node) in world.of(ObjectKind::Pod).iter().zip(["n1", "n2"]) {
        world.change(pod, runs_on(node));
    }
    world.later();
    let pod = world.of(ObjectKind::Pod).remove(1);
    drop_one(
        &mut world.objects.get_mut(&pod).unwrap()["metadata"],
        "labels",
        marks::RUN,
    );
    world.begin_without("audio");
    assert_eq!(world.done, [] as [&str; 0]);
    world.settle();
    assert_eq!(world.done, [format!("mark {pod}")]);
    assert_eq!(world.status().0, "Running");
}

#[test]
fn marks_that_are_taken_off_again_and_again_are_not_put_back_at_once() {
    let mut world = running();
    let pod = world.of(ObjectKind::Pod).remove(1);
    let began = world.now;
    while world.now.since(began) < Duration::from_mins(10) {
        let meta = &mut world.objects.get_mut(&pod).unwrap()["metadata"];
        if meta["labels"][marks::RUN].is_string() {
            world.change_alone(&pod, |object| {
                drop_one(&mut object["metadata"], "labels", marks::RUN);
            });
        }
        world.turn();
    }
    let mark = format!("mark {pod}");
    let times = world.done.iter().filter(|it| **it == mark).count();
    // Five times, then a minute's rest.
    assert!((10..=60).contains(&times), "{times}");
    let (_, words) = world.status();
    assert!(words.contains("again and again"), "{words}");
}

/// Its end may be lost by a delete, as nothing else keeps it.
#[test]
fn a_pod_that_ended_without_its_finalizer_stays_until_its_end_is_recorded() {
    let mut world = running();
    world.later();
    let pod = world.of(ObjectKind::Pod).remove(1);
    world.away = true;
    world.change(&pod, |object| {
        object["metadata"]["finalizers"] = json!([]);
        let ended = json!({"exitCode": 3, "finishedAt": "1970-01-12T13:50:00Z"});
        object["status"] = json!({"phase": "Failed", "containerStatuses": [
            {"name": "task", "state": {"terminated": ended}}]});
    });
    let delete = format!("delete {pod}");
    assert!(!world.done.contains(&delete), "{:?}", world.done);
    world.away = false;
    world.later();
    assert!(world.done.contains(&delete), "{:?}", world.done);
}

/// Whoever may make pods in a queue's namespace can give them Berth's labels.
#[test]
fn a_forged_rank_makes_no_more_pods() {
    let mut world = gang();
    let pods = world.of(ObjectKind::Pod);
    for (rank, is_read) in [("5", true), ("65535", true), ("4294967295", false)] {
        let mut forged = world.objects[&pods[0]].clone();
        let stem = pods[0].name.strip_suffix('0').unwrap();
        let key = ObjectKey::new(ObjectKind::Pod, "vision", &format!("{stem}{rank}"));
        forged["metadata"]["name"] = (*key.name).into();
        forged["metadata"]["uid"] = key.to_string().into();
        forged["metadata"]["labels"][marks::RANK] = rank.into();
        forged["metadata"]["annotations"][marks::ID] = key.to_string().into();
        world.objects.insert(key.clone(), forged);
        world.done.clear();
        world.settle();
        let made = world.done.iter().any(|it| it.starts_with("create"));
        assert!(!made, "{rank}: {:?}", world.done);
        let deleted = world.done.contains(&format!("delete {key}"));
        assert_eq!(deleted, is_read, "{rank}: {:?}", world.done);
        world.objects.remove(&key);
        world.settle();
    }
}

/// Deleted without it, it would be gone with its end, and its work be done again.
#[test]
fn a_pod_that_lost_its_finalizer_gets_it_back_while_it_lives() {
    for while_down in [false, true] {
        let mut world = running();
        world.later();
        let pod = world.of(ObjectKind::Pod).remove(1);
        let off = |object: &mut Json| object["metadata"]["finalizers"] = json!([]);
        if while_down {
            off(world.objects.get_mut(&pod).unwrap());
            world.start();
        } else {
            world.change(&pod, off);
        }
        assert_eq!(world.done, [format!("mark {pod}")], "{while_down}");
        let kept = &world.objects[&pod]["metadata"]["finalizers"];
        assert_eq!(*kept, json!([marks::FINALIZER]));
        // Not once it is asked to go, when the server allows it no more.
        world.done.clear();
        world.change(&pod, |object| {
            off(object);
            object["metadata"]["deletionTimestamp"] = "1970-01-12T13:55:00Z".into();
            object["metadata"]["deletionGracePeriodSeconds"] = 30.into();
        });
        let mark = format!("mark {pod}");
        assert!(!world.done.contains(&mark), "{:?}", world.done);
    }
}
