//! Pods: what they must say, and how little of it may change.

use serde_json::{Value, json};

use super::container::{self, choice};
use super::meta::label_faults;
use super::{names, worded};
use crate::cause::Cause;
use crate::object::{copy, list, number, remove, text, texts};

const CHANGES: &str = "pod updates may not change fields other than `spec.containers[*].image`,\
    `spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing \
    tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";

pub(super) fn faults(pod: &Value, old: Option<&Value>) -> Vec<Cause> {
    // Nothing of a specification that stays is wrong: it was looked at when it came.
    if old.is_some_and(|old| old["spec"] == pod["spec"]) {
        return Vec::new();
    }
    let mut causes = specification(pod);
    match old {
        Some(old) => causes.extend(changes(old, pod)),
        None => causes.extend(bound_and_gated(pod)),
    }
    causes
}

fn specification(pod: &Value) -> Vec<Cause> {
    let mut causes = volumes(pod);
    let mut known = Vec::new();
    if list(pod, &["spec", "containers"]).is_empty() {
        causes.push(Cause::required("spec.containers", ""));
    }
    for part in ["containers", "initContainers"] {
        causes.extend(container::faults(pod, part, &mut known));
    }
    let spec = &pod["spec"];
    for (field, known) in [
        ("restartPolicy", &["Always", "OnFailure", "Never"][..]),
        (
            "dnsPolicy",
            &["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"],
        ),
        ("preemptionPolicy", &["PreemptLowerPriority", "Never"]),
    ] {
        causes.extend(choice(&format!("spec.{field}"), &spec[field], known));
    }
    let selector = texts(spec, &["nodeSelector"]);
    causes.extend(label_faults("spec.nodeSelector", selector));
    for (field, rule) in [
        (
            "serviceAccountName",
            names::subdomain as fn(&str) -> Vec<String>,
        ),
        ("nodeName", names::subdomain),
        ("hostname", names::label),
        ("subdomain", names::label),
        ("priorityClassName", names::subdomain),
    ] {
        let name = text(spec, &[field]);
        if !name.is_empty() {
            causes.extend(worded(&format!("spec.{field}"), name, rule(name)));
        }
    }
    causes.extend(deadline(spec));
    causes.extend(tolerations(spec));
    causes
}

fn volumes(pod: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    let mut known: Vec<&str> = Vec::new();
    for (place, volume) in list(pod, &["spec", "volumes"]).iter().enumerate() {
        let (field, name) = (
            format!("spec.volumes[{place}].name"),
            text(volume, &["name"]),
        );
        if name.is_empty() {
            causes.push(Cause::required(&field, ""));
        } else {
            causes.extend(worded(&field, name, names::label(name)));
        }
        if known.contains(&name) {
            causes.push(Cause::duplicate(&field, &format!("{name:?}")));
        }
        known.push(name);
    }
    causes
}

fn deadline(spec: &Value) -> Option<Cause> {
    let seconds = number(spec, &["activeDeadlineSeconds"])?;
    let fits = (1..=i64::from(i32::MAX)).contains(&seconds);
    let detail = "must be between 1 and 2147483647, inclusive";
    (!fits).then(|| Cause::invalid("spec.activeDeadlineSeconds", &seconds.into(), detail))
}

fn tolerations(spec: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    for (place, toleration) in list(spec, &["tolerations"]).iter().enumerate() {
        let field = |part: &str| format!("spec.tolerations[{place}].{part}");
        let said = |part: &str| text(toleration, &[part]);
        let (key, operator, value) = (said("key"), said("operator"), said("value"));
        if !key.is_empty() {
            causes.extend(worded(&field("key"), key, names::key(key)));
        } else if operator != "Exists" {
            let detail = "operator must be Exists when `key` is empty, which means \"match all values and all keys\"";
            causes.push(Cause::invalid(&field("operator"), &operator.into(), detail));
        }
        if toleration.get("tolerationSeconds").is_some() && said("effect") != "NoExecute" {
            let detail = "effect must be 'NoExecute' when `tolerationSeconds` is set";
            causes.push(Cause::invalid(
                &field("effect"),
                &said("effect").into(),
                detail,
            ));
        }
        match operator {
            "" | "Equal" => {
                let words = names::value(value).join(";");
                let words = Some(words).filter(|words| !words.is_empty());
                causes.extend(
                    words.map(|words| Cause::invalid(&field("operator"), &value.into(), &words)),
                );
            }
            "Exists" if value.is_empty() => {}
            "Exists" => {
                let detail = "value must be empty when `operator` is 'Exists'";
                causes.push(Cause::invalid(&field("operator"), &value.into(), detail));
            }
            other => {
                let known = &["Equal", "Exists"];
                causes.push(Cause::unsupported(&field("operator"), &other.into(), known));
            }
        }
        let effects = &["NoSchedule", "PreferNoSchedule", "NoExecute"];
        causes.extend(choice(&field("effect"), &toleration["effect"], effects));
    }
    causes
}

fn bound_and_gated(pod: &Value) -> Option<Cause> {
    let gated = !list(pod, &["spec", "schedulingGates"]).is_empty();
    let bound = !text(pod, &["spec", "nodeName"]).is_empty();
    let detail = "cannot be set until all schedulingGates have been cleared";
    (gated && bound).then(|| Cause::forbidden("spec.nodeName", detail))
}

/// The faults of a change.
fn changes(old: &Value, new: &Value) -> Vec<Cause> {
    let (before, after) = (&old["spec"], &new["spec"]);
    for part in ["containers", "initContainers"] {
        if list(before, &[part]).len() != list(after, &[part]).len() {
            let detail = "pod updates may not add or remove containers";
            return vec![Cause::forbidden(&format!("spec.{part}"), detail)];
        }
    }
    let mut causes: Vec<Cause> = later_deadline(before, after).into_iter().collect();
    if !keeps(before, after, "tolerations") {
        let detail = "existing toleration can not be modified except its tolerationSeconds";
        causes.push(Cause::forbidden("spec.tolerations", detail));
    }
    causes.extend(new_gates(before, after));
    let mut allowed = before.clone();
    for field in ["activeDeadlineSeconds", "tolerations", "schedulingGates"] {
        copy(after, &mut allowed, &[field]);
    }
    for part in ["containers", "initContainers"] {
        copy_images(after, &mut allowed, part);
    }
    if without_empty(&allowed) != without_empty(after) {
        causes.push(Cause::forbidden("spec", CHANGES));
    }
    causes
}

fn later_deadline(before: &Value, after: &Value) -> Option<Cause> {
    let field = "spec.activeDeadlineSeconds";
    let seconds = |spec| number(spec, &["activeDeadlineSeconds"]);
    match (seconds(before)?, seconds(after)) {
        (_, None) => {
            let detail = "must not update from a positive integer to nil value";
            Some(Cause::invalid(field, &Value::Null, detail))
        }
        (before, Some(after)) if before < after => {
            let detail = "must be less than or equal to previous value";
            Some(Cause::invalid(field, &after.into(), detail))
        }
        _ => None,
    }
}

fn new_gates(before: &Value, after: &Value) -> Vec<Cause> {
    let known = list(before, &["schedulingGates"]);
    let gates = list(after, &["schedulingGates"]).iter().enumerate();
    let added = gates.filter(|(_, gate)| !known.contains(gate));
    let cause = |(place, gate): (usize, &Value)| {
        let name = text(gate, &["name"]);
        let detail = format!("only deletion is allowed, but found new scheduling gate '{name}'");
        Cause::forbidden(&format!("spec.schedulingGates[{place}].name"), &detail)
    };
    added.map(cause).collect()
}

/// Whether all entries of a list in `one` are in `other` too.
fn keeps(one: &Value, other: &Value, field: &str) -> bool {
    let bare = |value: &Value| {
        let mut value = value.clone();
        remove(&mut value, &["tolerationSeconds"]);
        value
    };
    let kept: Vec<Value> = list(other, &[field]).iter().map(bare).collect();
    list(one, &[field])
        .iter()
        .all(|entry| kept.contains(&bare(entry)))
}

fn copy_images(from: &Value, to: &mut Value, field: &str) {
    let containers = to.get_mut(field).and_then(Value::as_array_mut);
    for (found, container) in list(from, &[field])
        .iter()
        .zip(containers.into_iter().flatten())
    {
        copy(found, container, &["image"]);
    }
}

/// Empty lists and maps are the same as none.
fn without_empty(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let kept = fields
                .iter()
                .map(|(key, value)| (key.clone(), without_empty(value)));
            Value::Object(kept.filter(|(_, value)| !is_empty(value)).collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(without_empty).collect()),
        other => other.clone(),
    }
}

fn is_empty(value: &Value) -> bool {
    *value == Value::Null || *value == json!({}) || *value == json!([])
}
