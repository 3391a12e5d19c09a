use berth_core::ids::{ObjectKind, ResourceVersion};
use berth_core::reconciler::{WatchKey, What};
use serde_json::{Value, json};

use super::super::{NotACall, WatchFrom, list_request, request, watch_request};
use super::*;

fn sent(what: What) -> (String, String, Value) {
    let request = request(&caller(), now(), &effect(what)).unwrap();
    let media = request.headers().get("content-type").unwrap();
    (
        format!("{} {}", request.method(), request.uri()),
        media.to_str().unwrap().to_owned(),
        serde_json::from_slice(request.body()).unwrap(),
    )
}

#[test]
fn each_effect_is_sent_with_its_preconditions() {
    let pods = "/api/v1/namespaces/vision/pods";
    let maps = "/api/v1/namespaces/berth/configmaps";
    let own = |version: Option<&str>| {
        let mut body = json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"k": "v"},
            "metadata": {"name": "berth-main", "namespace": "berth",
                         "labels": {"app.kubernetes.io/managed-by": "berth"}}});
        if let Some(version) = version {
            body["metadata"]["resourceVersion"] = json!(version);
        }
        body
    };
    let options = |preconditions: Value| {
        json!({"apiVersion": "v1", "kind": "DeleteOptions",
        "preconditions": preconditions, "propagationPolicy": "Background"})
    };
    let json_media = "application/json";
    let apply_media = "application/apply-patch+yaml";
    let applied = json!({"kind": "Pod", "metadata": {"uid": "u1"}});
    let cases = [
        (
            create(),
            format!("POST {pods}?fieldManager=berth&fieldValidation=Strict"),
            json_media,
            json!({"kind": "Pod"}),
        ),
        (
            apply(false),
            format!("PATCH {pods}/a-1?fieldManager=berth&force=true&fieldValidation=Strict"),
            apply_media,
            applied.clone(),
        ),
        (
            apply(true),
            format!(
                "PATCH {pods}/a-1?fieldManager=berth&force=true&fieldValidation=Strict&dryRun=All"
            ),
            apply_media,
            applied,
        ),
        (
            delete(),
            format!("DELETE {pods}/a-1"),
            json_media,
            options(json!({"uid": "u1", "resourceVersion": "12"})),
        ),
        (
            release(),
            format!("PATCH {pods}/a-1?fieldManager=berth"),
            "application/strategic-merge-patch+json",
            json!({"metadata": {"uid": "u1", "resourceVersion": "12",
                   "$deleteFromPrimitiveList/finalizers": ["berth.dev/outcome"]}}),
        ),
        (
            keep(true, None),
            format!("POST {maps}?fieldManager=berth"),
            json_media,
            own(None),
        ),
        (
            keep(true, Some(5)),
            format!("PUT {maps}/berth-main?fieldManager=berth"),
            json_media,
            own(Some("5")),
        ),
        (
            keep(false, Some(5)),
            format!("DELETE {maps}/berth-main"),
            json_media,
            options(json!({"resourceVersion": "5"})),
        ),
    ];
    for (what, line, media, body) in cases {
        assert_eq!(sent(what), (line, media.to_owned(), body));
    }
}

#[test]
fn an_event_names_its_object_and_is_the_same_when_sent_again() {
    let (line, _, body) = sent(tell());
    assert_eq!(
        line,
        "POST /apis/events.k8s.io/v1/namespaces/vision/events?fieldManager=berth"
    );
    assert_eq!(body["metadata"]["name"], "a-1.3e8.1f");
    assert_eq!(body["eventTime"], "1970-01-01T00:00:01.000000Z");
    assert_eq!(body["type"], "Warning");
    assert_eq!(body["regarding"]["uid"], "u1");
    assert_eq!(body["note"], "the queue is full");
    assert_eq!(sent(tell()).2, body);
}

#[test]
fn names_cannot_leave_their_segment() {
    let what = What::Delete {
        key: ObjectKey::new(ObjectKind::Pod, "a/b", "../x?y=1#z"),
        uid: Uid("u".into()),
        version: ResourceVersion(1),
    };
    assert_eq!(
        sent(what).0,
        "DELETE /api/v1/namespaces/a%2Fb/pods/..%2Fx%3Fy%3D1%23z"
    );
}

#[test]
fn what_concerns_git_is_no_call() {
    let refused = request(&caller(), now(), &effect(What::Reload)).unwrap_err();
    assert_eq!(refused, NotACall::Git);
}

#[test]
fn watches_and_lists_select_what_they_should() {
    let ours = WatchKey::Ours(ObjectKind::Service, "vision".into());
    let watch = "watch=true&allowWatchBookmarks=true&timeoutSeconds=290";
    let services = "/api/v1/namespaces/vision/services?labelSelector=berth.dev%2Finstance%3Di1";
    let streaming = "sendInitialEvents=true&resourceVersionMatch=NotOlderThan";
    let uri =
        |request: Result<http::Request<Vec<u8>>, NotACall>| request.unwrap().uri().to_string();
    let from = WatchFrom::Version(ResourceVersion(9));
    let cases = [
        (
            uri(watch_request(&ours, "i1", WatchFrom::Streaming)),
            format!("{services}&{watch}&{streaming}"),
        ),
        (
            uri(watch_request(&ours, "i1", from)),
            format!("{services}&{watch}&resourceVersion=9"),
        ),
        (
            uri(watch_request(&WatchKey::Nodes, "i1", from)),
            format!("/api/v1/nodes?{watch}&resourceVersion=9"),
        ),
        (
            uri(list_request(&WatchKey::Occupants, "i1", Some("a=b"))),
            "/api/v1/pods?labelSelector=berth.dev%2Finstance%21%3Di1\
             &fieldSelector=status.phase%21%3DSucceeded%2Cstatus.phase%21%3DFailed\
             &limit=500&continue=a%3Db"
                .to_owned(),
        ),
    ];
    for (built, wanted) in cases {
        assert_eq!(built, wanted);
    }
}
