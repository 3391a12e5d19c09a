//! Whether anything of earlier attempts may still run.

use super::{LivePod, is_recorded};
use crate::ids::Name;
use crate::kinds::experiment::OnLostNode;
use crate::kinds::experiment::names::TrialName;
use crate::kinds::{NodeState, View};
use crate::ledger::UnitLedger;

/// What keeps the next attempt from starting: a pod of any earlier one that is not terminal and
/// recorded, not gone, and not on a node that is gone. `OnLostNode::Overlap` lets nodes that do
/// not answer pass. The pods' names are those of `experiment`, in `namespace` where
/// the ledger does not say.
pub fn blocked(
    ledger: &UnitLedger,
    pods: &[LivePod],
    view: &View,
    on_lost_node: OnLostNode,
    namespace: &Name,
    experiment: &Name,
) -> Option<String> {
    pods.iter()
        .filter(|live| !is_recorded(ledger, live))
        .find_map(|live| still_there(live, view, on_lost_node))
        .or_else(|| may_appear(ledger, view, namespace, experiment))
}

fn still_there(live: &LivePod, view: &View, on_lost_node: OnLostNode) -> Option<String> {
    let name = &live.fact.key.name;
    let node = live.pod.node.as_deref();
    match node.map(|node| (node, (view.node)(node))) {
        Some((_, NodeState::Gone)) => None,
        Some((_, NodeState::Unknown)) if on_lost_node == OnLostNode::Overlap => None,
        Some((node, NodeState::Unknown)) => Some(format!(
            "the pod {name} may still run on the node {node}, which does not answer; \
             delete or taint the node out-of-service, or set onLostNode: overlap"
        )),
        _ => Some(format!("the pod {name} of an earlier attempt to end")),
    }
}

/// A pod that was given out and not seen yet.
fn may_appear(
    ledger: &UnitLedger,
    view: &View,
    namespace: &Name,
    experiment: &Name,
) -> Option<String> {
    ledger.runs.iter().find_map(|run| {
        let trial = run.trials.last()?;
        let attempt = trial.attempts.last()?;
        let short = run.identity.short();
        let names = TrialName {
            namespace: attempt.namespace.as_ref().unwrap_or(namespace),
            experiment,
            run: &short,
            trial: trial.number,
        };
        let seen = |rank: &u32| attempt.ranks.iter().any(|it| it.rank == *rank);
        (0..attempt.pods)
            .filter(|rank| !seen(rank))
            .map(|rank| names.pod(attempt.number, rank))
            .find(|key| (view.expected)(key))
            .map(|key| {
                format!(
                    "news of the pod {}, which may just have been made",
                    key.name
                )
            })
    })
}
