//! Pods: the defaults that the real server sets, and what may change.

use serde_json::{Value, json};

use crate::failure::Cause;
use crate::object::{at, copy, default, list, name, remove, set, text};
use crate::quantity;

const CHANGES: &str = "pod updates may not change fields other than `spec.containers[*].image`,\
    `spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing \
    tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";

/// Sets what the real server sets.
pub(crate) fn defaults(pod: &mut Value) {
    for (field, value) in [
        ("restartPolicy", json!("Always")),
        ("dnsPolicy", json!("ClusterFirst")),
        ("schedulerName", json!("default-scheduler")),
        ("terminationGracePeriodSeconds", json!(30)),
        ("securityContext", json!({})),
        ("enableServiceLinks", json!(true)),
    ] {
        default(pod, &["spec", field], value);
    }
    for field in ["initContainers", "containers"] {
        if let Some(containers) = pod["spec"].get_mut(field).and_then(Value::as_array_mut) {
            containers.iter_mut().for_each(container);
        }
    }
    if let Some(volumes) = pod["spec"].get_mut("volumes").and_then(Value::as_array_mut) {
        volumes.iter_mut().for_each(volume);
    }
}

/// Sets what admission and the strategy of creation add to a new pod.
pub(crate) fn admit(pod: &mut Value) {
    let account = match text(pod, &["spec", "serviceAccountName"]) {
        "" => "default".to_owned(),
        named => named.to_owned(),
    };
    set(pod, &["spec", "serviceAccountName"], account.clone());
    set(pod, &["spec", "serviceAccount"], account);
    tolerate_trouble(pod);
    let mut status = json!({"phase": "Pending", "qosClass": qos(pod)});
    if !list(pod, &["spec", "schedulingGates"]).is_empty() {
        status["conditions"] = json!([{
            "type": "PodScheduled", "status": "False", "reason": "SchedulingGated", "lastProbeTime": null,
            "lastTransitionTime": null, "message": "Scheduling is blocked due to non-empty scheduling gates",
        }]);
    }
    set(pod, &["status"], status);
}

/// Adds the tolerations that admission sees to at every write.
pub(crate) fn tolerate_trouble(pod: &mut Value) {
    tolerate(pod, "node.kubernetes.io/not-ready");
    tolerate(pod, "node.kubernetes.io/unreachable");
}

fn tolerate(pod: &mut Value, key: &str) {
    let known = |toleration: &Value| {
        matches!(text(toleration, &["key"]), "" if text(toleration, &["operator"]) == "Exists")
            || text(toleration, &["key"]) == key
    };
    if list(pod, &["spec", "tolerations"]).iter().any(known) {
        return;
    }
    let toleration =
        json!({"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300});
    default(pod, &["spec", "tolerations"], json!([]));
    if let Some(Value::Array(tolerations)) = pod.pointer_mut("/spec/tolerations") {
        tolerations.push(toleration);
    }
}

fn container(container: &mut Value) {
    let image = text(container, &["image"]);
    let tag = image.rsplit('/').next().unwrap_or_default();
    let latest = !image.contains('@') && (!tag.contains(':') || tag.ends_with(":latest"));
    let policy = if latest { "Always" } else { "IfNotPresent" };
    default(container, &["imagePullPolicy"], policy);
    default(
        container,
        &["terminationMessagePath"],
        "/dev/termination-log",
    );
    default(container, &["terminationMessagePolicy"], "File");
    default(container, &["resources"], json!({}));
    if let Some(limits) = at(container, &["resources", "limits"])
        .and_then(Value::as_object)
        .cloned()
    {
        for (resource, limit) in limits {
            default(container, &["resources", "requests", &resource], limit);
        }
    }
    each(container, "ports", |port| {
        default(port, &["protocol"], "TCP");
    });
    each(container, "env", |variable| {
        if at(variable, &["valueFrom", "fieldRef"]).is_some() {
            default(variable, &["valueFrom", "fieldRef", "apiVersion"], "v1");
        }
    });
    for field in ["livenessProbe", "readinessProbe", "startupProbe"] {
        if let Some(found) = container.get_mut(field) {
            probe(found);
        }
    }
}

fn probe(probe: &mut Value) {
    for (field, number) in [
        ("timeoutSeconds", 1),
        ("periodSeconds", 10),
        ("successThreshold", 1),
        ("failureThreshold", 3),
    ] {
        default(probe, &[field], number);
    }
    if at(probe, &["httpGet"]).is_some() {
        default(probe, &["httpGet", "path"], "/");
        default(probe, &["httpGet", "scheme"], "HTTP");
    }
}

fn volume(volume: &mut Value) {
    for source in ["configMap", "secret", "projected", "downwardAPI"] {
        if at(volume, &[source]).is_some() {
            default(volume, &[source, "defaultMode"], 420);
        }
    }
    if at(volume, &["hostPath"]).is_some() {
        default(volume, &["hostPath", "type"], "");
    }
    if volume.as_object().is_some_and(|fields| fields.len() == 1) {
        set(volume, &["emptyDir"], json!({}));
    }
}

fn each(value: &mut Value, field: &str, change: impl FnMut(&mut Value)) {
    if let Some(items) = value.get_mut(field).and_then(Value::as_array_mut) {
        items.iter_mut().for_each(change);
    }
}

fn qos(pod: &Value) -> &'static str {
    let containers = list(pod, &["spec", "containers"]);
    let amount = |container: &Value, part: &str, resource: &str| {
        at(container, &["resources", part, resource]).map_or(0, quantity::milli)
    };
    let parts = |resource| {
        containers.iter().map(move |c| {
            (
                amount(c, "requests", resource),
                amount(c, "limits", resource),
            )
        })
    };
    let all: Vec<(i128, i128)> = parts("cpu").chain(parts("memory")).collect();
    if all.iter().all(|amounts| *amounts == (0, 0)) {
        "BestEffort"
    } else if all
        .iter()
        .all(|(request, limit)| *limit > 0 && request == limit)
    {
        "Guaranteed"
    } else {
        "Burstable"
    }
}

/// The faults of a new pod.
pub(crate) fn check(pod: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    let containers = list(pod, &["spec", "containers"]);
    if containers.is_empty() {
        causes.push(Cause::required("spec.containers", ""));
    }
    for (at, container) in containers.iter().enumerate() {
        for field in ["name", "image"] {
            if text(container, &[field]).is_empty() {
                causes.push(Cause::required(
                    &format!("spec.containers[{at}].{field}"),
                    "",
                ));
            }
        }
        causes.extend(check_resources(at, container));
    }
    causes
}

fn check_resources(position: usize, container: &Value) -> Vec<Cause> {
    let part = |part: &str| at(container, &["resources", part]).and_then(Value::as_object);
    let requests = part("requests").into_iter().flatten();
    requests
        .filter_map(|(resource, request)| {
            let limit = part("limits").and_then(|limits| limits.get(resource));
            check_request(position, resource, request, limit)
        })
        .collect()
}

fn check_request(
    position: usize,
    resource: &str,
    request: &Value,
    limit: Option<&Value>,
) -> Option<Cause> {
    let place = format!("spec.containers[{position}].resources");
    let extended = resource.contains('/') && !resource.starts_with("kubernetes.io/");
    let Some(limit) = limit else {
        let detail = "Limit must be set for non overcommitable resources";
        return extended.then(|| Cause::required(&format!("{place}.limits"), detail));
    };
    let (asked, most) = (quantity::milli(request), quantity::milli(limit));
    let relation = match (extended, asked > most) {
        (true, _) if asked != most => "equal to",
        (false, true) => "less than or equal to",
        _ => return None,
    };
    let limit = limit.as_str().unwrap_or_default();
    let detail = format!("must be {relation} {resource} limit of {limit}");
    Some(Cause::invalid(
        &format!("{place}.requests"),
        request,
        &detail,
    ))
}

/// The faults of a change: almost nothing of a pod may change.
pub(crate) fn check_change(old: &Value, new: &Value) -> Vec<Cause> {
    let mut allowed = old["spec"].clone();
    let spec = &new["spec"];
    for field in ["activeDeadlineSeconds", "tolerations", "schedulingGates"] {
        copy(spec, &mut allowed, &[field]);
    }
    for field in ["containers", "initContainers"] {
        copy_images(spec, &mut allowed, field);
    }
    let mut causes = Vec::new();
    if !keeps(old, new, "tolerations") {
        causes.push(Cause::forbidden(
            "spec.tolerations",
            "existing toleration can not be modified except its tolerationSeconds",
        ));
    }
    let gates = list(old, &["spec", "schedulingGates"]);
    for (at, gate) in list(new, &["spec", "schedulingGates"]).iter().enumerate() {
        if !gates.contains(gate) {
            let field = format!("spec.schedulingGates[{at}].name");
            let name = text(gate, &["name"]);
            let detail =
                format!("only deletion is allowed, but found new scheduling gate '{name}'");
            causes.push(Cause::forbidden(&field, &detail));
        }
    }
    if without_empty(&allowed) != without_empty(spec) {
        causes.push(Cause::forbidden("spec", CHANGES));
    }
    causes
}

/// Whether all entries of a list in `one` are in `other` too.
fn keeps(one: &Value, other: &Value, field: &str) -> bool {
    let bare = |value: &Value| {
        let mut value = value.clone();
        remove(&mut value, &["tolerationSeconds"]);
        value
    };
    let kept: Vec<Value> = list(other, &["spec", field]).iter().map(bare).collect();
    list(one, &["spec", field])
        .iter()
        .all(|entry| kept.contains(&bare(entry)))
}

fn copy_images(from: &Value, to: &mut Value, field: &str) {
    let Some(containers) = to.get_mut(field).and_then(Value::as_array_mut) else {
        return;
    };
    for container in containers {
        let named = name_of(container).to_owned();
        if let Some(found) = list(from, &[field])
            .iter()
            .find(|other| name_of(other) == named)
        {
            copy(found, container, &["image"]);
        }
    }
}

fn name_of(container: &Value) -> &str {
    text(container, &["name"])
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
    match value {
        Value::Null => true,
        Value::Object(fields) => fields.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => false,
    }
}

/// What a pod asks of a node, in thousandths.
pub(crate) fn requests(pod: &Value) -> std::collections::BTreeMap<String, i128> {
    let mut total = std::collections::BTreeMap::new();
    let sidecar = |container: &&Value| text(container, &["restartPolicy"]) == "Always";
    let beside = list(pod, &["spec", "initContainers"])
        .iter()
        .filter(sidecar);
    for container in list(pod, &["spec", "containers"]).iter().chain(beside) {
        let requests = at(container, &["resources", "requests"]).and_then(Value::as_object);
        for (resource, amount) in requests.into_iter().flatten() {
            *total.entry(resource.clone()).or_default() += quantity::milli(amount);
        }
    }
    total
}

/// Whether the pod's containers have ended for good.
pub(crate) fn is_terminal(pod: &Value) -> bool {
    matches!(text(pod, &["status", "phase"]), "Succeeded" | "Failed")
}

/// Puts the value of a class on a pod, or says that there is no such class.
pub(crate) fn prioritise(pod: &mut Value, class: Option<&Value>) {
    let value = class
        .and_then(|class| class["value"].as_i64())
        .unwrap_or_default();
    let policy = class.map_or("", |class| text(class, &["preemptionPolicy"]));
    let policy = if policy.is_empty() {
        "PreemptLowerPriority"
    } else {
        policy
    };
    set(pod, &["spec", "priority"], value);
    default(pod, &["spec", "preemptionPolicy"], policy);
    if let Some(class) = class {
        set(pod, &["spec", "priorityClassName"], name(class));
    }
}
