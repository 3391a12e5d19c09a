//! B0408: pods of the largest size that no node can hold.

use crate::desired::{Desired, Unit};
use crate::diagnostic::{Code, Diagnostic, counted};
use crate::kinds::Document;
use crate::kinds::experiment::size;
use crate::kinds::queue::Capacity;
use crate::object::Place;
use crate::observed::{Coverage, Observed};
use crate::reconciler::WatchKey;

/// A warning for every `maxSlotsPerPod` that is more than any node has. Nothing is said while the
/// nodes are not known, or of queues whose nodes come when they are needed.
pub fn unusable_maxima(desired: &Desired, observed: &Observed) -> Vec<Diagnostic> {
    let known = *observed.coverage(&WatchKey::Nodes) == Coverage::Complete;
    if !known || observed.nodes().next().is_none() {
        return Vec::new();
    }
    let cluster = desired.cluster();
    let path = ["spec", "maxSlotsPerPod"];
    let rules = desired.units().filter_map(|unit: &Unit| {
        let Document::Queue(queue) = &unit.document else {
            return None;
        };
        if queue.spec.capacity != Capacity::Observed {
            return None;
        }
        Some(match queue.spec.max_slots_per_pod {
            Some(most) => (queue.place(&path), most),
            None => (cluster.place(&path), cluster.spec.max_slots_per_pod),
        })
    });
    let mut rules: Vec<(Place, u32)> = rules.collect();
    rules.sort_unstable();
    rules.dedup();
    let finding = |(place, most): (Place, u32)| {
        let pod = size::request(most, &cluster.spec)?;
        let slot = size::request(1, &cluster.spec)?.millis.max(1);
        let amounts = observed.nodes().flat_map(|node| &node.allocatable);
        let amounts = amounts.filter(|amount| amount.resource == pod.resource);
        let there = amounts.map(|amount| amount.millis).max().unwrap_or(0);
        let cause = format!("no node has {} ({})", counted(most, "slot"), pod.resource);
        let help = match there / slot {
            0 => "add nodes that have some; until then nothing with slots starts".to_owned(),
            most => format!("lower it to {most}, the most that a node has, or add larger nodes"),
        };
        (there < pod.millis)
            .then(|| Diagnostic::warning(Code::UnusableMaximum, place, cause).help(help))
    };
    rules.into_iter().filter_map(finding).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desired::fixture::{QUEUE, Repository};
    use crate::ids::ResourceVersion;
    use crate::observed::{NodeFact, SlotRequest};
    use crate::reconciler::WatchEvent;

    fn nodes(gpus: &[u64]) -> Observed {
        let mut observed = Observed::default();
        observed.watch(&WatchKey::Nodes, WatchEvent::Started);
        for (number, gpus) in gpus.iter().enumerate() {
            let node = NodeFact {
                name: format!("n{number}").into(),
                ready: true,
                schedulable: true,
                out_of_service: false,
                taints: Vec::new(),
                labels: Vec::new(),
                allocatable: vec![SlotRequest {
                    resource: "nvidia.com/gpu".into(),
                    millis: gpus * 1000,
                }],
            };
            observed.watch(&WatchKey::Nodes, WatchEvent::Node(node, ResourceVersion(1)));
        }
        let complete = WatchEvent::Complete(ResourceVersion(1));
        observed.watch(&WatchKey::Nodes, complete);
        observed
    }

    fn told(repository: &mut Repository, observed: &Observed) -> Vec<String> {
        let desired = repository.load().unwrap();
        unusable_maxima(&desired, observed)
            .iter()
            .map(|it| {
                let span = it.place.unwrap().span;
                let help = it.help.as_deref().unwrap();
                format!(
                    "{} {}:{} {} | {help}",
                    it.code, span.line, span.column, it.cause
                )
            })
            .collect()
    }

    #[test]
    fn a_maximum_that_no_node_has_is_told_where_it_is_said() {
        let mut repository = Repository::new();
        assert_eq!(told(&mut repository, &nodes(&[4, 8])), [] as [&str; 0]);
        assert_eq!(told(&mut repository, &nodes(&[])), [] as [&str; 0]);
        assert_eq!(told(&mut repository, &Observed::default()), [] as [&str; 0]);
        assert_eq!(
            told(&mut repository, &nodes(&[4, 2])),
            [
                "B0408 6:19 no node has 8 slots (nvidia.com/gpu) | lower it to 4, the most that a node has, or \
                 add larger nodes"
            ]
        );
        let queue = QUEUE.replace("quota: 64", "quota: 64, maxSlotsPerPod: 2");
        repository.put("queue.yaml", &queue);
        assert_eq!(told(&mut repository, &nodes(&[4])), [] as [&str; 0]);
        assert_eq!(told(&mut repository, &nodes(&[0])).len(), 1);
        let queue = QUEUE.replace("quota: 64", "quota: 64, capacity: elastic");
        repository.put("queue.yaml", &queue);
        assert_eq!(told(&mut repository, &nodes(&[4])), [] as [&str; 0]);
    }
}
