//! What a trial takes: pods, slots and the resource of a slot.

use berth_openapi::Quantity;

use super::Experiment;
use super::split::{Split, Uneven, split};
use crate::desired::Scope;
use crate::kinds::cluster::{ClusterSpec, SlotType};
use crate::kinds::queue::QueueSpec;
use crate::observed::SlotRequest;

/// The most slots of one pod: the queue's rule before the cluster's, lowered by the document's.
pub fn max_slots_per_pod(
    document: &Experiment,
    queue: Option<&QueueSpec>,
    cluster: &ClusterSpec,
) -> u32 {
    let rule = queue
        .and_then(|queue| queue.max_slots_per_pod)
        .unwrap_or(cluster.max_slots_per_pod);
    let own = document.spec.resources.max_slots_per_pod;
    own.map_or(rule, |own| own.min(rule))
}

/// How a trial of this document splits into pods now.
pub fn split_of(document: &Experiment, scope: &Scope) -> Result<Split, Uneven> {
    let cluster = &scope.cluster.spec;
    let queue = scope.queue.as_ref().map(|queue| &queue.spec);
    split(
        document.spec.resources.slots_per_trial,
        max_slots_per_pod(document, queue, cluster),
        document.spec.on_uneven.unwrap_or(cluster.on_uneven),
    )
}

/// Whether the next attempt would be split otherwise than one that has this split, as the rules
/// changed.
pub fn splits_anew(document: &Experiment, scope: &Scope, before: Split) -> bool {
    split_of(document, scope).is_ok_and(|now| now != before)
}

/// Whether pods of this document have GPU slots.
pub fn has_gpus(document: &Experiment, cluster: &ClusterSpec) -> bool {
    document.spec.resources.slots_per_trial > 0 && cluster.slot_type != SlotType::Cpu
}

/// What a pod of so many slots requests; `None` for none.
pub fn request(slots: u32, cluster: &ClusterSpec) -> Option<SlotRequest> {
    let each = slot(cluster);
    (slots > 0).then(|| SlotRequest {
        millis: each.millis.saturating_mul(u64::from(slots)),
        ..each
    })
}

/// The slots of a pod that requests this; `None` if it requests no slot resource of the cluster.
pub fn slots_of(requests: &[SlotRequest], cluster: &ClusterSpec) -> Option<u32> {
    let each = slot(cluster);
    let millis = requests
        .iter()
        .find(|request| request.resource == each.resource)?
        .millis;
    u32::try_from(millis.checked_div(each.millis)?).ok()
}

/// What one slot is.
fn slot(cluster: &ClusterSpec) -> SlotRequest {
    let named = |name: &str| cluster.slot_resource.clone().unwrap_or(name.into());
    let (resource, millis) = match cluster.slot_type {
        SlotType::Cuda => (named("nvidia.com/gpu"), 1000),
        SlotType::Rocm => (named("amd.com/gpu"), 1000),
        SlotType::Cpu => ("cpu".into(), cpu_millis(cluster)),
    };
    SlotRequest {
        resource: resource.into(),
        millis,
    }
}

fn cpu_millis(cluster: &ClusterSpec) -> u64 {
    cluster
        .slot_resource_requests
        .as_ref()
        .and_then(|requests| requests.cpu.as_str().parse::<Quantity>().ok())
        .and_then(|cpu| u64::try_from(cpu.millis()).ok())
        .unwrap_or(1000)
}
