//! Whether anything of earlier attempts may still run.

use super::{LivePod, is_recorded};
use crate::ids::ObjectKey;
use crate::kinds::experiment::OnLostNode;
use crate::kinds::{NodeState, View};
use crate::ledger::UnitLedger;

/// What keeps the next attempt from starting: a pod of any earlier one that is not terminal and
/// recorded, not gone, and not on a node that is gone. `OnLostNode::Overlap` lets nodes that do
/// not answer pass.
pub fn blocked(
    ledger: &UnitLedger,
    pods: &[LivePod],
    view: &View,
    on_lost_node: OnLostNode,
) -> Option<String> {
    pods.iter()
        .filter(|live| !is_recorded(ledger, live))
        .find_map(|live| still_there(live, view, on_lost_node))
        .or_else(|| view.unheard.map(may_appear))
}

fn still_there(live: &LivePod, view: &View, on_lost_node: OnLostNode) -> Option<String> {
    let name = &live.fact.key.name;
    match live.place(view) {
        Some((_, NodeState::Gone)) => None,
        Some((_, NodeState::Silent | NodeState::Unknown))
            if on_lost_node == OnLostNode::Overlap =>
        {
            None
        }
        Some((node, NodeState::Silent | NodeState::Unknown)) => Some(format!(
            "the pod {name} may still run on the node {node}, which does not answer; \
             delete or taint the node out-of-service, or set onLostNode: overlap"
        )),
        _ => Some(format!("the pod {name} of an earlier attempt to end")),
    }
}

fn may_appear(pod: &ObjectKey) -> String {
    let name = &pod.name;
    format!("news of the pod {name}, which may just have been made")
}
