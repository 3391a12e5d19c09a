use berth_core::ledger::Stop;
use serde_json::json;

use super::super::scene::Seen;
use super::*;

const MADE: &str = "2026-01-01T00:00:01Z";
const BEGAN: &str = "2026-01-01T00:00:03Z";
/// Some of them were asked to stop then.
const ASKED: &str = "2026-01-01T00:00:04Z";
const ENDED: &str = "2026-01-01T00:00:05Z";

/// Two ranks that ran and succeeded.
fn pods() -> Vec<Pod> {
    let pod = |rank: u64| {
        let terminated = json!({"exitCode": 0, "startedAt": BEGAN, "finishedAt": ENDED});
        let object = json!({
            "metadata": {
                "name": format!("a-{rank}"), "uid": format!("uid-{rank}"), "creationTimestamp": MADE,
                "labels": {"berth.dev/run": "77", "berth.dev/attempt": "1", "berth.dev/rank": rank.to_string()},
                "annotations": {"berth.dev/unit": "Experiment/vision/a", "sandbox.berth.dev/run": "1s"},
            },
            "spec": {"nodeName": "node-1"},
            "status": {"phase": "Succeeded", "containerStatuses": [
                {"name": "task", "state": {"terminated": terminated}},
            ]},
        });
        let object = Arc::new(object);
        Pod::read(&Seen { object, gone: true })
    };
    vec![pod(0), pod(1)]
}

/// The same, asked to stop before they ended.
fn stopped() -> Vec<Pod> {
    let stopped = |pod: Pod| {
        let mut object = Value::clone(&pod.object);
        object["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:34Z");
        object["metadata"]["deletionGracePeriodSeconds"] = json!(30);
        let object = Arc::new(object);
        Pod::read(&Seen { object, gone: true })
    };
    pods().into_iter().map(stopped).collect()
}

/// What is said in the end, all true.
fn file() -> Value {
    let rank = |rank: u64| {
        let end = json!({"exitCode": 0, "succeeded": true, "finished": ENDED});
        json!({"rank": rank, "uid": format!("uid-{rank}"), "node": "node-1", "end": end})
    };
    let attempt = json!({
        "number": 1, "pods": 2, "end": {"result": "completed"}, "ranks": [rank(0), rank(1)],
    });
    json!({
        "unit": "Experiment/vision/a",
        "ledger": {"runs": [{"identity": "7788", "trials": [{"attempts": [attempt]}]}]},
        "status": {"state": "Completed", "pods": ["a-0", "a-1"]},
    })
}

/// What is said while they run, all true.
fn running() -> Value {
    let mut file = file();
    let attempt = &mut file["ledger"]["runs"][0]["trials"][0]["attempts"][0];
    attempt["end"].take();
    attempt["ranks"][0]["end"].take();
    attempt["ranks"][1]["end"].take();
    file["status"]["state"] = json!("Running");
    file
}

fn found(by: &str, file: &Value) -> Vec<String> {
    let pods = pods();
    let (all, outage) = (&*pods, None);
    of_file(by, file, Pods { all, outage })
}

#[test]
fn the_truth_is_no_lie() {
    assert_eq!(found(ENDED, &file()), [""; 0]);
    assert_eq!(found(BEGAN, &running()), [""; 0]);
}

#[test]
fn what_is_said_too_early_is_a_lie() {
    assert_eq!(found(BEGAN, &file()).len(), 3);
    assert_eq!(found(MADE, &running()).len(), 1);
    let before = "2026-01-01T00:00:00Z";
    assert_eq!(found(before, &running()).len(), 5);
}

#[test]
fn each_thing_that_never_was_is_a_lie() {
    let attempt = "/ledger/runs/0/trials/0/attempts/0";
    let planted = [
        ("/ranks/0/uid", json!("uid-7")),
        ("/ranks/0/rank", json!(1)),
        ("/ranks/1/node", json!("node-2")),
        ("/ranks/1/end/exitCode", json!(1)),
        ("/ranks/1/end/succeeded", json!(false)),
        ("/ranks/1/end/finished", json!(BEGAN)),
        ("/end/result", json!("failed")),
        ("/end/result", json!("interrupted")),
        ("/number", json!(2)),
    ];
    for (path, value) in planted {
        let mut file = file();
        *file.pointer_mut(&format!("{attempt}{path}")).unwrap() = value;
        assert!(!found(ENDED, &file).is_empty(), "{path}");
    }
    let mut more = running();
    more["status"]["pods"][1] = json!("a-2");
    assert_eq!(found(BEGAN, &more).len(), 1);
}

/// The truth of each state, with what must change for it to be a lie.
#[test]
fn a_lie_in_each_state_is_found() {
    let attempt = "/ledger/runs/0/trials/0/attempts/0";
    let open = |state: &str| {
        let mut file = running();
        file["status"]["state"] = json!(state);
        file
    };
    let ended = |state: &str, result: &str, reason: &str| {
        let mut file = file();
        file["status"]["state"] = json!(state);
        let end = json!({"result": result, "reason": reason});
        *file.pointer_mut(&format!("{attempt}/end")).unwrap() = end;
        file
    };
    let before = "2026-01-01T00:00:00Z";
    // The state, when it is true and of which pods, and a path whose loss makes it a lie then.
    let states = [
        (open("Running"), BEGAN, pods(), "/ledger"),
        (open("Starting"), MADE, pods(), "/ledger"),
        (open("Pausing"), BEGAN, pods(), "/ledger"),
        (open("Canceling"), BEGAN, pods(), "/ledger"),
        (
            ended("Waiting", "interrupted", "evicted"),
            ENDED,
            stopped(),
            &format!("{attempt}/end"),
        ),
        (
            ended("Canceled", "interrupted", "canceled"),
            ENDED,
            stopped(),
            &format!("{attempt}/end"),
        ),
        (
            ended("Paused", "interrupted", "paused"),
            ENDED,
            stopped(),
            &format!("{attempt}/ranks/1/end"),
        ),
        (
            ended("Completed", "completed", ""),
            ENDED,
            pods(),
            &format!("{attempt}/end"),
        ),
        (
            ended("Failed", "interrupted", "evicted"),
            ENDED,
            stopped(),
            &format!("{attempt}/end"),
        ),
    ];
    for (mut file, by, pods, path) in states {
        let found = |by, file: &Value| {
            let (all, outage) = (&*pods, None);
            of_file(by, file, Pods { all, outage })
        };
        let state = text(&file["status"]["state"]).to_owned();
        assert_eq!(found(by, &file), [""; 0], "{state}");
        *file.pointer_mut(path).unwrap() = Value::Null;
        let said = found(by, &file);
        let of_state = |lie: &String| lie.starts_with(&format!("{state}, and "));
        assert!(said.iter().any(of_state), "{state}: {said:?}");
    }
    for state in ["Running", "Pausing", "Canceling"] {
        let said = found(before, &open(state));
        assert!(said.iter().any(|lie| lie.starts_with(state)), "{said:?}");
    }
    let mut waits = open("Waiting");
    waits["ledger"] = json!({"runs": []});
    waits["status"]["pods"] = json!([]);
    assert_eq!(found(MADE, &waits), [""; 0]);
    assert_eq!(found(BEGAN, &waits).len(), 1);
}

#[test]
fn what_a_document_stopped_did_not_run_on() {
    let layers = vec!["PodDefaults".to_owned()];
    let stops = [Stop::Paused, Stop::Removed, Stop::Outdated(layers)];
    for stop in stops {
        let mut file = running();
        let attempt = &mut file["ledger"]["runs"][0]["trials"][0]["attempts"][0];
        attempt["end"] = json!({"result": "interrupted", "reason": stop.to_string()});
        file["status"]["state"] = json!("Pausing");
        let said = |pods: &[Pod], by| {
            let (all, outage) = (pods, None);
            of_file(by, &file, Pods { all, outage })
        };
        assert_eq!(said(&stopped(), ASKED), [""; 0], "{stop}");
        assert_eq!(said(&stopped(), BEGAN).len(), 1, "{stop}");
        assert_eq!(said(&pods(), ASKED).len(), 1, "{stop}");
    }
}

#[test]
fn what_was_not_placed_or_started_yet_is_a_lie() {
    for (field, too_early) in [("placed", "2026-01-01T00:00:00Z"), ("started", MADE)] {
        let mut file = running();
        let attempt = &mut file["ledger"]["runs"][0]["trials"][0]["attempts"][0];
        attempt[field] = json!(BEGAN);
        assert_eq!(found(BEGAN, &file), [""; 0], "{field}");
        let said = found(too_early, &file);
        let of_field = |lie: &String| lie.contains(field);
        assert!(said.iter().any(of_field), "{said:?}");
    }
}

#[test]
fn an_end_that_was_told_again_counts_from_when_it_was_due() {
    let pods = pods();
    let outage: Timestamp = "2026-01-01T00:00:05Z".parse().unwrap();
    let told_again = |by| {
        let mut file = file();
        for rank in [0, 1] {
            let path = format!("/ledger/runs/0/trials/0/attempts/0/ranks/{rank}/end/finished");
            *file.pointer_mut(&path).unwrap() = json!(by);
        }
        let (all, outage) = (&*pods, Some(outage));
        of_file(by, &file, Pods { all, outage })
    };
    assert_eq!(told_again("2026-01-01T00:00:04Z"), [""; 0]);
    assert_eq!(told_again(BEGAN).len(), 3);
}

#[test]
fn what_is_taken_back_is_a_lie() {
    let mut ends = Ends::default();
    assert_eq!(ends.taken_back(&running()), [""; 0]);
    assert_eq!(ends.taken_back(&file()), [""; 0]);
    assert_eq!(ends.taken_back(&running()).len(), 1);
}
