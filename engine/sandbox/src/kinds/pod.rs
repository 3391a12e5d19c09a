//! Pods: the defaults that the real server sets, and what may change.

use std::collections::BTreeMap;
use std::fmt::Display;

use serde_json::{Value, json};

use crate::clock;
use crate::object::{at, default, list, name, number, set, text};
use crate::quantity;

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
    same_account(pod);
    if number(pod, &["spec", "terminationGracePeriodSeconds"]).is_some_and(|grace| grace < 0) {
        set(pod, &["spec", "terminationGracePeriodSeconds"], 1);
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

/// The account has an old name too.
fn same_account(pod: &mut Value) {
    for (from, to) in [
        ("serviceAccountName", "serviceAccount"),
        ("serviceAccount", "serviceAccountName"),
    ] {
        let named = text(pod, &["spec", from]).to_owned();
        if !named.is_empty() {
            set(pod, &["spec", to], named);
        }
    }
}

/// Sets what admission and the strategy of creation add to a new pod.
pub(crate) fn admit(pod: &mut Value, now_ms: i64) {
    if text(pod, &["spec", "serviceAccountName"]).is_empty() {
        set(pod, &["spec", "serviceAccountName"], "default");
        same_account(pod);
    }
    tolerate_trouble(pod);
    let mut status = json!({"phase": "Pending", "qosClass": qos(pod)});
    if !list(pod, &["spec", "schedulingGates"]).is_empty() {
        status["conditions"] = json!([{
            "type": "PodScheduled", "status": "False", "reason": "SchedulingGated", "lastProbeTime": null,
            "lastTransitionTime": clock::seconds(now_ms), "message": "Scheduling is blocked due to non-empty scheduling gates",
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
    let sources = volume
        .pointer_mut("/projected/sources")
        .and_then(Value::as_array_mut);
    sources.into_iter().flatten().for_each(fields_by_version);
    fields_by_version(volume);
    if at(volume, &["hostPath"]).is_some() {
        default(volume, &["hostPath", "type"], "");
    }
    if volume.as_object().is_some_and(|fields| fields.len() == 1) {
        set(volume, &["emptyDir"], json!({}));
    }
}

/// The fields that a volume shows are those of a version.
fn fields_by_version(source: &mut Value) {
    if let Some(files) = source.get_mut("downwardAPI") {
        each(files, "items", |item| {
            if at(item, &["fieldRef"]).is_some() {
                default(item, &["fieldRef", "apiVersion"], "v1");
            }
        });
    }
}

fn each(value: &mut Value, field: &str, change: impl FnMut(&mut Value)) {
    if let Some(items) = value.get_mut(field).and_then(Value::as_array_mut) {
        items.iter_mut().for_each(change);
    }
}

fn qos(pod: &Value) -> &'static str {
    let containers = ["containers", "initContainers"];
    let containers = || {
        containers
            .into_iter()
            .flat_map(|part| list(pod, &["spec", part]))
    };
    let amount = |container: &Value, part: &str, resource: &str| {
        at(container, &["resources", part, resource]).map_or(0, quantity::milli)
    };
    let parts = |resource| {
        containers().map(move |c| {
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

/// What a pod asks of a node, in thousandths.
pub(crate) fn requests(pod: &Value) -> BTreeMap<String, i128> {
    amounts(pod, "requests")
}

/// The sum of what its containers say in a part of their resources, in thousandths.
pub(crate) fn amounts(pod: &Value, part: &str) -> BTreeMap<String, i128> {
    let mut total = BTreeMap::new();
    let sidecar = |container: &&Value| text(container, &["restartPolicy"]) == "Always";
    let beside = list(pod, &["spec", "initContainers"])
        .iter()
        .filter(sidecar);
    for container in list(pod, &["spec", "containers"]).iter().chain(beside) {
        let amounts = at(container, &["resources", part]).and_then(Value::as_object);
        for (resource, amount) in amounts.into_iter().flatten() {
            *total.entry(resource.clone()).or_default() += quantity::milli(amount);
        }
    }
    total
}

/// Whether the pod's containers have ended for good.
pub(crate) fn is_terminal(pod: &Value) -> bool {
    matches!(text(pod, &["status", "phase"]), "Succeeded" | "Failed")
}

/// Puts the value of a class on a pod; says why if the pod has one of its own.
pub(crate) fn prioritise(pod: &mut Value, class: Option<&Value>) -> Option<String> {
    let value = class.and_then(|class| number(class, &["value"]));
    let value = value.unwrap_or_default();
    let policy = class.map_or("", |class| text(class, &["preemptionPolicy"]));
    let policy = if policy.is_empty() {
        "PreemptLowerPriority"
    } else {
        policy
    };
    let given = |what: &str, found: &dyn Display, wanted: &dyn Display| {
        format!(
            "the {what} ({found}) must not be provided in pod spec; priority admission controller computed {wanted} \
             from the given PriorityClass name"
        )
    };
    let own = number(pod, &["spec", "priority"]);
    if let Some(own) = own.filter(|own| *own != value) {
        return Some(given("integer value of priority", &own, &value));
    }
    let own = text(pod, &["spec", "preemptionPolicy"]);
    if !own.is_empty() && own != policy {
        return Some(given("string value of PreemptionPolicy", &own, &policy));
    }
    set(pod, &["spec", "priority"], value);
    set(pod, &["spec", "preemptionPolicy"], policy);
    if let Some(class) = class {
        set(pod, &["spec", "priorityClassName"], name(class));
    }
    None
}
