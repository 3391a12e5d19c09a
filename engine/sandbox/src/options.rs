//! What a sandbox is made of.

use std::time::Duration;

use crate::faults::Faults;

/// Settings of a `Server`; the same settings and requests give the same answers.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where uids, generated names and faults come from.
    pub seed: u64,
    /// The time at which the first objects are made, in milliseconds since the epoch.
    pub start_ms: i64,
    /// The nodes to begin with.
    pub nodes: Vec<NodePool>,
    /// From a pod's binding to its containers running.
    pub start_delay: Duration,
    /// How long a pod runs that does not say so; `None`: until it is deleted.
    pub default_run: Option<Duration>,
    /// How many changes the event log keeps before a watch must list again.
    pub history: usize,
    /// Above how many finished pods the oldest are collected; `None`: never.
    pub terminal_pods: Option<usize>,
    /// Who the requests come from, as refusals name it.
    pub user: String,
    /// What the identity may not do.
    pub denied: Vec<Denial>,
    /// An admission webhook's work: images with the first prefix get the second.
    pub image_rewrite: Option<(String, String)>,
    /// Whether the scheduler and the kubelets write Events.
    pub events: bool,
    /// What goes wrong on purpose.
    pub faults: Faults,
}

/// Nodes that are alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodePool {
    /// The names are this and a number.
    pub prefix: String,
    /// How many.
    pub count: u32,
    /// How many of `resource` each has.
    pub slots: u32,
    /// The extended resource; empty for nodes without accelerators.
    pub resource: String,
    /// The cores of each.
    pub cpu: u32,
    /// The memory of each, in GiB.
    pub memory_gib: u32,
    /// Labels beside the usual ones.
    pub labels: Vec<(String, String)>,
}

impl NodePool {
    /// `count` nodes of `slots` GPUs.
    pub fn gpus(count: u32, slots: u32) -> Self {
        Self {
            prefix: "node-".to_owned(),
            count,
            slots,
            resource: "nvidia.com/gpu".to_owned(),
            cpu: 64,
            memory_gib: 256,
            labels: Vec::new(),
        }
    }
}

/// A verb on a resource that is refused with 403.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denial {
    /// `create`, `list`, ...; `*` for all.
    pub verb: String,
    /// `pods`, `leases.coordination.k8s.io`, `pods/eviction`; `*` for all.
    pub resource: String,
    /// Only in this namespace.
    pub namespace: Option<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            seed: 1,
            start_ms: 1_767_225_600_000, // 2026-01-01
            nodes: vec![NodePool::gpus(8, 8)],
            start_delay: Duration::from_millis(200),
            default_run: None,
            history: 20_000,
            terminal_pods: None,
            user: "sandbox".to_owned(),
            denied: Vec::new(),
            image_rewrite: None,
            events: false,
            faults: Faults::default(),
        }
    }
}
