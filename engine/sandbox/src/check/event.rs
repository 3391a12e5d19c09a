//! Events: those with an `eventTime` say who reports what.

use serde_json::Value;

use super::{names, worded};
use crate::cause::Cause;
use crate::kinds::Kind;
use crate::object::{at, namespace, number, text};

pub(super) fn faults(kind: &Kind, event: &Value) -> Vec<Cause> {
    let is_new = kind.group == "events.k8s.io";
    let timed = at(event, &["eventTime"]).is_some_and(Value::is_string);
    let mut causes: Vec<Cause> = misplaced(event, timed).into_iter().collect();
    if timed {
        causes.extend(reported(event, is_new));
    }
    if is_new {
        causes.extend(strict(event, timed));
    }
    causes
}

fn misplaced(event: &Value, timed: bool) -> Option<Cause> {
    let about = text(event, &["involvedObject", "namespace"]);
    let own = namespace(event);
    let fits = match about {
        "" => own == "default" || (timed && own == "kube-system"),
        about => timed || about == own,
    };
    let cause = || {
        let field = "involvedObject.namespace";
        Cause::invalid(field, &about.into(), "does not match event.namespace")
    };
    (!fits).then(cause)
}

fn reported(event: &Value, is_new: bool) -> Vec<Cause> {
    let field = if is_new {
        "reportingController"
    } else {
        "reportingComponent"
    };
    let controller = text(event, &["reportingComponent"]);
    let mut causes = Vec::new();
    if controller.is_empty() {
        causes.push(Cause::required(field, ""));
    }
    causes.extend(worded(field, controller, names::key(controller)));
    for (field, required, most) in [
        ("reportingInstance", true, 128),
        ("action", true, 128),
        ("reason", true, 128),
        ("message", false, 1024),
    ] {
        let found = text(event, &[field]);
        if required && found.is_empty() {
            causes.push(Cause::required(field, ""));
        }
        if found.len() > most {
            let detail = format!("can have at most {most} characters");
            causes.push(Cause::invalid(field, &"".into(), &detail));
        }
    }
    causes
}

/// What the newer group demands beside.
fn strict(event: &Value, timed: bool) -> Vec<Cause> {
    let mut causes = Vec::new();
    if !timed {
        causes.push(Cause::required("eventTime", ""));
    }
    let kind = text(event, &["type"]);
    if !matches!(kind, "Normal" | "Warning") {
        let detail = format!("has invalid value: {kind}");
        causes.push(Cause::invalid("type", &"".into(), &detail));
    }
    let old = ["firstTimestamp", "lastTimestamp", "count"].into_iter();
    let set = old.filter(|field| {
        at(event, &[field]).is_some_and(Value::is_string)
            || number(event, &[field]).is_some_and(|count| count != 0)
    });
    causes.extend(set.map(|field| Cause::invalid(field, &"".into(), "needs to be unset")));
    causes
}
