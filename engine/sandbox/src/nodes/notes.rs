//! The Events that a scheduler and kubelets write, for people to read.

use serde_json::{Value, json};

use crate::clock;
use crate::object::{name, namespace, uid};
use crate::server::Server;
use crate::store::Key;

/// Who writes an Event, and so how it is classed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Writer {
    Scheduler,
    Kubelet,
}

/// Notes something about a pod, if the settings want it noted.
pub(super) fn note(server: &mut Server, writer: Writer, pod: &Value, reason: &str, message: &str) {
    if !server.options.events {
        return;
    }
    let component = match writer {
        Writer::Scheduler => "default-scheduler",
        Writer::Kubelet => "kubelet",
    };
    let kind = if reason.starts_with("Failed") || reason == "BackOff" {
        "Warning"
    } else {
        "Normal"
    };
    let now = clock::seconds(server.now_ms);
    let event_name = format!("{}.{:016x}", name(pod), server.random.next());
    let event = json!({
        "apiVersion": "v1", "kind": "Event",
        "metadata": {
            "name": event_name, "namespace": namespace(pod), "uid": server.random.uuid(), "creationTimestamp": now,
        },
        "involvedObject": {
            "apiVersion": "v1", "kind": "Pod", "name": name(pod), "namespace": namespace(pod), "uid": uid(pod),
        },
        "type": kind, "reason": reason, "message": message, "count": 1, "firstTimestamp": now, "lastTimestamp": now,
        "eventTime": null, "source": {"component": component}, "reportingComponent": component,
        "reportingInstance": "",
    });
    server.save(Key::new("events", namespace(pod), &event_name), event);
}
