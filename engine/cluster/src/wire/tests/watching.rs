use std::ops::ControlFlow;
use std::time::Duration;

use berth_core::reconciler::{WatchEvent, WatchKey};

use super::super::{Ended, Watcher};
use super::*;

fn watcher() -> Watcher {
    Watcher::new(WatchKey::Ours(ObjectKind::Pod, "vision".into()), "i1", 1)
}

fn event(kind: &str, object: &Value) -> Vec<u8> {
    json!({"type": kind, "object": object})
        .to_string()
        .into_bytes()
}

fn bookmark(version: &str, end: bool) -> Vec<u8> {
    let mut object = json!({"kind": "Pod", "metadata": {"resourceVersion": version}});
    if end {
        object["metadata"]["annotations"] = json!({"k8s.io/initial-events-end": "true"});
    }
    event("BOOKMARK", &object)
}

fn names(events: &[WatchEvent]) -> Vec<String> {
    let name = |event: &WatchEvent| match event {
        WatchEvent::Started => "started".into(),
        WatchEvent::Object(fact) => format!("object {}", fact.version),
        WatchEvent::ObjectGone(key, version) => format!("gone {key} {version}"),
        WatchEvent::Complete(version) => format!("complete {version}"),
        WatchEvent::Passed(version) => format!("passed {version}"),
        WatchEvent::Unreadable(_) => "unreadable".into(),
        other => format!("{other:?}"),
    };
    events.iter().map(name).collect()
}

fn lines(watcher: &mut Watcher, lines: &[Vec<u8>]) -> Vec<String> {
    let mut all = Vec::new();
    for line in lines {
        match watcher.line(line) {
            ControlFlow::Continue(events) => all.extend(names(&events)),
            ControlFlow::Break(events) => {
                all.extend(names(&events));
                all.push("break".into());
            }
        }
    }
    all
}

fn uri(watcher: &mut Watcher) -> String {
    watcher.next_request().unwrap().request.uri().to_string()
}

fn refuse(watcher: &mut Watcher, code: u16, reason: &str) -> (Vec<String>, Duration) {
    refuse_with(watcher, &status(code, reason, "no"))
}

fn refuse_with(watcher: &mut Watcher, body: &Value) -> (Vec<String>, Duration) {
    let code = u16::try_from(body["code"].as_u64().unwrap()).unwrap();
    let body = body.to_string();
    let answer = Answer {
        status: code,
        retry_after: None,
        body: body.as_bytes(),
    };
    let (events, pause) = watcher.ended(&Ended::Refused(answer));
    (names(&events), pause)
}

#[test]
fn a_streaming_list_completes_by_its_bookmark_and_resumes_from_the_last_version() {
    let mut w = watcher();
    assert!(uri(&mut w).contains("sendInitialEvents=true"));
    let told = lines(
        &mut w,
        &[
            event("ADDED", &pod("3")),
            bookmark("4", false),
            bookmark("5", true),
            event("MODIFIED", &pod("7")),
            event("DELETED", &pod("8")),
            bookmark("11", false),
            b"\n".to_vec(),
        ],
    );
    assert_eq!(
        told,
        [
            "started",
            "object 3",
            "complete 5",
            "object 7",
            "gone Pod vision/a-1 8",
            "passed 11"
        ]
    );
    let (events, pause) = w.ended(&Ended::Closed);
    assert!(events.is_empty() && pause <= Duration::from_millis(200));
    assert!(uri(&mut w).ends_with("&resourceVersion=11"));
}

#[test]
fn a_list_that_is_cut_begins_again() {
    let mut w = watcher();
    uri(&mut w);
    lines(&mut w, &[event("ADDED", &pod("3"))]);
    w.ended(&Ended::Closed);
    assert!(uri(&mut w).contains("sendInitialEvents=true"));
    assert_eq!(
        lines(&mut w, &[bookmark("5", true)]),
        ["started", "complete 5"]
    );
}

#[test]
fn an_expired_version_lists_again_soon() {
    let mut w = watcher();
    uri(&mut w);
    lines(&mut w, &[bookmark("5", true)]);
    w.ended(&Ended::Closed);
    uri(&mut w);
    let expired = event("ERROR", &status(410, "Expired", "too old resource version"));
    assert_eq!(lines(&mut w, &[expired]), ["break"]);
    assert!(w.ended(&Ended::Closed).1 <= Duration::from_millis(200));
    assert!(uri(&mut w).contains("sendInitialEvents=true"));

    lines(&mut w, &[bookmark("6", true)]);
    w.ended(&Ended::Closed);
    uri(&mut w);
    refuse(&mut w, 410, "Expired");
    assert!(uri(&mut w).contains("sendInitialEvents=true"));
}

#[test]
fn another_error_of_the_server_keeps_the_place() {
    let mut w = watcher();
    uri(&mut w);
    lines(&mut w, &[bookmark("5", true)]);
    let error = event("ERROR", &status(500, "InternalError", "etcd"));
    assert_eq!(lines(&mut w, &[error]), ["break"]);
    w.ended(&Ended::Closed);
    assert!(uri(&mut w).ends_with("&resourceVersion=5"));
}

#[test]
fn a_server_without_streaming_lists_is_listed_in_pages() {
    let mut w = watcher();
    uri(&mut w);
    let (events, pause) = refuse(&mut w, 422, "Invalid");
    assert!(events.is_empty() && pause.is_zero());
    assert!(uri(&mut w).ends_with("&limit=500"));

    let mut item = pod("3");
    item.as_object_mut()
        .unwrap()
        .retain(|key, _| key != "kind" && key != "apiVersion");
    let page = |next: &str| {
        json!({"kind": "PodList", "metadata": {"resourceVersion": "9", "continue": next}, "items": [item]})
            .to_string()
    };
    assert_eq!(
        names(&w.page(page("t").as_bytes())),
        ["started", "object 3"]
    );
    assert!(uri(&mut w).ends_with("&limit=500&continue=t"));
    assert_eq!(
        names(&w.page(page("").as_bytes())),
        ["object 3", "complete 9"]
    );
    assert!(uri(&mut w).ends_with("&resourceVersion=9"));
}

#[test]
fn what_cannot_be_read_makes_the_view_unreadable_not_smaller() {
    let mut w = watcher();
    uri(&mut w);
    let mut nameless = pod("3");
    nameless["metadata"]["resourceVersion"] = json!("opaque");
    let told = lines(&mut w, &[event("ADDED", &nameless)]);
    assert_eq!(told, ["unreadable", "break"]);
    let (events, pause) = refuse(&mut w, 404, "NotFound");
    assert_eq!(events, ["unreadable"]);
    assert!(pause >= Duration::from_secs(5), "{pause:?}");
}

/// A server that has just started and is at version 5.
fn restarted() -> Watcher {
    let mut w = watcher();
    uri(&mut w);
    lines(&mut w, &[bookmark("5", true)]);
    w.ended(&Ended::Closed);
    assert!(uri(&mut w).ends_with("&resourceVersion=5"));
    let (events, pause) = refuse(&mut w, 403, "Forbidden");
    assert!(events.is_empty() && pause.is_zero());
    assert_eq!(uri(&mut w), "/readyz");
    w
}

#[test]
fn what_a_server_forbids_before_it_is_ready_says_nothing() {
    let mut w = restarted();
    for code in [403, 500] {
        let (events, pause) = refuse(&mut w, code, "");
        assert!(events.is_empty() && !pause.is_zero(), "{code}");
        assert_eq!(uri(&mut w), "/readyz");
    }
    assert!(w.page(b"ok").is_empty());
    assert!(uri(&mut w).ends_with("&resourceVersion=5"));
    assert_eq!(lines(&mut w, &[bookmark("7", false)]), ["passed 7"]);
}

#[test]
fn what_a_server_that_is_ready_forbids_again_is_unreadable() {
    for without_page in [false, true] {
        let mut w = restarted();
        if without_page {
            let (events, pause) = refuse(&mut w, 404, "NotFound");
            assert!(events.is_empty() && pause.is_zero());
        } else {
            assert!(w.page(b"ok").is_empty());
        }
        assert!(uri(&mut w).ends_with("&resourceVersion=5"));
        let (events, pause) = refuse(&mut w, 403, "Forbidden");
        assert_eq!(events, ["unreadable"]);
        assert!(pause >= Duration::from_secs(5), "{pause:?}");
        uri(&mut w);
        refuse(&mut w, 403, "Forbidden");
        assert_eq!(uri(&mut w), "/readyz");
    }
}

#[test]
fn a_server_that_says_when_to_come_back_is_obeyed() {
    for code in [429, 500, 503] {
        let mut w = watcher();
        uri(&mut w);
        let mut body = status(code, "Busy", "later");
        body["details"] = json!({"retryAfterSeconds": 9});
        let (events, pause) = refuse_with(&mut w, &body);
        assert!(
            events.is_empty() && pause >= Duration::from_secs(9),
            "{code}: {pause:?}"
        );
    }
}

#[test]
fn pauses_grow_to_half_a_minute_and_differ_by_seed() {
    let grow = |seed| {
        let mut w = Watcher::new(WatchKey::Nodes, "i1", seed);
        let pauses: Vec<_> = (0..12)
            .map(|_| {
                uri(&mut w);
                w.ended(&Ended::Closed).1
            })
            .collect();
        pauses
    };
    let pauses = grow(1);
    assert!(pauses[0] >= Duration::from_millis(100) && pauses[0] <= Duration::from_millis(200));
    assert!(pauses[11] >= Duration::from_secs(15) && pauses[11] <= Duration::from_secs(30));
    assert_eq!(pauses, grow(1));
    assert_ne!(pauses, grow(2));
}
