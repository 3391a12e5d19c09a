//! What is kept in the cluster while Git is away.

use super::{World, running, succeeded};
use crate::ids::{ObjectKind, UnitId};
use crate::reconciler::spill::{SPILL_BYTES, Spilled};

fn unit(name: &str) -> UnitId {
    format!("Experiment/vision/{name}").parse().unwrap()
}

/// A gang of which one pod ended since Git is away, and a spill with so much room left.
fn away(room: usize, own: Option<Spilled>) -> World {
    let mut world = running();
    world.later();
    let other = Spilled {
        revision: 1,
        text: "x".repeat(SPILL_BYTES - room - own.as_ref().map_or(0, |it| it.text.len())),
    };
    let spilled = &mut world.reconciler.book.spilled;
    spilled.insert(unit("other"), other);
    spilled.extend(own.map(|own| (unit("a"), own)));
    world.away = true;
    world.done.clear();
    let pod = world.of(ObjectKind::Pod).remove(1);
    world.change(&pod, |object| object["status"] = succeeded());
    for _ in 0..180 {
        world.turn();
    }
    world
}

#[test]
fn what_fits_is_spilled_and_its_pod_let_go() {
    let world = away(100_000, None);
    let released = world.done.iter().any(|it| it.starts_with("release Pod"));
    assert!(released, "{:?}", world.done);
    let spilled = &world.reconciler.book.spilled;
    assert!(spilled[&unit("a")].text.contains("exitCode: 0"));
    assert!(spilled.contains_key(&unit("other")));
    assert_eq!(world.spills, 1);
}

/// Pods were let go for what a full spill holds: it stays, as it is.
#[test]
fn a_full_spill_drops_nothing_and_is_not_written_again_and_again() {
    let own = Spilled {
        revision: 1,
        text: "old".into(),
    };
    for own in [None, Some(own)] {
        let mut world = away(10, own.clone());
        assert_eq!(world.done, [] as [&str; 0]);
        let spilled = &world.reconciler.book.spilled;
        assert_eq!(spilled.get(&unit("a")), own.as_ref());
        assert!(spilled.contains_key(&unit("other")));
        assert_eq!(world.spills, 0);
        let due = world.reconciler.due();
        assert!(due.is_none_or(|due| due > world.now));
        // Once Git is back, all is as ever.
        world.away = false;
        world.later();
        assert!(world.done.iter().any(|it| it.starts_with("release Pod")));
    }
}
