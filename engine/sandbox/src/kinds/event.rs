//! Events: kept as `v1`, shown as `events.k8s.io/v1` too.

use serde_json::Value;

use crate::object;

/// Field names in `v1` and in `events.k8s.io/v1`.
const RENAMED: &[(&str, &str)] = &[
    ("involvedObject", "regarding"),
    ("message", "note"),
    ("source", "deprecatedSource"),
    ("firstTimestamp", "deprecatedFirstTimestamp"),
    ("lastTimestamp", "deprecatedLastTimestamp"),
    ("count", "deprecatedCount"),
    ("reportingComponent", "reportingController"),
];

/// The event as `events.k8s.io/v1` shows it.
pub(crate) fn to_new(event: &mut Value) {
    for (old, new) in RENAMED {
        rename(event, old, new);
    }
    // What this group shows only if there is something to show.
    for field in ["reportingController", "reportingInstance"] {
        if object::text(event, &[field]).is_empty() {
            drop(object::remove(event, &[field]));
        }
    }
    object::set(event, &["apiVersion"], "events.k8s.io/v1");
}

/// The event as it is kept.
pub(crate) fn to_core(event: &mut Value) {
    for (old, new) in RENAMED {
        rename(event, new, old);
    }
    object::set(event, &["apiVersion"], "v1");
}

fn rename(event: &mut Value, from: &str, to: &str) {
    if let Some(value) = object::remove(event, &[from]) {
        object::set(event, &[to], value);
    }
}
