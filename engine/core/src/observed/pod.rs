//! What is read from a pod.

use std::collections::BTreeMap;
use std::time::Duration;

use berth_openapi::Quantity;
use serde_json::{Value, json};

use super::read::{list, time};
use super::{PodEnd, PodFact, PodPhase, PodRole, SlotRequest, marks};
use crate::ids::{DigestWriter, ResourceVersion, Timestamp};

/// Clocks of kubelets and of the server may differ by so much.
const SKEW: Duration = Duration::from_secs(30);

/// So many characters of a program's last words are kept.
const LAST_WORDS: usize = 1000;

/// Reasons in `status.reason` that say that the pod was stopped from outside.
const STOPPED: [&str; 5] = [
    "Evicted",
    "Preempting",
    "NodeShutdown",
    "Terminated",
    "NodeLost",
];

/// Reads what Berth keeps of a pod. Whatever is missing reads as not there yet.
pub(super) fn read(object: &Value, version: ResourceVersion) -> PodFact {
    let status = &object["status"];
    let node = object["spec"]["nodeName"].as_str();
    let phase = match status["phase"].as_str() {
        Some("Running") => PodPhase::Running,
        Some("Succeeded") => PodPhase::Succeeded,
        Some("Failed") => PodPhase::Failed,
        Some("Unknown") => PodPhase::Unknown,
        _ => PodPhase::Pending,
    };
    let task = list(&status["containerStatuses"]).find(|one| one["name"] == marks::TASK);
    let task = task.unwrap_or(&Value::Null);
    PodFact {
        role: role(&object["metadata"]["labels"]),
        phase,
        node: node.map(Into::into),
        bound: node.map(|_| version),
        requests: requests(&object["spec"]),
        started: time(&task["state"]["running"]["startedAt"])
            .or_else(|| time(&task["state"]["terminated"]["startedAt"])),
        end: matches!(phase, PodPhase::Succeeded | PodPhase::Failed)
            .then(|| end(object, phase, &task["state"]["terminated"])),
        waiting: waiting(status),
        unschedulable: unschedulable(status),
        changeable: changeable(object),
    }
}

fn role(labels: &Value) -> Option<PodRole> {
    let number = |name: &str| labels[name].as_str()?.parse().ok();
    Some(PodRole {
        run: labels[marks::RUN].as_str()?.into(),
        trial: number(marks::TRIAL)?,
        attempt: number(marks::ATTEMPT)?,
        rank: number(marks::RANK)?,
    })
}

fn end(object: &Value, phase: PodPhase, terminated: &Value) -> PodEnd {
    let finished = time(&terminated["finishedAt"]);
    let status_reason = object["status"]["reason"].as_str();
    let disrupted = list(&object["status"]["conditions"])
        .any(|one| one["type"] == "DisruptionTarget" && one["status"] == "True");
    PodEnd {
        exit_code: terminated["exitCode"]
            .as_i64()
            .and_then(|code| i32::try_from(code).ok()),
        reason: status_reason
            .or(terminated["reason"].as_str())
            .unwrap_or_default()
            .chars()
            .take(80)
            .collect(),
        asked: disrupted
            || status_reason.is_some_and(|reason| STOPPED.contains(&reason))
            || asked_by_delete(&object["metadata"], finished),
        marker: terminated["message"]
            .as_str()
            .is_some_and(|text| text.starts_with(marks::COMPLETED)),
        succeeded: phase == PodPhase::Succeeded,
        finished,
        last_words: terminated["message"].as_str().and_then(last_words),
    }
}

/// Whether a delete stopped the pod, and did not come only after it had ended: then the server
/// sets the grace to 0 (pod strategy, `CheckGracefulDelete`), and the pod had finished before, by
/// more than clocks differ. So the garbage collector takes nothing away from a finished pod.
fn asked_by_delete(meta: &Value, finished: Option<Timestamp>) -> bool {
    let Some(deleted) = time(&meta["deletionTimestamp"]) else {
        return false;
    };
    let at_once = meta["deletionGracePeriodSeconds"].as_u64() == Some(0);
    let before = finished.is_some_and(|finished| finished.plus(SKEW) <= deleted);
    !(at_once && before)
}

fn waiting(status: &Value) -> Option<Box<str>> {
    let all = list(&status["initContainerStatuses"]).chain(list(&status["containerStatuses"]));
    let waiting = all.map(|one| &one["state"]["waiting"]).find(|one| {
        !matches!(
            one["reason"].as_str(),
            None | Some("ContainerCreating" | "PodInitializing")
        )
    })?;
    let reason = waiting["reason"].as_str()?;
    let text = match waiting["message"].as_str() {
        Some(message) => format!("{reason}: {message}"),
        None => reason.to_owned(),
    };
    Some(cut(&text))
}

fn unschedulable(status: &Value) -> Option<Box<str>> {
    let condition = list(&status["conditions"])
        .find(|one| one["type"] == "PodScheduled" && one["status"] == "False")?;
    Some(cut(condition["message"]
        .as_str()
        .or(condition["reason"].as_str())?))
}

/// The last characters; control characters but line ends are left out.
fn last_words(text: &str) -> Option<Box<str>> {
    let text = text.trim();
    let skipped = text.chars().count().saturating_sub(LAST_WORDS);
    let kept = text.chars().skip(skipped);
    let kept = kept.filter(|one| *one == '\n' || !one.is_control());
    let kept: String = kept.collect();
    (!kept.is_empty()).then(|| kept.into())
}

fn cut(text: &str) -> Box<str> {
    text.chars().take(300).collect::<String>().into()
}

/// A hash of what Kubernetes lets people change on a live pod: images, resources, the deadline and
/// tolerations, and its labels and Berth's own annotations. What the system puts there by itself
/// (the node, labels of its own domains, others' annotations) is left out, and so is everything
/// that never changes: a new server may show it in another form.
fn changeable(object: &Value) -> u64 {
    let (meta, spec) = (&object["metadata"], &object["spec"]);
    let containers = |name: &str| -> Vec<Value> {
        let all = list(&spec[name]);
        all.map(|it| json!([it["name"], it["image"], it["resources"]]))
            .collect()
    };
    let text = json!([
        containers("initContainers"),
        containers("containers"),
        spec["activeDeadlineSeconds"],
        spec["tolerations"],
        kept(&meta["labels"], |key| !is_of_system(key)),
        kept(&meta["annotations"], is_of_berth),
    ]);
    let mut writer = DigestWriter::new("pod-changeable/v1");
    writer.field(text.to_string().as_bytes());
    let digest = writer.finish();
    let mut first = [0; 8];
    first.copy_from_slice(&digest.as_bytes()[..8]);
    u64::from_le_bytes(first)
}

fn kept(map: &Value, keep: impl Fn(&str) -> bool) -> BTreeMap<&str, &Value> {
    let entries = map.as_object().into_iter().flatten();
    let entries = entries.filter(|(key, _)| keep(key));
    entries.map(|(key, value)| (key.as_str(), value)).collect()
}

/// Whether a label or annotation is of a domain that Kubernetes keeps for itself. Those that it
/// recommends to all are not:
/// <https://kubernetes.io/docs/concepts/overview/working-with-objects/common-labels/>.
pub fn is_of_system(key: &str) -> bool {
    let domain = key.split_once('/').map_or("", |(domain, _)| domain);
    let system = domain != "app.kubernetes.io";
    system
        && ["kubernetes.io", "k8s.io"].iter().any(|own| {
            let before = domain.strip_suffix(own);
            before.is_some_and(|it| it.is_empty() || it.ends_with('.'))
        })
}

/// Whether an annotation is one that Berth alone writes.
pub fn is_of_berth(key: &str) -> bool {
    key.starts_with("berth.dev/") && key != marks::HOLD
}

/// What a pod takes: the sum of its containers and native sidecars, or the largest init container
/// with the sidecars that started before it, if that is more (as the scheduler counts).
pub(super) fn requests(spec: &Value) -> Vec<SlotRequest> {
    let mut running: BTreeMap<Box<str>, u64> = BTreeMap::new();
    let mut peak: BTreeMap<Box<str>, u64> = BTreeMap::new();
    for container in list(&spec["initContainers"]) {
        let own = slots(&container["resources"]["requests"]);
        if container["restartPolicy"] == "Always" {
            add(&mut running, &own);
        } else {
            let mut then = running.clone();
            add(&mut then, &own);
            raise(&mut peak, then);
        }
    }
    for container in list(&spec["containers"]) {
        add(&mut running, &slots(&container["resources"]["requests"]));
    }
    raise(&mut peak, running);
    peak.into_iter()
        .map(|(resource, millis)| SlotRequest { resource, millis })
        .collect()
}

fn add(sum: &mut BTreeMap<Box<str>, u64>, more: &[SlotRequest]) {
    for one in more {
        let slot = sum.entry(one.resource.clone()).or_default();
        *slot = slot.saturating_add(one.millis);
    }
}

fn raise(peak: &mut BTreeMap<Box<str>, u64>, then: BTreeMap<Box<str>, u64>) {
    for (resource, millis) in then {
        let slot = peak.entry(resource).or_default();
        *slot = millis.max(*slot);
    }
}

/// The resources that can be slots: `cpu` and the extended ones (with a `/` in the name). What is
/// zero or no quantity is left out.
pub(super) fn slots(resources: &Value) -> Vec<SlotRequest> {
    resources
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(name, _)| *name == "cpu" || name.contains('/'))
        .filter_map(|(name, value)| {
            let millis = u64::try_from(Quantity::from_json(value).ok()?.millis()).ok()?;
            (millis > 0).then(|| SlotRequest {
                resource: name.as_str().into(),
                millis,
            })
        })
        .collect()
}
