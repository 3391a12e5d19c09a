//! Namespaces that no queue has any more.

use super::{GANG, World, running, succeeded};
use crate::desired::fixture::{QUEUE, experiment};
use crate::ids::ObjectKind;
use crate::reconciler::{WatchEvent, WatchKey};

fn namespaces(world: &World) -> Vec<&str> {
    let all = world.reconciler.book.progress.namespaces.iter();
    all.map(String::as_str).collect()
}

fn queue_in(namespace: &str) -> String {
    QUEUE.replace("namespace: vision", &format!("namespace: {namespace}"))
}

#[test]
fn a_namespace_is_left_once_nothing_lives_there() {
    let mut world = running();
    world.put("queue.yaml", &queue_in("other"));
    world.commit();
    world.later();
    assert_eq!(world.done, [] as [&str; 0], "what runs stays where it is");
    assert_eq!(namespaces(&world), ["other", "vision"]);
    for pod in world.of(ObjectKind::Pod) {
        world.change(&pod, |object| object["status"] = succeeded());
    }
    world.later();
    assert_eq!(world.of(ObjectKind::Service), []);
    assert_eq!(namespaces(&world), ["other", "vision"], "its pods are kept");
    for pod in world.of(ObjectKind::Pod) {
        world.take_away(&pod);
    }
    world.later();
    assert_eq!(namespaces(&world), ["other"]);
    assert_eq!(world.reconciler.book.named.len(), 1, "the anchor, too");
    let of_it = |watch: &WatchKey| matches!(watch, WatchKey::Ours(_, it) if **it == *"vision");
    assert!(!world.reconciler.watches().iter().any(of_it));

    // A queue comes back to it, and it is seen anew before anything is made there.
    world.put("queue.yaml", QUEUE);
    world.put("b.yaml", &experiment("b", GANG));
    world.commit();
    world.done.clear();
    for _ in 0..60 {
        world.turn();
    }
    assert_eq!(world.done, [] as [&str; 0]);
    world.settle();
    assert_eq!(world.of(ObjectKind::Pod).len(), 2);
}

/// A pod whose label was taken off lives there though no watch shows it; a namespace that cannot be
/// seen may hold anything.
#[test]
fn a_namespace_in_which_something_may_live_is_not_left() {
    for unreadable in [false, true] {
        let mut world = running();
        world.later();
        world.put("queue.yaml", &queue_in("other"));
        world.put("b.yaml", &experiment("b", GANG));
        world.nodes.extend(["n3", "n4"]);
        if unreadable {
            for object in world.objects.values_mut() {
                object["status"] = succeeded();
            }
            world.begin();
            world.listed();
            for key in world.reconciler.watches() {
                if matches!(&key, WatchKey::Ours(_, it) if **it == *"vision") {
                    let event = WatchEvent::Unreadable("no right".into());
                    world.tell(key, event);
                }
            }
        } else {
            for object in world.objects.values_mut() {
                object["metadata"]["labels"] = serde_json::json!({});
            }
            world.begin();
            world.listed();
        }
        for _ in 0..3 {
            world.step();
        }
        assert_eq!(namespaces(&world), ["other", "vision"], "{unreadable}");
        if unreadable {
            let all: Vec<_> = world.reconciler.statuses().collect();
            let b = all.iter().find(|(id, _)| id.name.as_str() == "b").unwrap();
            let words = b.1.message.as_deref().unwrap_or_default();
            assert!(words.contains("namespace `vision`"), "{words}");
        }
    }
}
