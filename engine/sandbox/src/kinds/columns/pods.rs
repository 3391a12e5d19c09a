//! The row of a pod.

use serde_json::Value;

use super::{or_none, since};
use crate::object::{is_deleting, list, name, number, text};

pub(super) fn cells(pod: &Value, now_ms: i64) -> Vec<Value> {
    let statuses = list(pod, &["status", "containerStatuses"]);
    let ready = statuses
        .iter()
        .filter(|status| status["ready"] == true)
        .count();
    let restarts: i64 = statuses
        .iter()
        .filter_map(|status| status["restartCount"].as_i64())
        .sum();
    let containers = list(pod, &["spec", "containers"]).len();
    vec![
        name(pod).into(),
        format!("{ready}/{containers}").into(),
        pod_status(pod).into(),
        restarts.to_string().into(),
        since(pod, &["metadata", "creationTimestamp"], now_ms).into(),
        or_none(text(pod, &["status", "podIP"])).into(),
        or_none(text(pod, &["spec", "nodeName"])).into(),
        or_none(text(pod, &["status", "nominatedNodeName"])).into(),
        "<none>".into(),
    ]
}

/// The STATUS of a pod, as the real server sums it up.
fn pod_status(pod: &Value) -> String {
    if is_deleting(pod) {
        return if text(pod, &["status", "reason"]) == "NodeLost" {
            "Unknown"
        } else {
            "Terminating"
        }
        .to_owned();
    }
    if let Some(reason) = init_status(pod) {
        return reason;
    }
    let statuses = list(pod, &["status", "containerStatuses"]).iter().rev();
    let mut reasons = statuses.filter_map(|status| {
        let waiting = text(status, &["state", "waiting", "reason"]);
        let ended = text(status, &["state", "terminated", "reason"]);
        [waiting, ended]
            .into_iter()
            .find(|reason| !reason.is_empty())
    });
    let gated = crate::object::condition(pod, "PodScheduled")
        .is_some_and(|condition| text(condition, &["reason"]) == "SchedulingGated");
    let own = [
        text(pod, &["status", "reason"]),
        text(pod, &["status", "phase"]),
    ];
    let own = own
        .into_iter()
        .find(|reason| !reason.is_empty())
        .unwrap_or("Unknown");
    reasons
        .next_back()
        .unwrap_or(if gated { "SchedulingGated" } else { own })
        .to_owned()
}

fn init_status(pod: &Value) -> Option<String> {
    let init = list(pod, &["status", "initContainerStatuses"]);
    let open = init.iter().position(|status| {
        number(status, &["state", "terminated", "exitCode"]) != Some(0) && status["started"] != true
    })?;
    let waiting = text(&init[open], &["state", "waiting", "reason"]);
    let ended = text(&init[open], &["state", "terminated", "reason"]);
    let reason = [ended, waiting]
        .into_iter()
        .find(|reason| !reason.is_empty() && *reason != "PodInitializing");
    let total = list(pod, &["spec", "initContainers"]).len();
    Some(reason.map_or_else(
        || format!("Init:{open}/{total}"),
        |reason| format!("Init:{reason}"),
    ))
}
