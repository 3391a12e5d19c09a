//! Drift: when it is told, and when it is over.

use super::unmarked::drop_one;
use super::*;
use crate::ledger::{DRIFT_JSON, DRIFT_MD};

fn told(world: &World) -> Vec<String> {
    let entries = world.reconciler.drift();
    let told = entries.map(|it| format!("{}{}", it.object, it.remark()));
    told.collect()
}

fn has_files(world: &World) -> bool {
    let both = [DRIFT_MD, DRIFT_JSON].map(|path| world.branch.contains_key(path));
    assert_eq!(both[0], both[1]);
    both[0]
}

fn label(object: &mut Json, value: Json) {
    object["metadata"]["labels"]["team"] = value;
}

#[test]
fn what_somebody_takes_back_is_drift_no_more() {
    for restarts in [false, true] {
        let mut world = running();
        let pod = world.of(ObjectKind::Pod).remove(0);
        world.change(&pod, |object| label(object, "audio".into()));
        world.later();
        assert_eq!(told(&world), [pod.to_string()]);
        assert!(has_files(&world));
        if restarts {
            // It is found again by what is there, and once it is not, the branch says so.
            world.begin();
            world.later();
            assert_eq!(told(&world), [pod.to_string()]);
            world.begin();
        }
        world.change(&pod, |object| {
            drop_one(&mut object["metadata"], "labels", "team");
        });
        world.later();
        assert_eq!(told(&world), [] as [&str; 0], "{restarts}");
        assert!(!has_files(&world), "{restarts}");
    }
}

/// While a cluster is suspended, or an object cannot be looked at, nobody knows whether it still differs.
#[test]
fn what_was_not_looked_at_is_told_on() {
    let mut world = running();
    let pod = world.of(ObjectKind::Pod).remove(0);
    world.change(&pod, |object| label(object, "audio".into()));
    world.later();
    let cluster = world.repository.files["cluster.yaml"].clone();
    world.put("cluster.yaml", &format!("{cluster}  state: suspended\n"));
    world.commit();
    world.later();
    world.begin();
    world.later();
    assert!(has_files(&world));
    world.put("cluster.yaml", &cluster);
    world.commit();
    world.later();
    assert_eq!(told(&world), [pod.to_string()]);
    assert!(has_files(&world));
}

#[test]
fn what_was_put_right_is_told_on_and_a_restart_says_nothing_else() {
    let mut world = running();
    let service = world.of(ObjectKind::Service).remove(0);
    world.change(&service, |object| {
        object["spec"]["selector"] = json!({"a": "b"});
    });
    world.later();
    assert_eq!(told(&world), [format!("{service}, put right")]);
    let branch = world.branch.clone();
    world.begin();
    world.later();
    for path in [DRIFT_MD, DRIFT_JSON] {
        assert_eq!(world.branch[path], branch[path], "{path}");
    }
}

#[test]
fn what_the_other_one_puts_back_is_drift_no_more() {
    let mut world = running();
    let service = world.of(ObjectKind::Service).remove(0);
    let selector = world.objects[&service]["spec"]["selector"].clone();
    for _ in 0..6 {
        world.change_alone(&service, |object| {
            object["spec"]["selector"] = json!({"a": "b"});
        });
    }
    assert_eq!(
        told(&world),
        [format!("{service}, changed back again and again")]
    );
    world.change_alone(&service, |object| object["spec"]["selector"] = selector);
    world.later();
    assert_eq!(told(&world), [] as [&str; 0]);
    assert!(!has_files(&world));
}

#[test]
fn what_is_gone_drifts_no_more() {
    let mut world = running();
    let pod = world.of(ObjectKind::Pod).remove(0);
    world.change(&pod, |object| label(object, "audio".into()));
    world.later();
    world.take_away(&pod);
    world.later();
    let of_it = told(&world)
        .into_iter()
        .filter(|it| it.contains(&*pod.name));
    assert_eq!(of_it.count(), 0);
    assert!(!has_files(&world));
}

#[test]
fn whoever_changes_an_object_back_again_and_again_is_named_and_waited_for() {
    let mut world = running();
    let service = world.of(ObjectKind::Service).remove(0);
    let apply = format!("apply {service}");
    let applied = |world: &World| world.done.iter().filter(|it| **it == apply).count();
    let again = |world: &mut World| {
        world.change_alone(&service, |object| {
            object["spec"]["selector"] = json!({"a": "b"});
        });
    };
    again(&mut world);
    assert_eq!(applied(&world), 1);
    assert_eq!(told(&world), [format!("{service}, put right")]);
    for _ in 0..9 {
        again(&mut world);
    }
    assert_eq!(applied(&world), 5);
    assert_eq!(
        told(&world),
        [format!("{service}, changed back again and again")]
    );
    // What runs is no worse for it.
    let (state, words) = world.status();
    assert_eq!(state, "Running");
    assert!(
        words.contains("is changed back again and again by somebody"),
        "{words}"
    );
    world.wait(Duration::from_secs(61));
    world.rest();
    assert_eq!(applied(&world), 6);
    assert_eq!(told(&world), [format!("{service}, put right")]);
    assert_eq!(world.status().1, "");
}

#[test]
fn of_much_drift_the_newest_of_what_is_there_is_kept() {
    let mut world = running();
    let pod = world.of(ObjectKind::Pod).remove(0);
    let unit: UnitId = "Experiment/vision/a".parse().unwrap();
    let gone = |number: usize| ObjectKey::new(ObjectKind::Pod, "vision", &format!("a-{number}"));
    let now = world.now;
    let mut found = |key: &ObjectKey| {
        let fields = Vec::new();
        world.reconciler.report_drift(now, &unit, key, fields);
    };
    found(&pod);
    for number in 0..1100 {
        found(&gone(number));
    }
    let told: Vec<&str> = world.reconciler.drift().map(|it| &*it.object).collect();
    assert_eq!(told.len(), 1000);
    assert!(told.contains(&&*pod.to_string()));
}
