//! What becomes of those who are behind when the server forgets its history. Of Events, as the
//! real server keeps no cache of them that could hide the compaction.

use serde_json::json;

use crate::conformance::Api;

const JSON: &str = "application/json";

/// Makes changes, and gives the version before them.
async fn filled(api: &Api) -> String {
    let before = api.silent("GET", "events", JSON, None).await.expect(200);
    for number in 0..5 {
        let event = json!({
            "metadata": {"name": format!("one-{number}")}, "reason": "Started", "type": "Normal",
            "involvedObject": {"kind": "Pod", "name": "p", "namespace": api.namespace()},
        });
        api.silent("POST", "events", JSON, Some(&event)).await.expect(201);
    }
    before["metadata"]["resourceVersion"].as_str().unwrap_or_default().to_owned()
}

pub async fn watch_compaction(api: Api) {
    let before = filled(&api).await;
    api.compact().await;
    let mut watch = api.watch(&format!("events?resourceVersion={before}")).await;
    assert_eq!(watch.status, 200);
    let expired = watch.expect("ERROR").await;
    assert_eq!(expired["kind"], "Status");
    assert_eq!(expired["code"], 410);
    assert_eq!(expired["reason"], "Expired");
    assert_eq!(expired["message"], "The resourceVersion for the provided watch is too old.");
    assert_eq!(watch.event().await, None);
}

pub async fn list_compaction(api: Api) {
    let before = filled(&api).await;
    api.compact().await;
    let path = format!("events?resourceVersion={before}&resourceVersionMatch=Exact");
    let answer = api.silent("GET", &path, JSON, None).await;
    answer.refused(410, "Expired", "The resourceVersion for the provided list is too old.");
}

pub async fn pages_compaction(api: Api) {
    filled(&api).await;
    let first = api.silent("GET", "events?limit=2", JSON, None).await.expect(200);
    let token = first["metadata"]["continue"].as_str().unwrap_or_default().to_owned();
    assert!(!token.is_empty(), "{first}");
    api.silent("DELETE", "events/one-4", JSON, None).await.expect(200);
    api.compact().await;
    let path = format!("events?limit=2&continue={token}");
    let answer = api.silent("GET", &path, JSON, None).await;
    answer.refused_with(410, "Expired", "The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter");
    // There is a way to go on, with what is there now.
    let token = answer.body["metadata"]["continue"].as_str().unwrap_or_default();
    let rest = api.silent("GET", &format!("events?limit=5&continue={token}"), JSON, None).await.expect(200);
    let names = rest["items"].as_array().into_iter().flatten();
    let names: Vec<&str> = names.filter_map(|item| item["metadata"]["name"].as_str()).collect();
    assert_eq!(names, ["one-2", "one-3"]);
}
