//! The scheduler: the first node that fits, least filled first.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::Nodes;
use super::fit::{Misfit, misfit};
use super::kubelet::Life;
use super::notes::{Writer, note};
use crate::clock;
use crate::kinds::pod;
use crate::object::{condition, name, number, set_condition, text};
use crate::quantity;
use crate::server::{Server, pods};
use crate::store::Key;

/// Amounts of resources, in thousandths.
pub(super) type Amounts = BTreeMap<String, i128>;

/// A pod that waits for a node.
#[derive(Debug)]
pub(super) struct Waiting {
    pod: Arc<Value>,
    requests: Amounts,
    /// What decides where it fits: pods that are alike fail alike.
    likeness: String,
}

impl Waiting {
    pub(super) fn of(pod: &Arc<Value>) -> Self {
        let spec = &pod["spec"];
        let requests = with_pod(pod::requests(pod));
        let likeness = format!(
            "{requests:?}{}{}{}",
            spec["nodeSelector"], spec["affinity"], spec["tolerations"]
        );
        Self {
            requests,
            likeness,
            pod: Arc::clone(pod),
        }
    }

    /// Whether both fit to the same nodes.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        self.likeness == other.likeness
    }

    /// Higher priority first, then who came first.
    fn turn(&self) -> (i64, &str, &str) {
        let priority = number(&self.pod, &["spec", "priority"]).unwrap_or_default();
        (
            -priority,
            text(&self.pod, &["metadata", "creationTimestamp"]),
            name(&self.pod),
        )
    }
}

/// What is taken of a node.
#[derive(Debug, Default)]
pub(super) struct Used {
    amounts: Amounts,
    pods: i32,
}

/// A node with what is left of it.
#[derive(Debug)]
pub(super) struct Place {
    node: Arc<Value>,
    free: Amounts,
    pods: i32,
}

/// Each pod counts as one of a node's pods.
pub(super) fn with_pod(mut requests: Amounts) -> Amounts {
    requests.insert("pods".to_owned(), 1000);
    requests
}

impl Nodes {
    /// Binds the waiting pods that fit somewhere, and says of the others why not.
    pub(super) fn schedule(&mut self, server: &mut Server) {
        let mut failed: BTreeMap<String, String> = BTreeMap::new();
        let mut queue: Vec<(Key, Waiting)> =
            std::mem::take(&mut self.waiting).into_iter().collect();
        queue.sort_by(|(_, one), (_, other)| one.turn().cmp(&other.turn()));
        for (key, waiting) in queue {
            let known = failed.get(&waiting.likeness).cloned();
            match known.map_or_else(|| choose(&self.places, &waiting), Err) {
                Ok(node) => {
                    let mut bound = Value::clone(&waiting.pod);
                    pods::assign(&mut bound, &node, server.now_ms);
                    let bound = server.save(key.clone(), bound);
                    let message = format!(
                        "Successfully assigned {}/{} to {node}",
                        key.namespace, key.name
                    );
                    note(server, Writer::Scheduler, &bound, "Scheduled", &message);
                    self.take_over(server, &key, &bound);
                }
                Err(message) => {
                    refuse(server, &key, &waiting.pod, &message);
                    failed.entry(waiting.likeness.clone()).or_insert(message);
                    self.waiting.insert(key, waiting);
                }
            }
        }
    }

    /// Counts a life in, or out by -1.
    pub(super) fn account(&mut self, life: &Life, times: i32) {
        let used = self.used.entry(life.node.clone()).or_default();
        used.pods += times;
        for (resource, amount) in &life.requests {
            *used.amounts.entry(resource.clone()).or_default() += amount * i128::from(times);
        }
        if let Some(place) = self.places.get_mut(&life.node) {
            place.take(&life.requests, times);
        }
    }

    /// Takes note of what a node has.
    pub(super) fn set_place(&mut self, node: &Arc<Value>) {
        let amounts = node
            .pointer("/status/allocatable")
            .and_then(Value::as_object);
        let amounts = amounts.into_iter().flatten();
        let free = amounts.map(|(name, amount)| (name.clone(), quantity::milli(amount)));
        let mut place = Place {
            node: Arc::clone(node),
            free: free.collect(),
            pods: 0,
        };
        if let Some(used) = self.used.get(name(node)) {
            place.take(&used.amounts, 1);
            place.pods = used.pods;
        }
        self.places.insert(name(node).to_owned(), place);
    }
}

impl Place {
    fn take(&mut self, requests: &Amounts, times: i32) {
        self.pods += times;
        for (resource, amount) in requests {
            *self.free.entry(resource.clone()).or_default() -= amount * i128::from(times);
        }
    }
}

/// The node for a pod, or why there is none.
fn choose(places: &BTreeMap<String, Place>, waiting: &Waiting) -> Result<String, String> {
    let mut reasons: BTreeMap<Misfit, usize> = BTreeMap::new();
    let mut best: Option<&Place> = None;
    for place in places.values() {
        // Once one fits, only emptier ones matter.
        if best.is_some_and(|best| place.pods >= best.pods) {
            continue;
        }
        match misfit(&waiting.pod, &waiting.requests, &place.node, &place.free) {
            Some(reason) => *reasons.entry(reason).or_default() += 1,
            None => best = Some(place),
        }
    }
    let node = best.map(|best| name(&best.node).to_owned());
    node.ok_or_else(|| sentence(places.len(), &reasons))
}

fn sentence(nodes: usize, reasons: &BTreeMap<Misfit, usize>) -> String {
    if nodes == 0 {
        return "no nodes available to schedule pods".to_owned();
    }
    let mut against: BTreeMap<String, usize> = BTreeMap::new();
    let mut preemption: BTreeMap<String, usize> = BTreeMap::new();
    for (misfit, count) in reasons {
        for words in misfit.words() {
            *against.entry(words).or_default() += count;
        }
        // Nobody is taken away for another one here.
        let words = if misfit.is_lasting() {
            "Preemption is not helpful for scheduling"
        } else {
            "No preemption victims found for incoming pod"
        };
        *preemption.entry(words.to_owned()).or_default() += count;
    }
    let (against, preemption) = (counted(against), counted(preemption));
    format!(
        "0/{nodes} nodes are available: {against}. \
         no new claims to deallocate, preemption: 0/{nodes} nodes are available: {preemption}."
    )
}

/// Each reason with its count, in the order of the texts.
fn counted(reasons: BTreeMap<String, usize>) -> String {
    let counted = reasons.into_iter();
    let mut texts: Vec<String> = counted
        .map(|(reason, count)| format!("{count} {reason}"))
        .collect();
    texts.sort();
    texts.join(", ")
}

fn refuse(server: &mut Server, key: &Key, pod: &Arc<Value>, message: &str) {
    let known = condition(pod, "PodScheduled");
    if known.is_some_and(|known| text(known, &["message"]) == message) {
        return;
    }
    let mut refused = Value::clone(pod);
    set_condition(
        &mut refused,
        json!({
            "type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message,
            "lastProbeTime": null, "lastTransitionTime": clock::seconds(server.now_ms),
        }),
    );
    let refused = server.save(key.clone(), refused);
    note(
        server,
        Writer::Scheduler,
        &refused,
        "FailedScheduling",
        message,
    );
}
