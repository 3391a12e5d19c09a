//! Nodes that are lost and come back, and the pods that are evicted from tainted ones.

use std::sync::Arc;

use serde_json::{Value, json};

use super::fit::toleration;
use super::{Nodes, status};
use crate::clock;
use crate::kinds::pod::is_terminal;
use crate::object::{
    annotation, condition, is_deleting, list, name, number, set, set_condition, text,
};
use crate::server::delete::DeleteOptions;
use crate::server::population::ready;
use crate::server::{Server, pods};
use crate::store::Key;

const UNREACHABLE: &str = "node.kubernetes.io/unreachable";

impl Nodes {
    /// Takes note of a node: is it lost, is it back, is it gone?
    pub(super) fn observe_node(&mut self, server: &mut Server, key: &Key) {
        let Some(node) = server.store.get(key).cloned() else {
            self.lost.remove(&key.name);
            self.places.remove(&key.name);
            return;
        };
        self.set_place(&node);
        let lost = annotation(&node, "sandbox.berth.dev/state") == Some("lost");
        if lost {
            self.lost.insert(key.name.clone());
        } else {
            self.lost.remove(&key.name);
        }
        let answers =
            condition(&node, "Ready").is_none_or(|ready| text(ready, &["status"]) != "Unknown");
        if answers == lost {
            server.save(
                key.clone(),
                if lost {
                    gone(&node, server.now_ms)
                } else {
                    back(&node, server.now_ms)
                },
            );
            mark_pods(server, &key.name, !lost);
        }
    }

    /// Finds when the next pod must leave a tainted node.
    pub(super) fn plan_evictions(&mut self, server: &Server) {
        self.eviction = evictions(server).into_iter().map(|(at, ..)| at).min();
    }

    /// Evicts the pods whose toleration of a taint is over.
    pub(super) fn evict(&mut self, server: &mut Server) {
        if self.eviction.is_none_or(|at| at > server.now_ms) {
            return;
        }
        for (at, key, pod) in evictions(server) {
            if at <= server.now_ms {
                let mut disrupted = Value::clone(&pod);
                let message = "Taint manager: deleting due to NoExecute taint";
                set_condition(
                    &mut disrupted,
                    pods::disruption("DeletionByTaintManager", message, server.now_ms),
                );
                let disrupted = server.save(key.clone(), disrupted);
                server.remove(&key, &disrupted, &DeleteOptions::default());
            }
        }
        self.plan_evictions(server);
    }
}

/// The live pods that must leave their nodes, and when.
fn evictions(server: &Server) -> Vec<(i64, Key, Arc<Value>)> {
    let forced = |node: &Value| -> Vec<Value> {
        let taints = list(node, &["spec", "taints"]).iter();
        taints
            .filter(|taint| text(taint, &["effect"]) == "NoExecute")
            .cloned()
            .collect()
    };
    let nodes = server
        .store
        .list("nodes", None)
        .map(|(_, node)| (name(node), forced(node)));
    let nodes: Vec<(&str, Vec<Value>)> = nodes.filter(|(_, taints)| !taints.is_empty()).collect();
    if nodes.is_empty() {
        return Vec::new();
    }
    let leaves = |(key, pod): (&Key, &Arc<Value>)| {
        let node = text(pod, &["spec", "nodeName"]);
        let (_, taints) = nodes.iter().find(|(name, _)| *name == node)?;
        let at = taints
            .iter()
            .filter_map(|taint| leaves_at(pod, taint, server.now_ms))
            .min()?;
        Some((at, key.clone(), Arc::clone(pod)))
    };
    let live = server
        .store
        .list("pods", None)
        .filter(|(_, pod)| !is_terminal(pod) && !is_deleting(pod));
    live.filter_map(leaves).collect()
}

/// When a pod must leave because of a taint; `None`: it may stay.
fn leaves_at(pod: &Value, taint: &Value, now_ms: i64) -> Option<i64> {
    let added = clock::parse(text(taint, &["timeAdded"])).unwrap_or(now_ms);
    let Some(toleration) = toleration(
        pod,
        text(taint, &["key"]),
        text(taint, &["value"]),
        "NoExecute",
    ) else {
        return Some(now_ms);
    };
    number(toleration, &["tolerationSeconds"]).map(|seconds| added + seconds * 1000)
}

/// The node as the node controller marks it when its kubelet is silent.
fn gone(node: &Value, now_ms: i64) -> Value {
    let mut node = node.clone();
    set_condition(
        &mut node,
        json!({
            "type": "Ready", "status": "Unknown", "reason": "NodeStatusUnknown",
            "message": "Kubelet stopped posting node status.", "lastHeartbeatTime": clock::seconds(now_ms),
            "lastTransitionTime": clock::seconds(now_ms),
        }),
    );
    let mut taints = others(&node);
    for effect in ["NoSchedule", "NoExecute"] {
        taints.push(
            json!({"key": UNREACHABLE, "effect": effect, "timeAdded": clock::seconds(now_ms)}),
        );
    }
    set(&mut node, &["spec", "taints"], taints);
    node
}

/// The node as it is when its kubelet speaks again.
fn back(node: &Value, now_ms: i64) -> Value {
    let mut node = node.clone();
    set_condition(&mut node, ready(now_ms));
    let taints = others(&node);
    set(&mut node, &["spec", "taints"], taints);
    node
}

fn others(node: &Value) -> Vec<Value> {
    let taints = list(node, &["spec", "taints"]).iter();
    taints
        .filter(|taint| text(taint, &["key"]) != UNREACHABLE)
        .cloned()
        .collect()
}

fn mark_pods(server: &mut Server, node: &str, ready: bool) {
    let running = |pod: &Value| {
        text(pod, &["spec", "nodeName"]) == node && text(pod, &["status", "phase"]) == "Running"
    };
    let pods = server
        .store
        .list("pods", None)
        .filter(|(_, pod)| running(pod));
    let pods: Vec<(Key, Value)> = pods
        .map(|(key, pod)| (key.clone(), Value::clone(pod)))
        .collect();
    for (key, mut pod) in pods {
        status::set_ready(&mut pod, ready, server.now_ms);
        server.save(key, pod);
    }
}
