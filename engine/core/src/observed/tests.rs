//! What may be concluded from what was told, and what pods say of their end.

use serde_json::{Value, json};

use super::{Observed, Ownership, Touched, fact, marks, occupant};
use crate::ids::{ObjectKey, ObjectKind, ResourceVersion, Timestamp};
use crate::reconciler::{WatchEvent, WatchKey};

/// Two pods of `resnet50`.
const A: &str = "resnet50-1a2b3c4d-1-1-0";
const B: &str = "resnet50-1a2b3c4d-1-1-1";

fn pod(name: &str, uid: &str, version: u64) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": name, "namespace": "vision", "uid": uid,
            "resourceVersion": version.to_string(),
            "creationTimestamp": "2026-11-20T08:00:00Z",
            "labels": {marks::INSTANCE: "here"},
            "annotations": {
                marks::ID: format!("Pod vision/{name}"),
                marks::UNIT: "Experiment/vision/resnet50",
            },
            "finalizers": [marks::FINALIZER],
        },
        "spec": {}, "status": {"phase": "Running"},
    })
}

fn key(name: &str) -> ObjectKey {
    ObjectKey::new(ObjectKind::Pod, "vision", name)
}

fn watch() -> WatchKey {
    WatchKey::Ours(ObjectKind::Pod, "vision".into())
}

fn told(name: &str, uid: &str, version: u64) -> WatchEvent {
    WatchEvent::Object(Box::new(fact(&pod(name, uid, version), "here").unwrap()))
}

fn complete(version: u64) -> WatchEvent {
    WatchEvent::Complete(ResourceVersion(version))
}

fn listed(events: Vec<WatchEvent>, version: u64) -> Observed {
    let mut observed = Observed::default();
    observed.watch(&watch(), WatchEvent::Started);
    for event in events {
        observed.watch(&watch(), event);
    }
    observed.watch(&watch(), complete(version));
    observed
}

#[test]
fn absence_is_proven_only_by_a_complete_view_without_a_create_on_its_way() {
    let mut observed = Observed::default();
    assert!(observed.absent(&key(A)).is_none(), "nothing was listed");
    observed.watch(&watch(), WatchEvent::Started);
    assert!(observed.absent(&key(A)).is_none(), "the listing goes on");
    observed.watch(&watch(), complete(5));
    assert!(observed.absent(&key(A)).is_some());
    let unit: crate::ids::UnitId = "Experiment/vision/a".parse().unwrap();
    let other: crate::ids::UnitId = "Experiment/vision/b".parse().unwrap();
    observed.create_given(&key(A), &unit);
    assert!(observed.absent(&key(A)).is_none(), "a create is on its way");
    assert_eq!(observed.unheard(&unit), Some(&key(A)));
    assert_eq!(observed.unheard(&other), None);
    let at = Timestamp::from_millis;
    let settles = observed.create_unknown(&key(A), &unit, at(0));
    assert_eq!(settles, at(75_000));
    let later = observed.create_unknown(&key(B), &other, at(2_000));
    assert_eq!(later, at(77_000), "each has its own time");
    observed.create_not_done(&key(A));
    assert!(observed.absent(&key(A)).is_none(), "its answer was lost");
    assert_eq!(observed.settle(at(60_000)), []);
    assert!(observed.absent(&key(A)).is_none(), "it may still arrive");
    assert_eq!(observed.unheard(&unit), Some(&key(A)));
    assert_eq!(observed.settle(at(75_000)), std::slice::from_ref(&unit));
    assert_eq!(observed.unheard(&unit), None);
    assert!(observed.absent(&key(A)).is_some());
    // What is repeated may still arrive, however long ago its first answer was lost.
    observed.create_given(&key("c"), &unit);
    observed.create_unknown(&key("c"), &unit, at(0));
    observed.create_given(&key("c"), &unit);
    assert_eq!(observed.settle(at(76_000)), []);
    observed.create_not_done(&key("c"));
    assert_eq!(observed.settle(at(76_000)), std::slice::from_ref(&unit));
    observed.doubt();
    assert!(
        observed.absent(&key(A)).is_none(),
        "it is to be listed again"
    );
    observed.watch(&watch(), complete(5));
    assert!(observed.absent(&key(A)).is_some());
    assert_eq!(observed.settle(at(77_000)), [other]);
    observed.watch(&watch(), WatchEvent::Unreadable("forbidden".into()));
    assert!(observed.absent(&key(A)).is_none(), "nothing can be seen");
}

#[test]
fn a_listing_takes_away_what_it_did_not_tell_and_keeps_what_is_newer() {
    let mut observed = listed(vec![told(A, "1", 3), told(B, "2", 4)], 5);
    observed.learned(fact(&pod("c", "3", 9), "here").unwrap());
    observed.watch(&watch(), WatchEvent::Started);
    observed.watch(&watch(), told(A, "1", 3));
    assert!(
        observed.get(&key(B)).is_some(),
        "until the listing is complete"
    );
    observed.watch(&watch(), complete(7));
    assert!(observed.get(&key(A)).is_some());
    assert!(observed.get(&key(B)).is_none());
    assert!(
        observed.get(&key("c")).is_some(),
        "it was made after the listing"
    );
}

#[test]
fn an_answer_that_comes_after_the_end_brings_nothing_back() {
    let mut observed = listed(vec![told(A, "1", 3)], 5);
    observed.watch(&watch(), WatchEvent::ObjectGone(key(A), ResourceVersion(8)));
    assert_eq!(
        observed.learned(fact(&pod(A, "1", 3), "here").unwrap()),
        Vec::new()
    );
    assert!(observed.absent(&key(A)).is_some());
    // The other way round: the answer says that it went, the watch lags behind.
    let mut observed = listed(vec![told(A, "1", 3)], 5);
    let uid = observed.get(&key(A)).unwrap().uid.clone();
    assert!(matches!(
        observed.departed(&key(A), &uid)[..],
        [Touched::Unit(_)]
    ));
    observed.watch(&watch(), told(A, "1", 6));
    assert!(observed.get(&key(A)).is_none());
    observed.watch(&watch(), told(A, "2", 7));
    assert!(observed.get(&key(A)).is_some(), "another life of the name");
}

#[test]
fn it_never_goes_back_to_an_older_state() {
    let mut observed = listed(vec![told(A, "1", 6)], 7);
    observed.watch(&watch(), told(A, "1", 3));
    assert_eq!(observed.get(&key(A)).unwrap().version, ResourceVersion(6));
}

#[test]
fn how_a_pod_ended_does_not_change_when_it_is_deleted_later() {
    let mut ended = pod(A, "1", 6);
    ended["status"] = json!({"phase": "Succeeded"});
    let mut observed = listed(
        vec![WatchEvent::Object(Box::new(fact(&ended, "here").unwrap()))],
        7,
    );
    ended["metadata"]["resourceVersion"] = "8".into();
    ended["metadata"]["deletionTimestamp"] = "2026-11-20T08:00:00Z".into();
    let later = fact(&ended, "here").unwrap();
    assert!(later.pod.as_ref().unwrap().end.as_ref().unwrap().asked);
    observed.watch(&watch(), WatchEvent::Object(Box::new(later)));
    let kept = observed.get(&key(A)).unwrap();
    assert!(kept.deleting.is_some());
    assert!(!kept.pod.as_ref().unwrap().end.as_ref().unwrap().asked);
}

#[test]
fn ours_is_only_what_says_so_itself() {
    type Change = fn(&mut Value);
    let cases: [(Change, &str); 5] = [
        (
            |pod| pod["metadata"]["labels"] = json!({}),
            "instance label",
        ),
        (
            |pod| pod["metadata"]["labels"][marks::INSTANCE] = "other".into(),
            "instance other",
        ),
        (
            |pod| pod["metadata"]["annotations"][marks::ID] = "Pod vision/b".into(),
            "another object",
        ),
        (
            |pod| {
                pod["metadata"]["ownerReferences"] =
                    json!([{"controller": true, "kind": "Job", "name": "copy"}]);
            },
            "Job copy",
        ),
        (
            |pod| pod["metadata"]["annotations"][marks::UNIT] = "x".into(),
            "names no document",
        ),
    ];
    assert!(matches!(
        fact(&pod(A, "1", 1), "here").unwrap().ownership,
        Ownership::Ours(_)
    ));
    for (change, words) in cases {
        let mut body = pod(A, "1", 1);
        change(&mut body);
        match fact(&body, "here").unwrap().ownership {
            Ownership::Foreign(why) => assert!(why.contains(words), "{why}"),
            Ownership::Ours(_) => panic!("{words}: taken for ours"),
        }
    }
}

/// Phase and status of what the server shows, and whether somebody asked the pod to stop.
#[test]
fn who_asked_it_to_stop() {
    let finished = json!([{"name": "task", "state": {"terminated": {
        "exitCode": 0, "reason": "Completed", "finishedAt": "2026-11-20T08:10:00Z",
        "message": "berth:completed\n",
    }}}]);
    let cases = [
        ("by itself", json!({}), json!({}), false),
        (
            "deleted while it ran",
            json!({"deletionTimestamp": "2026-11-20T08:10:30Z", "deletionGracePeriodSeconds": 30}),
            json!({}),
            true,
        ),
        (
            "forced while it ran",
            json!({"deletionTimestamp": "2026-11-20T08:10:00Z", "deletionGracePeriodSeconds": 0}),
            json!({}),
            true,
        ),
        (
            "collected long after",
            json!({"deletionTimestamp": "2026-11-20T09:10:00Z", "deletionGracePeriodSeconds": 0}),
            json!({}),
            false,
        ),
        (
            "evicted by the API",
            json!({}),
            json!({"conditions": [{"type": "DisruptionTarget", "status": "True"}]}),
            true,
        ),
        (
            "evicted by the kubelet",
            json!({}),
            json!({"reason": "Evicted"}),
            true,
        ),
    ];
    for (name, meta, status, asked) in cases {
        let mut body = pod(A, "1", 1);
        body["status"] = json!({"phase": "Succeeded", "containerStatuses": finished});
        for (part, more) in [("metadata", meta), ("status", status)] {
            for (key, value) in more.as_object().unwrap() {
                body[part][key] = value.clone();
            }
        }
        let end = fact(&body, "here").unwrap().pod.unwrap().end.unwrap();
        assert_eq!(end.asked, asked, "{name}");
        assert!(end.marker && end.exit_code == Some(0), "{name}");
    }
}

/// A pod that has a grace of its own, one that nobody waits for, and a kind without a grace.
#[test]
fn when_somebody_asked_it_to_go_is_not_when_its_grace_ends() {
    let asked = "2026-11-20T08:10:00Z".parse().ok();
    for (ends, grace, began) in [
        (json!("2026-11-20T08:10:30Z"), json!(30), asked),
        (json!("2026-11-20T08:10:00Z"), json!(0), asked),
        (json!("2026-11-20T08:10:00Z"), Value::Null, asked),
        (Value::Null, Value::Null, None),
    ] {
        let mut body = pod(A, "1", 1);
        body["metadata"]["deletionTimestamp"] = ends;
        body["metadata"]["deletionGracePeriodSeconds"] = grace;
        assert_eq!(fact(&body, "here").unwrap().deleting, began);
    }
}

#[test]
fn the_last_words_are_the_end_of_what_the_program_said() {
    let long = format!("first {}\nlast\u{1b}[31m line\n", "x".repeat(2000));
    for (said, kept) in [
        ("  ", None),
        (
            "CUDA out of memory\n",
            Some("CUDA out of memory".to_owned()),
        ),
        (&*long, Some(format!("{}\nlast[31m line", "x".repeat(985)))),
    ] {
        let mut body = pod(A, "1", 1);
        let terminated = json!({"exitCode": 1, "message": said});
        body["status"] = json!({"phase": "Failed", "containerStatuses": [
            {"name": "task", "state": {"terminated": terminated}},
        ]});
        let end = fact(&body, "here").unwrap().pod.unwrap().end.unwrap();
        assert_eq!(end.last_words.as_deref(), kept.as_deref());
    }
}

#[test]
fn a_pod_takes_the_most_that_it_ever_needs_at_once() {
    let gpus =
        |count: u32| json!({"requests": {"nvidia.com/gpu": count.to_string(), "memory": "1Gi"}});
    let spec = json!({
        "nodeName": "n",
        "initContainers": [
            {"resources": gpus(1), "restartPolicy": "Always"},
            {"resources": gpus(5)},
        ],
        "containers": [{"resources": gpus(2)}, {"resources": gpus(2)}],
    });
    let found = occupant(&json!({"spec": spec, "status": {"phase": "Running"}})).unwrap();
    let [only] = found.requests.as_slice() else {
        panic!("{found:?}");
    };
    assert_eq!((&*only.resource, only.millis), ("nvidia.com/gpu", 6000));
    assert_eq!(
        occupant(&json!({"spec": spec, "status": {"phase": "Failed"}})),
        None
    );
}

/// A pod that is bound to the node `n`.
fn bound(name: &str, uid: &str, version: u64) -> WatchEvent {
    let mut pod = pod(name, uid, version);
    pod["spec"]["nodeName"] = json!("n");
    WatchEvent::Object(Box::new(fact(&pod, "here").unwrap()))
}

fn node_of(version: u64) -> WatchEvent {
    let object = json!({"metadata": {"name": "n"}});
    WatchEvent::Node(super::node(&object).unwrap(), ResourceVersion(version))
}

fn known(observed: &Observed) -> bool {
    let fact = observed.get(&key(A)).unwrap();
    observed.nodes_know_of(fact.pod.as_ref().unwrap())
}

#[test]
fn what_the_nodes_tell_counts_for_a_pod_once_they_have_passed_its_binding() {
    let unit = Touched::Unit("Experiment/vision/resnet50".parse().unwrap());
    let gone = |version| WatchEvent::NodeGone("n".into(), ResourceVersion(version));
    let mut observed = listed(vec![told(A, "1", 3)], 5);
    let nodes = WatchKey::Nodes;
    observed.watch(&nodes, WatchEvent::Started);
    observed.watch(&nodes, node_of(4));
    observed.watch(&nodes, complete(5));
    // The node goes at 7 and is there again at 8; the pod is bound to the second one at 9.
    observed.watch(&watch(), bound(A, "1", 9));
    assert!(!known(&observed));
    observed.watch(&watch(), bound(A, "1", 12));
    observed.watch(&nodes, gone(7));
    assert!(!known(&observed), "that was the first one");
    observed.watch(&nodes, node_of(8));
    assert!(!known(&observed));
    // It is the binding that counts, not what became of the pod since.
    assert!(observed.watch(&nodes, gone(10)).contains(&unit));
    assert!(known(&observed));
}

#[test]
fn once_the_nodes_pass_a_binding_whoever_waited_for_it_looks_again() {
    let unit = Touched::Unit("Experiment/vision/resnet50".parse().unwrap());
    let passed = |version| WatchEvent::Passed(ResourceVersion(version));
    let mut observed = listed(vec![bound(A, "1", 9)], 9);
    let nodes = WatchKey::Nodes;
    observed.watch(&nodes, WatchEvent::Started);
    observed.watch(&nodes, complete(5));
    assert_eq!(observed.watch(&nodes, passed(8)), []);
    assert!(!known(&observed));
    assert_eq!(observed.watch(&nodes, passed(9)), [unit]);
    assert!(known(&observed));
    assert_eq!(observed.watch(&nodes, passed(20)), [], "it knew");
    // Another pod of that name is bound anew.
    observed.watch(&watch(), bound(A, "2", 30));
    assert!(!known(&observed));
}
