//! What a kubelet writes into a pod's status.

use serde_json::{Value, json};

use super::kubelet::End;
use super::script::Script;
use crate::clock;
use crate::object::{list, set, set_condition, text, uid};

/// The containers run.
pub(super) fn start(pod: &mut Value, address: &str, host: &str, now_ms: i64) {
    place(pod, now_ms);
    set(pod, &["status", "phase"], "Running");
    set(pod, &["status", "hostIP"], host);
    set(pod, &["status", "hostIPs"], json!([{"ip": host}]));
    set(pod, &["status", "podIP"], address);
    set(pod, &["status", "podIPs"], json!([{"ip": address}]));
    let running = json!({"running": {"startedAt": clock::seconds(now_ms)}});
    let statuses = statuses(pod, "containers", |_| running.clone());
    set(pod, &["status", "containerStatuses"], statuses);
    set_inits(pod, &running, now_ms);
    for kind in [
        "PodReadyToStartContainers",
        "Initialized",
        "Ready",
        "ContainersReady",
    ] {
        condition(pod, kind, "True", "", now_ms);
    }
}

/// The image does not come.
pub(super) fn stick(pod: &mut Value, now_ms: i64) {
    let waiting = |container: &Value| {
        let image = text(container, &["image"]);
        let message = format!("Back-off pulling image \"{image}\": ErrImagePull: not found");
        json!({"waiting": {"reason": "ImagePullBackOff", "message": message}})
    };
    let statuses = statuses(pod, "containers", waiting);
    set(pod, &["status", "containerStatuses"], statuses);
    condition(pod, "Initialized", "True", "", now_ms);
    not_ready(pod, now_ms);
}

/// Something that configures a container is not there; gives the first reason of `missing`, if
/// there is one. Init containers go first.
pub(super) fn unconfigured(
    pod: &mut Value,
    now_ms: i64,
    missing: impl Fn(&Value) -> Option<String>,
) -> Option<String> {
    let first = |field| list(pod, &["spec", field]).iter().find_map(&missing);
    let (init, own) = (first("initContainers"), first("containers"));
    let before = init.is_some();
    let why = init.or(own)?;
    let waiting = |container: &Value, other: &str| match missing(container) {
        Some(message) => {
            json!({"waiting": {"reason": "CreateContainerConfigError", "message": message}})
        }
        None => json!({"waiting": {"reason": other}}),
    };
    let (inits, tasks) = if before {
        let inits = statuses(pod, "initContainers", |it| waiting(it, "PodInitializing"));
        let initializing = json!({"waiting": {"reason": "PodInitializing"}});
        (
            Some(inits),
            statuses(pod, "containers", |_| initializing.clone()),
        )
    } else {
        (
            None,
            statuses(pod, "containers", |it| waiting(it, "ContainerCreating")),
        )
    };
    set(pod, &["status", "containerStatuses"], tasks);
    if let Some(inits) = inits {
        set(pod, &["status", "initContainerStatuses"], inits);
        let reason = "ContainersNotInitialized";
        condition(pod, "Initialized", "False", reason, now_ms);
    } else {
        let running = json!({"running": {"startedAt": clock::seconds(now_ms)}});
        set_inits(pod, &running, now_ms);
        condition(pod, "Initialized", "True", "", now_ms);
    }
    not_ready(pod, now_ms);
    Some(why)
}

fn not_ready(pod: &mut Value, now_ms: i64) {
    place(pod, now_ms);
    for kind in ["Ready", "ContainersReady"] {
        condition(pod, kind, "False", "ContainersNotReady", now_ms);
    }
}

/// The program ended, for good.
pub(super) fn end(pod: &mut Value, end: End, script: &Script, (started_ms, ended_ms): (i64, i64)) {
    place(pod, ended_ms);
    let state = json!({"terminated": terminated(pod, end, script, (started_ms, ended_ms))});
    let statuses = statuses(pod, "containers", |_| state.clone());
    set(pod, &["status", "containerStatuses"], statuses);
    let stopped =
        json!({"terminated": terminated(pod, End::Exit(0), script, (started_ms, ended_ms))});
    set_inits(pod, &stopped, ended_ms);
    let succeeded = end == End::Exit(0);
    set(
        pod,
        &["status", "phase"],
        if succeeded { "Succeeded" } else { "Failed" },
    );
    if end == End::Deadline {
        set(pod, &["status", "reason"], "DeadlineExceeded");
        let message = "Pod was active on the node longer than the specified deadline";
        set(pod, &["status", "message"], message);
    }
    let reason = if succeeded {
        "PodCompleted"
    } else {
        "PodFailed"
    };
    for kind in ["Ready", "ContainersReady"] {
        condition(pod, kind, "False", reason, ended_ms);
    }
    if succeeded {
        condition(pod, "Initialized", "True", "PodCompleted", ended_ms);
    }
    condition(pod, "PodReadyToStartContainers", "False", "", ended_ms);
}

/// The program ended and runs again.
pub(super) fn restart(
    pod: &mut Value,
    end: End,
    script: &Script,
    (started_ms, ended_ms): (i64, i64),
) {
    let last = json!({"terminated": terminated(pod, end, script, (started_ms, ended_ms))});
    let statuses = pod
        .pointer_mut("/status/containerStatuses")
        .and_then(Value::as_array_mut);
    for status in statuses.into_iter().flatten() {
        let count = status["restartCount"].as_i64().unwrap_or_default();
        status["restartCount"] = (count + 1).into();
        status["lastState"] = last.clone();
        status["state"] = json!({"running": {"startedAt": clock::seconds(ended_ms)}});
    }
}

/// Whether the pod's conditions say that it is ready; a lost node's pods are not.
pub(super) fn set_ready(pod: &mut Value, ready: bool, now_ms: i64) {
    let (status, reason) = if ready {
        ("True", "")
    } else {
        ("False", "NodeNotReady")
    };
    condition(pod, "Ready", status, reason, now_ms);
}

fn place(pod: &mut Value, now_ms: i64) {
    crate::object::default(pod, &["status", "startTime"], clock::seconds(now_ms));
    set(
        pod,
        &["status", "observedGeneration"],
        pod["metadata"]["generation"].clone(),
    );
}

fn condition(pod: &mut Value, kind: &str, status: &str, reason: &str, now_ms: i64) {
    let mut condition = json!({
        "type": kind, "status": status, "lastProbeTime": null, "lastTransitionTime": clock::seconds(now_ms),
    });
    if !reason.is_empty() {
        condition["reason"] = reason.into();
    }
    set_condition(pod, condition);
}

fn terminated(pod: &Value, end: End, script: &Script, (started_ms, ended_ms): (i64, i64)) -> Value {
    let (code, reason) = match end {
        End::Exit(0) => (0, "Completed"),
        End::Exit(code) => (code, "Error"),
        End::Oom => (137, "OOMKilled"),
        End::Deadline => (143, "Error"),
        End::Unknown => (137, "ContainerStatusUnknown"),
    };
    let mut state = json!({
        "exitCode": code, "reason": reason, "startedAt": clock::seconds(started_ms),
        "finishedAt": clock::seconds(ended_ms), "containerID": container_id(pod, "task"),
    });
    if !script.message.is_empty() && end != End::Unknown {
        state["message"] = script.message.as_str().into();
    }
    state
}

fn statuses(pod: &Value, field: &str, state: impl Fn(&Value) -> Value) -> Value {
    let containers = list(pod, &["spec", field]).iter();
    containers
        .map(|container| status(pod, container, &state(container)))
        .collect()
}

fn status(pod: &Value, container: &Value, state: &Value) -> Value {
    let runs = state.get("running").is_some();
    let image = text(container, &["image"]);
    let id = if state.get("waiting").is_some() {
        String::new()
    } else {
        container_id(pod, text(container, &["name"]))
    };
    json!({
        "name": container["name"], "image": image, "imageID": "", "containerID": id, "ready": runs, "started": runs,
        "restartCount": 0, "lastState": {}, "state": state,
    })
}

/// Init containers have done their work; sidecars are as the program is.
fn set_inits(pod: &mut Value, sidecar: &Value, now_ms: i64) {
    if list(pod, &["spec", "initContainers"]).is_empty() {
        return;
    }
    let time = clock::seconds(now_ms);
    let done = json!({"terminated": {"exitCode": 0, "reason": "Completed", "startedAt": time, "finishedAt": time}});
    let statuses = statuses(pod, "initContainers", |container| {
        if text(container, &["restartPolicy"]) == "Always" {
            sidecar.clone()
        } else {
            done.clone()
        }
    });
    set(pod, &["status", "initContainerStatuses"], statuses);
}

fn container_id(pod: &Value, container: &str) -> String {
    format!("simulated://{}/{container}", uid(pod))
}
