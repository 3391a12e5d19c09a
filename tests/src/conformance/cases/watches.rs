use serde_json::{Value, json};

use super::config;
use crate::conformance::{Api, Answer};
use crate::conformance::api::MERGE;

fn labelled(name: &str, value: &str) -> Value {
    let mut object = config(name);
    object["metadata"]["labels"] = json!({"case": value});
    object
}

async fn newest(api: &Api) -> String {
    let list: Answer = api.silent("GET", "configmaps", "application/json", None).await;
    list.expect(200)["metadata"]["resourceVersion"].as_str().unwrap_or_default().to_owned()
}

pub async fn changes(api: Api) {
    let from = newest(&api).await;
    let mut watch = api.watch(&format!("configmaps?labelSelector=case&resourceVersion={from}")).await;
    assert_eq!(watch.status, 200);
    let made = api.post("configmaps", &labelled("one", "x")).await.expect(201);
    let added = watch.expect("ADDED").await;
    assert_eq!(added, made);
    let changed = api.patch("configmaps/one", MERGE, &json!({"data": {"a": "2"}})).await.expect(200);
    assert_eq!(watch.expect("MODIFIED").await, changed);
    api.delete("configmaps/one", &Value::Null).await.expect(200);
    let gone = watch.expect("DELETED").await;
    assert_eq!(gone["data"], changed["data"]);
    assert_ne!(gone["metadata"]["resourceVersion"], changed["metadata"]["resourceVersion"], "the deletion has a version of its own");
    // A later watch from the same version tells it all again.
    let mut again = api.watch(&format!("configmaps?labelSelector=case&resourceVersion={from}")).await;
    again.expect("ADDED").await;
    again.expect("MODIFIED").await;
    again.expect("DELETED").await;
}

/// An object that begins or ceases to fit a selector is added or deleted for that watch.
pub async fn selected(api: Api) {
    let from = newest(&api).await;
    let mut watch = api.watch(&format!("configmaps?labelSelector=case%3Dx&resourceVersion={from}")).await;
    api.post("configmaps", &labelled("one", "y")).await.expect(201);
    let label = |value: &str| json!({"metadata": {"labels": {"case": value}}});
    let fits = api.patch("configmaps/one", MERGE, &label("x")).await.expect(200);
    assert_eq!(watch.expect("ADDED").await, fits);
    let left = api.patch("configmaps/one", MERGE, &label("z")).await.expect(200);
    let gone = watch.expect("DELETED").await;
    assert_eq!(gone["metadata"]["labels"]["case"], "x", "the last form that fitted");
    assert_eq!(gone["metadata"]["resourceVersion"], left["metadata"]["resourceVersion"]);
}

pub async fn bookmarks(api: Api) {
    api.post("configmaps", &labelled("one", "x")).await.expect(201);
    let from = newest(&api).await;
    // A watch with a time limit gets a bookmark shortly before its end.
    let mut watch = api.watch(&format!("configmaps?labelSelector=case&resourceVersion={from}&allowWatchBookmarks=true&timeoutSeconds=4")).await;
    let mut bookmark = Value::Null;
    while let Some(mut event) = watch.event().await {
        assert_eq!(event["type"], "BOOKMARK", "{event}");
        bookmark = event["object"].take();
    }
    assert_eq!(bookmark["kind"], "ConfigMap", "a bookmark came before the end");
    assert!(bookmark["metadata"]["resourceVersion"].is_string());
    assert_eq!(bookmark["metadata"].get("name"), None);
}

pub async fn streamed(api: Api) {
    api.post("configmaps", &labelled("one", "x")).await.expect(201);
    api.post("configmaps", &labelled("two", "x")).await.expect(201);
    let query = "sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true";
    let mut watch = api.watch(&format!("configmaps?labelSelector=case&{query}")).await;
    assert_eq!(watch.expect("ADDED").await["metadata"]["name"], "one");
    assert_eq!(watch.expect("ADDED").await["metadata"]["name"], "two");
    let end = watch.expect("BOOKMARK").await;
    assert_eq!(end["metadata"]["annotations"]["k8s.io/initial-events-end"], "true", "{end}");
    api.post("configmaps", &labelled("three", "x")).await.expect(201);
    assert_eq!(watch.expect("ADDED").await["metadata"]["name"], "three");
    // What does not go together is refused.
    for query in ["sendInitialEvents=true", "sendInitialEvents=true&resourceVersionMatch=Exact", "resourceVersionMatch=NotOlderThan"] {
        api.get(&format!("configmaps?watch=true&{query}")).await.refused_with(422, "Invalid", "ListOptions.meta.k8s.io \"\" is invalid");
    }
    api.get("configmaps?sendInitialEvents=true&resourceVersionMatch=NotOlderThan").await.refused_with(422, "Invalid", "sendInitialEvents is forbidden for list");
}

pub async fn too_new(api: Api) {
    let answer = api.silent("GET", "configmaps?resourceVersion=999999999", "application/json", None).await;
    answer.refused_with(504, "Timeout", "Too large resource version: 999999999, current: ");
    assert_eq!(answer.causes(), ["ResourceVersionTooLarge : Too large resource version"]);
    let answer = api.silent("GET", "configmaps?watch=true&resourceVersion=abc", "application/json", None).await;
    answer.refused(500, "", "resourceVersion: Invalid value: \"abc\": strconv.ParseUint: parsing \"abc\": invalid syntax");
}

pub async fn ended(api: Api) {
    let mut watch = api.watch("configmaps?labelSelector=case&timeoutSeconds=1").await;
    assert_eq!(watch.event().await, None);
}
