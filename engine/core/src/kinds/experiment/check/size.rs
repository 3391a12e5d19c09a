//! Slots, images and what a slot is made of.

use crate::desired::Scope;
use crate::diagnostic::{Code, Diagnostic, counted};
use crate::kinds::cluster::SlotType;
use crate::kinds::experiment::{Experiment, size};
use crate::object::Node;

/// How the resources of device plugins begin whose devices are slots of some cluster.
const ACCELERATORS: [&str; 2] = ["nvidia.com/", "amd.com/"];

const SLOTS: &[&str] = &["spec", "resources", "slotsPerTrial"];

/// The slots split into whole pods and fit the quota.
pub(super) fn check(document: &Experiment, scope: &Scope) -> Vec<Diagnostic> {
    let place = document.place(SLOTS);
    let mut findings = Vec::new();
    if let Err(uneven) = size::split_of(document, scope) {
        let cause = uneven.to_string();
        let finding = Diagnostic::error(Code::SizeDoesNotSplit, place, cause).help(format!(
            "the nearest sizes that work are {} and {}; or say `onUneven: shrink`",
            uneven.below, uneven.above
        ));
        findings.push(limit(document, scope, finding));
    }
    let quota = scope
        .queue
        .as_ref()
        .map_or(u32::MAX, |queue| queue.spec.quota);
    let slots = document.spec.resources.slots_per_trial;
    if slots > quota {
        let fit = if slots == 1 { "fits" } else { "fit" };
        let slots = counted(slots, "slot");
        let cause = format!("{slots} never {fit} the quota of {quota}");
        let mut finding = Diagnostic::warning(Code::OverQuota, place, cause)
            .help("ask for fewer slots, or raise the queue's `quota`");
        if let Some(queue) = &scope.queue {
            finding = finding.related(queue.place(&["spec", "quota"]), "the quota");
        }
        findings.push(finding);
    }
    findings
}

/// Points at the line that says how many slots a pod may have.
fn limit(document: &Experiment, scope: &Scope, finding: Diagnostic) -> Diagnostic {
    let path = &["spec", "maxSlotsPerPod"];
    let own = document.at(&["spec", "resources", "maxSlotsPerPod"]);
    let queue = scope.queue.as_ref().and_then(|queue| queue.at(path));
    match own.or(queue).or(scope.cluster.at(path)) {
        Some(node) => finding.related(node.place, "the most slots of one pod"),
        None => finding,
    }
}

/// There is an image.
pub(super) fn image(document: &Experiment, scope: &Scope) -> Option<Diagnostic> {
    let images = &scope.cluster.spec.images;
    let (image, field) = if size::has_gpus(document, &scope.cluster.spec) {
        (&images.gpu, "gpu")
    } else {
        (&images.cpu, "cpu")
    };
    (document.spec.image.is_none() && image.is_none()).then(|| {
        let place = document.place(&["spec"]);
        let cause = format!(
            "there is no image: the document names none, and neither does the cluster for {field}"
        );
        Diagnostic::error(Code::MissingField, place, cause).help("add `image`")
    })
}

/// Slots are asked for by `slotsPerTrial`, as the quota counts them, and so is every accelerator: what
/// a pod took beside its slots, the quota would not count.
pub(super) fn slot_resource(document: &Experiment, scope: &Scope) -> Vec<Diagnostic> {
    let cluster = &scope.cluster.spec;
    let slot = size::request(1, cluster).filter(|_| cluster.slot_type != SlotType::Cpu);
    let counts = |name: &str| {
        slot.as_ref().is_some_and(|slot| *slot.resource == *name)
            || ACCELERATORS.iter().any(|vendor| name.starts_with(vendor))
    };
    let spec = document.pod().and_then(|pod| pod.get("spec"));
    let containers = ["containers", "initContainers"]
        .into_iter()
        .filter_map(|kind| spec?.get(kind))
        .flat_map(Node::items)
        .filter_map(|container| container.get("resources"));
    let amounts = containers
        .chain(spec.and_then(|spec| spec.get("resources")))
        .flat_map(|resources| {
            ["limits", "requests"]
                .into_iter()
                .filter_map(|kind| resources.get(kind))
        });
    amounts
        .flat_map(Node::entries)
        .filter(|(key, _)| counts(&key.name))
        .map(|(key, _)| {
            let cause = format!(
                "`{}` is the resource of a slot, which Berth sets itself",
                key.name
            );
            Diagnostic::error(Code::ReservedField, key.place, cause)
                .help("use `resources.slotsPerTrial`")
        })
        .collect()
}
