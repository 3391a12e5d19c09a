//! What the schema of a `Cluster` cannot say.

use berth_openapi::Quantity;

use super::{Cluster, SlotType};
use crate::diagnostic::{Code, Diagnostic};

/// What is wrong with a cluster alone.
pub(in crate::kinds) fn alone(cluster: &Cluster) -> Vec<Diagnostic> {
    let findings = [cpu_slots(cluster), slot_resource(cluster), storage(cluster)];
    findings
        .into_iter()
        .flatten()
        .chain(rewrites(cluster))
        .collect()
}

fn cpu_slots(cluster: &Cluster) -> Option<Diagnostic> {
    if cluster.spec.slot_type != SlotType::Cpu {
        return None;
    }
    let place = cluster.place(&["spec", "slotResourceRequests", "cpu"]);
    let Some(requests) = &cluster.spec.slot_resource_requests else {
        let place = cluster.place(&["spec", "slotType"]);
        let cause = "`slotType: cpu` needs `slotResourceRequests.cpu`";
        return Some(
            Diagnostic::error(Code::MissingField, place, cause)
                .help("say how many CPUs a slot has, such as `slotResourceRequests: {cpu: 4}`"),
        );
    };
    let positive = requests
        .cpu
        .as_str()
        .parse::<Quantity>()
        .is_ok_and(|cpu| cpu.nanos() > 0);
    (!positive).then(|| {
        Diagnostic::error(Code::OutOfRange, place, "a slot has more than 0 CPUs")
            .help("say how many CPUs a slot has, such as `4` or `500m`")
    })
}

fn slot_resource(cluster: &Cluster) -> Option<Diagnostic> {
    let clash = cluster.spec.slot_type == SlotType::Cpu && cluster.spec.slot_resource.is_some();
    clash.then(|| {
        let place = cluster.place(&["spec", "slotResource"]);
        let cause = "`slotResource` names a device, and the slots are of the type `cpu`";
        Diagnostic::error(Code::OutOfRange, place, cause)
            .help("remove it, or take `slotType: cuda` or `rocm`")
    })
}

fn storage(cluster: &Cluster) -> Option<Diagnostic> {
    let storage = cluster.spec.checkpoint_storage.as_ref()?;
    let place = cluster.place(&["spec", "checkpointStorage", "uri"]);
    climbs(&storage.uri).then(|| upwards(place))
}

/// Whether a path leads out of where it begins.
pub(in crate::kinds) fn climbs(uri: &str) -> bool {
    uri.split('/').any(|part| part == "..")
}

/// Says that a URI must not lead upwards.
pub(in crate::kinds) fn upwards(place: crate::object::Place) -> Diagnostic {
    Diagnostic::error(Code::OutOfRange, place, "a storage prefix cannot hold `..`")
        .help("write the folder that it leads to")
}

fn rewrites(cluster: &Cluster) -> Vec<Diagnostic> {
    let rules = cluster
        .at(&["spec", "registryRewrites"])
        .map_or(&[][..], crate::object::Node::items);
    let mut findings = Vec::new();
    for (index, rule) in rules.iter().enumerate() {
        let Some(from) = rule.get("from") else {
            continue;
        };
        let twin = rules[..index]
            .iter()
            .filter_map(|other| other.get("from"))
            .find(|other| other.value == from.value);
        if let Some(twin) = twin {
            let cause = "two rules rewrite the same prefix";
            findings.push(
                Diagnostic::error(Code::DuplicateKey, from.place, cause)
                    .related(twin.place, "the other one")
                    .help("remove one of them"),
            );
        }
    }
    findings
}
