//! Documents that lose more live work than the prune rule allows.

use super::{GANG, World, running, runs_on, succeeded};
use crate::desired::fixture::{CLUSTER, QUEUE, experiment};
use crate::ids::ObjectKind;
use crate::reconciler::testing::SMALL;

fn rule(most: u32) -> String {
    format!("{CLUSTER}  prune: {{maxDeletions: {most}}}\n")
}

#[test]
fn a_document_that_is_moved_does_not_run_twice_while_the_rule_keeps_its_old_run() {
    let mut world = running();
    world.later();
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
fn a_removal_that_was_not_allowed_is_not_by_a_restart_or_another_commit() {
    for (restarts, broken) in [(false, false), (true, false), (true, true)] {
        let mut world = World::new();
        if broken {
            // It is judged anew after the restart.
            world.put("c.yaml", &experiment("c", "  nonsense: 1\n"));
        }
        world.put("cluster.yaml", &rule(1));
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
        world.put("cluster.yaml", &rule(2));
        world.commit();
        world.later();
        assert!(world.done.contains(&delete), "{restarts}: {:?}", world.done);
    }
}

/// What lives in a namespace that was not listed yet counts, too.
#[test]
fn how_much_a_commit_takes_away_is_judged_once_all_is_seen() {
    let mut world = World::new();
    world.put("cluster.yaml", &rule(1));
    world.put("audio.yaml", &QUEUE.replace("vision", "audio"));
    world.put("a.yaml", &experiment("a", SMALL));
    let other = experiment("b", SMALL).replace("queue: vision", "queue: audio");
    world.put("b.yaml", &other);
    world.start();
    world.later();
    let pods = world.of(ObjectKind::Pod);
    assert_eq!(pods.len(), 2, "{:?}", world.done);
    for pod in &pods {
        world.change(pod, runs_on("n1"));
    }
    world.later();
    for name in ["a", "b"] {
        world.repository.files.remove(&format!("{name}.yaml"));
    }
    world.begin_without("audio");
    assert_eq!(world.done, [] as [&str; 0]);
    world.later();
    assert_eq!(world.done, [] as [&str; 0]);
    assert_eq!(world.status().0, "Held");
}

#[test]
fn what_was_kept_and_has_ended_by_itself_is_kept_no_more() {
    for begins in [false, true] {
        let mut world = running();
        world.later();
        world.put("cluster.yaml", &rule(0));
        world.put("audio.yaml", &QUEUE.replace("vision", "audio"));
        let moved = experiment("a", GANG).replace("queue: vision", "queue: audio");
        world.put("a.yaml", &moved);
        world.commit();
        world.later();
        assert_eq!(world.done, [] as [&str; 0]);
        for pod in world.of(ObjectKind::Pod) {
            world.change(&pod, |object| object["status"] = succeeded());
        }
        if begins {
            world.start();
        }
        world.later();
        let made = world.done.iter();
        let made = made.filter(|it| it.starts_with("create Pod audio"));
        assert_eq!(made.count(), 2, "{begins}: {:?}", world.done);
    }
}

/// Its removal was not allowed; it is there again, and not valid. Whether it is wanted is not known.
#[test]
fn nothing_is_deleted_of_what_is_there_and_not_in_force() {
    let mut world = running();
    world.later();
    let pods = world.of(ObjectKind::Pod);
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
