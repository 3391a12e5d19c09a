//! The rows of other kinds that have columns of their own.

use serde_json::{Value, json};

use super::{or_none, since};
use crate::object::{at, list, name, text, texts};

pub(super) fn service(service: &Value, age: String) -> Vec<String> {
    let port = |port: &Value| format!("{}/{}", port["port"], text(port, &["protocol"]));
    let ports: Vec<String> = list(service, &["spec", "ports"]).iter().map(port).collect();
    let selector: Vec<String> = texts(service, &["spec", "selector"])
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    vec![
        name(service).to_owned(),
        text(service, &["spec", "type"]).to_owned(),
        or_none(text(service, &["spec", "clusterIP"])),
        "<none>".to_owned(),
        or_none(&ports.join(",")),
        age,
        or_none(&selector.join(",")),
    ]
}

pub(super) fn node(node: &Value, age: String) -> Vec<String> {
    let ready = crate::object::condition(node, "Ready")
        .map_or("Unknown", |condition| text(condition, &["status"]));
    let mut status = if ready == "True" { "Ready" } else { "NotReady" }.to_owned();
    if node["spec"]["unschedulable"] == true {
        status.push_str(",SchedulingDisabled");
    }
    let info = |field| text(node, &["status", "nodeInfo", field]).to_owned();
    let address = list(node, &["status", "addresses"])
        .iter()
        .find(|address| text(address, &["type"]) == "InternalIP");
    vec![
        name(node).to_owned(),
        status,
        "<none>".to_owned(),
        age,
        info("kubeletVersion"),
        or_none(address.map_or("", |address| text(address, &["address"]))),
        "<none>".to_owned(),
        info("osImage"),
        info("kernelVersion"),
        info("containerRuntimeVersion"),
    ]
}

pub(super) fn event(event: &Value, now_ms: i64) -> Vec<String> {
    let first = [
        &["firstTimestamp"][..],
        &["eventTime"],
        &["metadata", "creationTimestamp"],
    ];
    let last = [
        &["lastTimestamp"][..],
        &["series", "lastObservedTime"],
        &["eventTime"],
        &["metadata", "creationTimestamp"],
    ];
    let oldest = |paths: &[&[&str]]| {
        let found = paths.iter().find(|path| !text(event, path).is_empty());
        found.map_or_else(|| "<unknown>".to_owned(), |path| since(event, path, now_ms))
    };
    let about = text(event, &["involvedObject", "kind"]).to_lowercase();
    let said = |path: &[&str]| text(event, path);
    let (component, host) = (said(&["source", "component"]), said(&["source", "host"]));
    let source = match (component, host) {
        ("", _) => said(&["reportingComponent"]).to_owned(),
        (component, "") => component.to_owned(),
        (component, host) => format!("{component}, {host}"),
    };
    vec![
        oldest(&last),
        text(event, &["type"]).to_owned(),
        text(event, &["reason"]).to_owned(),
        format!("{about}/{}", text(event, &["involvedObject", "name"])),
        text(event, &["involvedObject", "fieldPath"]).to_owned(),
        source,
        text(event, &["message"]).trim().to_owned(),
        oldest(&first),
        event["count"].as_i64().unwrap_or(1).to_string(),
        name(event).to_owned(),
    ]
}

pub(super) fn claim(claim: &Value, age: String) -> Vec<String> {
    let modes: Vec<&str> = list(claim, &["spec", "accessModes"])
        .iter()
        .filter_map(Value::as_str)
        .map(short_mode)
        .collect();
    let at = |path: &[&str]| text(claim, path).to_owned();
    vec![
        name(claim).to_owned(),
        at(&["status", "phase"]),
        at(&["spec", "volumeName"]),
        at(&["status", "capacity", "storage"]),
        modes.join(","),
        at(&["spec", "storageClassName"]),
        "<unset>".to_owned(),
        age,
        or_none(&at(&["spec", "volumeMode"])),
    ]
}

fn short_mode(mode: &str) -> &str {
    match mode {
        "ReadWriteOnce" => "RWO",
        "ReadOnlyMany" => "ROX",
        "ReadWriteMany" => "RWX",
        "ReadWriteOncePod" => "RWOP",
        other => other,
    }
}

pub(super) fn quota(quota: &Value, prefix: &str) -> String {
    let limits = at(quota, &["status", "hard"]).and_then(Value::as_object);
    let wanted = limits
        .into_iter()
        .flatten()
        .filter(|(resource, _)| resource.starts_with("limits.") == (prefix == "limits."));
    let entry = |(resource, hard): (&String, &Value)| {
        let used = at(quota, &["status", "used", resource])
            .cloned()
            .unwrap_or_else(|| json!("0"));
        format!("{resource}: {}/{}", plain(&used), plain(hard))
    };
    wanted.map(entry).collect::<Vec<_>>().join(", ")
}

pub(super) fn binding(binding: &Value, age: String) -> Vec<String> {
    let role = |field| text(binding, &["roleRef", field]);
    let of = |kind: &str| {
        let subjects = list(binding, &["subjects"]).iter();
        let subjects = subjects.filter(|subject| subject["kind"] == kind);
        let named = subjects.map(|subject| {
            let at = |field| text(subject, &[field]);
            match kind {
                "ServiceAccount" => format!("{}/{}", at("namespace"), at("name")),
                _ => at("name").to_owned(),
            }
        });
        named.collect::<Vec<_>>().join(", ")
    };
    vec![
        name(binding).to_owned(),
        format!("{}/{}", role("kind"), role("name")),
        age,
        of("User"),
        of("Group"),
        of("ServiceAccount"),
    ]
}

pub(super) fn budget(budget: &Value, age: String) -> Vec<String> {
    let limit = |field| match at(budget, &["spec", field]) {
        Some(limit) => plain(limit),
        None => "N/A".to_owned(),
    };
    let allowed = at(budget, &["status", "disruptionsAllowed"]);
    vec![
        name(budget).to_owned(),
        limit("minAvailable"),
        limit("maxUnavailable"),
        allowed.map_or_else(|| "0".to_owned(), plain),
        age,
    ]
}

fn plain(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}
