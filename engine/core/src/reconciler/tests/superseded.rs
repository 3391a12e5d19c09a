//! What a newer commit changes: what failed is tried at once; and what a rewritten history may not.

use std::time::Duration;

use super::{GANG, World, running};
use crate::desired::fixture::experiment;
use crate::ids::ObjectKind;
use crate::reconciler::testing::SMALL;

/// What is refused is refused some times more, so that it waits long for its next try.
fn refused_for_long(world: &mut World) {
    for _ in 0..6 {
        world.wait(Duration::from_mins(1));
        world.settle();
    }
    // At rest just now, so the next try is far away.
    for _ in 0..5 {
        world.turn();
    }
    assert_eq!(world.done, [] as [&str; 0]);
}

#[test]
fn a_refused_creation_is_tried_at_once_for_a_newer_commit() {
    for changes in [false, true] {
        let mut world = World::new();
        world.put("a.yaml", &experiment("a", SMALL));
        world.refuses_creates = true;
        world.start();
        refused_for_long(&mut world);
        let (_, words) = world.status();
        assert!(words.contains("no right to create"), "{words}");
        world.refuses_creates = false;
        // The same run, so the same objects.
        let other = format!("{SMALL}  maxRestarts: 9\n");
        world.put(
            "a.yaml",
            &experiment("a", if changes { &other } else { SMALL }),
        );
        world.commit();
        for _ in 0..5 {
            world.turn();
        }
        let made = world.done.iter().any(|it| it.starts_with("create Pod"));
        assert_eq!(made, changes, "{:?}", world.done);
        world.wait(Duration::from_mins(2));
        world.settle();
        assert_eq!(world.of(ObjectKind::Pod).len(), 1);
    }
}

#[test]
fn a_refused_deletion_is_tried_at_once_for_a_newer_commit() {
    for changes in [false, true] {
        let mut world = running();
        world.later();
        world.refuses_deletes = true;
        let paused = format!("{GANG}  state: paused\n");
        world.put("a.yaml", &experiment("a", &paused));
        world.commit();
        refused_for_long(&mut world);
        let (_, words) = world.status();
        assert!(words.contains("no right to delete"), "{words}");
        world.refuses_deletes = false;
        let other = format!("{paused}  maxRestarts: 9\n");
        world.put(
            "a.yaml",
            &experiment("a", if changes { &other } else { &paused }),
        );
        world.commit();
        for _ in 0..5 {
            world.turn();
        }
        let gone = world.done.iter().filter(|it| it.starts_with("delete Pod"));
        assert_eq!(gone.count() == 2, changes, "{:?}", world.done);
        world.wait(Duration::from_mins(10));
        world.settle();
        assert_eq!(world.of(ObjectKind::Pod), []);
    }
}

/// The tip does not descend from what was applied last.
#[test]
fn a_rewritten_history_replaces_nothing_until_that_is_allowed() {
    for removed in [false, true] {
        let mut world = running();
        world.later();
        let pods = world.of(ObjectKind::Pod);
        world.repository.rewritten = Some(world.repository.commits + 1);
        if removed {
            world.repository.files.remove("a.yaml");
        } else {
            let other = format!("{GANG}  run: 2\n");
            world.put("a.yaml", &experiment("a", &other));
        }
        world.commit();
        world.later();
        assert_eq!(world.done, [] as [&str; 0], "{removed}");
        assert_eq!(world.of(ObjectKind::Pod), pods);
        let (state, words) = world.status();
        let told = words.contains("Berth-Allow-Rewrite: yes");
        assert!(state == "Held" && told, "{removed}: {state} {words}");
        world.repository.trailers = vec![("Berth-Allow-Rewrite".into(), "yes".into())];
        world.commit();
        world.later();
        let of = |verb: &str| world.done.iter().filter(|it| it.starts_with(verb)).count();
        let made = if removed { 0 } else { 2 };
        assert_eq!(
            (of("delete Pod"), of("create Pod")),
            (2, made),
            "{:?}",
            world.done
        );
    }
}
