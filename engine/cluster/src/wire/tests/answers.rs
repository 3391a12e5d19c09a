use std::time::Duration;

use super::super::words;
use super::*;

/// The outcome in one word, and the words it carries.
fn named(outcome: &Outcome) -> (&'static str, String) {
    match outcome {
        Outcome::Done(Some(fact)) => ("done", fact.version.to_string()),
        Outcome::Done(None) => ("done", "nothing left".into()),
        Outcome::Exists(fact) => ("exists", fact.version.to_string()),
        Outcome::Compared(drift, fact) => ("compared", format!("{} {}", drift.len(), fact.version)),
        Outcome::Conflict => ("conflict", String::new()),
        Outcome::Absent => ("absent", String::new()),
        Outcome::Refused(words) => ("refused", words.message.clone()),
        Outcome::Busy(pause, words) => ("busy", format!("{pause:?}: {words}")),
        Outcome::Throttled(pause) => ("throttled", format!("{pause:?}")),
        Outcome::Unreachable(words) => ("unreachable", words.clone()),
        Outcome::Unknown(words) => ("unknown", words.clone()),
        Outcome::Kept(version) => ("kept", version.to_string()),
        Outcome::Recorded(_) | Outcome::Outpaced => ("git", String::new()),
    }
}

fn leaving(version: &str, finalizers: &[&str], grace: u32) -> Value {
    let mut pod = pod(version);
    pod["metadata"]["deletionTimestamp"] = json!("2026-11-20T08:10:00Z");
    pod["metadata"]["deletionGracePeriodSeconds"] = json!(grace);
    pod["metadata"]["finalizers"] = json!(finalizers);
    pod
}

fn absent() -> Value {
    let mut body = status(404, "NotFound", "pods \"a-1\" not found");
    body["details"] = json!({"name": "a-1", "kind": "pods"});
    body
}

/// An effect, the answers it gets, the outcome, and words that it carries.
type Case = (What, Vec<(u16, Value)>, &'static str, &'static str);

fn check(cases: Vec<Case>) {
    for (what, answers, outcome, said) in cases {
        let got = carried(what.clone(), &answers);
        let (name, words) = named(&got);
        assert_eq!(name, outcome, "{what:?} {answers:?} gave {got:?}");
        assert!(words.contains(said), "{words} lacks {said}");
    }
}

fn conflict() -> Value {
    status(409, "Conflict", "the object has been modified")
}

fn broken() -> Value {
    status(500, "InternalError", "etcd is away")
}

#[test]
fn what_a_create_comes_to() {
    let taken = || status(409, "AlreadyExists", "pods \"a-1\" already exists");
    let no_namespace = status(404, "NotFound", "namespaces \"vision\" not found");
    let unauthorized = status(401, "Unauthorized", "Unauthorized");
    check(vec![
        (create(), vec![(201, pod("5"))], "done", "5"),
        (
            create(),
            vec![(409, taken()), (200, pod("4"))],
            "exists",
            "4",
        ),
        (
            create(),
            vec![(409, taken()), (404, absent())],
            "conflict",
            "",
        ),
        (
            create(),
            vec![(409, taken()), (500, broken())],
            "unreachable",
            "500: etcd is away",
        ),
        (
            create(),
            vec![(500, broken())],
            "unknown",
            "500: etcd is away",
        ),
        (
            create(),
            vec![(201, json!("torn"))],
            "unknown",
            "no object as Kubernetes writes it",
        ),
        (
            create(),
            vec![(404, no_namespace)],
            "refused",
            "help: create the namespace, `kubectl create namespace vision`, or",
        ),
        (
            create(),
            vec![(422, status(422, "Invalid", "spec: no"))],
            "refused",
            "spec: no",
        ),
        (create(), vec![(401, unauthorized)], "unreachable", "renew"),
        (create(), vec![(302, json!(null))], "unreachable", "302"),
    ]);
}

#[test]
fn what_is_forbidden_is_believed_of_a_server_that_is_ready() {
    let denied = || {
        (
            403,
            status(403, "Forbidden", "pods is forbidden: User \"b\" cannot"),
        )
    };
    let (ready, no_page) = ((200, json!("ok")), (404, absent()));
    let (not_ready, closed) = ((500, broken()), (403, status(403, "Forbidden", "")));
    let words = "what it forbids says nothing";
    check(vec![
        (
            create(),
            vec![denied(), ready.clone(), denied()],
            "refused",
            "cannot",
        ),
        (
            create(),
            vec![denied(), no_page, denied()],
            "refused",
            "cannot",
        ),
        (
            create(),
            vec![denied(), ready.clone(), (201, pod("5"))],
            "done",
            "5",
        ),
        (
            create(),
            vec![denied(), ready.clone(), (500, broken())],
            "unknown",
            "etcd is away",
        ),
        (
            create(),
            vec![denied(), ready, (409, conflict()), (200, pod("4"))],
            "exists",
            "4",
        ),
        (create(), vec![denied(), not_ready], "unreachable", words),
        (create(), vec![denied(), closed], "unreachable", words),
    ]);
}

#[test]
fn what_an_apply_comes_to() {
    let mut other_life = status(422, "Invalid", "metadata.uid: field is immutable");
    other_life["details"] =
        json!({"causes": [{"reason": "FieldValueInvalid", "field": "metadata.uid"}]});
    let mut wrong = status(422, "Invalid", "no");
    wrong["details"] = json!({"causes": [{"reason": "FieldValueInvalid", "field": "spec.type"}]});
    check(vec![
        (apply(false), vec![(200, pod("6"))], "done", "6"),
        (apply(false), vec![(409, conflict())], "conflict", ""),
        (apply(false), vec![(422, other_life)], "conflict", ""),
        (apply(false), vec![(422, wrong)], "refused", "no"),
        (
            apply(true),
            vec![(200, pod("6")), (200, pod("6"))],
            "compared",
            "0 6",
        ),
        (
            apply(true),
            vec![(200, pod("6")), (200, pod("7"))],
            "conflict",
            "",
        ),
        (
            apply(true),
            vec![(200, pod("6")), (404, absent())],
            "absent",
            "",
        ),
        (apply(true), vec![(500, broken())], "unreachable", "etcd"),
    ]);
}

#[test]
fn what_a_delete_and_a_release_come_to() {
    let ok = json!({"kind": "Status", "status": "Success"});
    let no_route = status(
        404,
        "NotFound",
        "the server could not find the requested resource",
    );
    let held = leaving("6", &["berth.dev/outcome"], 0);
    check(vec![
        (delete(), vec![(200, ok)], "done", "nothing left"),
        (delete(), vec![(200, pod("6"))], "done", "nothing left"),
        (delete(), vec![(200, leaving("6", &[], 30))], "done", "6"),
        (delete(), vec![(200, held)], "done", "6"),
        (delete(), vec![(409, conflict())], "conflict", ""),
        (delete(), vec![(404, absent())], "absent", ""),
        (
            delete(),
            vec![(404, no_route)],
            "refused",
            "requested resource",
        ),
        (
            delete(),
            vec![(404, json!("page not found"))],
            "unreachable",
            "not of a Kubernetes API",
        ),
        (
            release(),
            vec![(200, leaving("6", &[], 0))],
            "done",
            "nothing left",
        ),
        (
            release(),
            vec![(200, leaving("6", &["other.dev/x"], 0))],
            "done",
            "6",
        ),
        (release(), vec![(200, pod("6"))], "done", "6"),
        (release(), vec![(500, broken())], "unknown", "etcd"),
    ]);
}

#[test]
fn what_a_keep_and_an_event_come_to() {
    let mut gone = status(404, "NotFound", "configmaps \"berth-main\" not found");
    gone["details"] = json!({"name": "berth-main", "kind": "configmaps"});
    check(vec![
        (keep(true, None), vec![(201, pod("8"))], "kept", "8"),
        (keep(true, None), vec![(409, json!(null))], "conflict", ""),
        (keep(true, Some(3)), vec![(404, gone.clone())], "absent", ""),
        (
            keep(false, Some(3)),
            vec![(404, gone)],
            "done",
            "nothing left",
        ),
        (tell(), vec![(201, json!({}))], "done", "nothing left"),
        (tell(), vec![(409, json!(null))], "done", "nothing left"),
    ]);
}

#[test]
fn an_answer_about_another_object_is_not_believed() {
    let mut other = pod("5");
    other["metadata"]["name"] = json!("b");
    let (name, words) = named(&carried(create(), &[(201, other)]));
    assert_eq!(
        (name, words.as_str()),
        (
            "unknown",
            "the answer is about Pod vision/b, not Pod vision/a-1"
        )
    );
}

#[test]
fn the_header_then_the_body_say_how_long_to_wait() {
    let mut body = status(429, "TooManyRequests", "slow down");
    body["details"] = json!({"retryAfterSeconds": 7});
    assert_eq!(
        carried(create(), &[(429, body)]),
        Outcome::Throttled(Duration::from_secs(7))
    );
    let bare = json!("go away");
    assert_eq!(
        carried(create(), &[(429, bare)]),
        Outcome::Throttled(Duration::from_secs(1))
    );

    let day = Some(Duration::from_hours(24));
    assert_eq!(
        told_to_wait(create(), 429, day),
        Outcome::Throttled(Duration::from_mins(5))
    );
}

/// The outcome of a call whose first answer is so.
fn told_to_wait(what: What, status: u16, retry_after: Option<Duration>) -> Outcome {
    let (caller, effect) = (caller(), effect(what));
    let (call, _) = Call::new(&caller, now(), &effect).unwrap();
    let answer = Answer {
        status,
        retry_after,
        body: b"{}",
    };
    let Next::Outcome(outcome) = call.answered(&answer) else {
        panic!("{status} is final");
    };
    outcome
}

#[test]
fn a_5xx_that_says_when_to_come_back_may_have_been_carried_out_unless_it_reads() {
    let second = Duration::from_secs(1);
    let outcome = told_to_wait(create(), 503, Some(second));
    assert!(
        matches!(&outcome, Outcome::Busy(wait, _) if *wait == second),
        "{outcome:?}"
    );
    let outcome = told_to_wait(apply(true), 503, Some(second));
    assert_eq!(outcome, Outcome::Throttled(second));
    assert!(matches!(
        told_to_wait(create(), 503, None),
        Outcome::Unknown(_)
    ));
}

fn said(code: u16, body: &str) -> String {
    words(&Answer {
        status: code,
        retry_after: None,
        body: body.as_bytes(),
    })
    .message
}

#[test]
fn a_missing_right_is_named_with_what_to_do() {
    let denied = status(
        403,
        "Forbidden",
        "pods is forbidden: User \"b\" cannot create resource \"pods\" in API group \"\" in the namespace \"vision\"",
    );
    let words = said(403, &denied.to_string());
    assert!(
        words.ends_with(
            "help: grant `create` on `pods` in the namespace vision to Berth's account, \
             as docs/reference/rbac.md lists"
        ),
        "{words}"
    );
    let full = status(
        403,
        "Forbidden",
        "pods \"a\" is forbidden: exceeded quota: q, requested: pods=1",
    );
    assert!(said(403, &full.to_string()).contains("help: raise the ResourceQuota"));
}

#[test]
fn words_are_short_and_hold_no_secret() {
    let long = status(422, "Invalid", &"x".repeat(5000));
    assert_eq!(said(422, &long.to_string()).len(), 1000);
    let leak = status(
        400,
        "BadRequest",
        "webhook got Authorization: Bearer abcdefghijkl",
    );
    assert_eq!(
        said(400, &leak.to_string()),
        "webhook got Authorization: Bearer <redacted>"
    );
    assert_eq!(
        said(502, "<html>Bad gateway</html>"),
        "<html>Bad gateway</html>"
    );
}
