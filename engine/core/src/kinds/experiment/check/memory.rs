//! Shared memory counts towards the memory limit.

use berth_openapi::Quantity;

use super::amounts::amount;
use super::layers;
use crate::desired::Scope;
use crate::diagnostic::{Code, Diagnostic};
use crate::kinds::experiment::Experiment;
use crate::kinds::pod::task_of;
use crate::object::Node;

/// `shmSize` fits the memory limit of the task, and nothing else is mounted at `/dev/shm`.
pub(super) fn check(document: &Experiment, scope: &Scope) -> Vec<Diagnostic> {
    let Some(size) = &document.spec.resources.shm_size else {
        return Vec::new();
    };
    let place = document.place(&["spec", "resources", "shmSize"]);
    let Ok(shm) = size.as_str().parse::<Quantity>() else {
        let cause = format!("`{size}` is no amount of memory");
        return vec![
            Diagnostic::error(Code::OutOfRange, place, cause).help("write it as 512Mi or 8Gi"),
        ];
    };
    let layers = layers(document, scope);
    let mut findings = Vec::new();
    if let Some((limit, node)) = layers.iter().find_map(|layer| limit_of(layer))
        && shm > limit
    {
        let cause = format!("{size} of shared memory do not fit the memory limit of {limit}");
        findings.push(
            Diagnostic::error(Code::SharedMemory, place, cause)
                .related(node.place, "the memory limit")
                .help("raise the limit above `shmSize`, or lower `shmSize`"),
        );
    }
    if let Some(mount) = layers.iter().find_map(|layer| second_mount(layer)) {
        let cause = "`/dev/shm` is mounted twice";
        findings.push(
            Diagnostic::error(Code::SharedMemory, place, cause)
                .related(mount.place, "the other mount")
                .help("remove the mount, or leave `shmSize` out"),
        );
    }
    findings
}

fn limit_of(layer: &Node) -> Option<(Quantity, &Node)> {
    let node = task_of(layer)?.at(&["resources", "limits", "memory"])?;
    Some((amount(node)?, node))
}

fn second_mount(layer: &Node) -> Option<&Node> {
    let mounts = task_of(layer)?.get("volumeMounts")?.items();
    let mut paths = mounts.iter().filter_map(|mount| mount.get("mountPath"));
    paths.find(|path| {
        path.as_str()
            .is_some_and(|path| path.trim_end_matches('/') == "/dev/shm")
    })
}
