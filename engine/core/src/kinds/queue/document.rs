//! The fields of a `Queue`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ids::Name;
use crate::kinds::form::Form;
use crate::kinds::values::{PodLayer, Timeout};
use crate::object::Node;

/// A `Queue` document.
pub type Queue = Form<QueueSpec>;

/// A resource pool: who may use how much of a cluster, and where.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct QueueSpec {
    /// The cluster that it is a part of.
    pub cluster: Name,
    /// The namespace of its pods.
    pub namespace: Name,
    /// The most slots in use at once.
    #[schemars(range(max = 1_000_000), example = 64)]
    pub quota: u32,
    /// The priority of work that names none; larger goes first.
    #[serde(default = "fifty")]
    #[schemars(range(min = 1, max = 99))]
    pub priority: u32,
    /// The most slots of one pod here, instead of the cluster's.
    #[schemars(range(min = 1, max = 1024))]
    pub max_slots_per_pod: Option<u32>,
    /// A layer over the cluster's `PodDefaults`.
    pub pod: Option<PodLayer>,
    /// What admits its work.
    #[serde(default)]
    pub backend: Backend,
    /// What is held to be free.
    #[serde(default)]
    pub capacity: Capacity,
    /// What its pods may use beyond the ordinary; nothing unless it stands here.
    #[serde(default)]
    pub allow: Allow,
    /// `hold` starts nothing new; `drain` also lets nothing start again.
    #[serde(default)]
    pub state: QueueState,
    /// Pods of an attempt that are not all on nodes by then are deleted and queued again.
    #[serde(default = "ten_minutes")]
    pub gang_timeout: Timeout,
}

/// What admits the work of a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Backend {
    /// Berth itself: quota, priority, then first seen.
    #[default]
    Native,
}

/// What is held to be free.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Capacity {
    /// What the nodes have and no pod uses.
    #[default]
    Observed,
    /// The quota alone decides, as nodes come when they are needed.
    Elastic,
}

/// Whether a queue starts work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum QueueState {
    /// It starts work.
    #[default]
    Active,
    /// It starts no run that has not begun; attempts that fail are started again.
    Hold,
    /// It starts nothing at all; what runs goes on.
    Drain,
}

/// What the pods of a queue may use.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Allow {
    /// Names of service accounts.
    #[serde(default)]
    pub service_accounts: Vec<String>,
    /// Names of priority classes: the scheduler takes pods of others away for those of a higher one.
    #[serde(default)]
    pub priority_classes: Vec<String>,
    /// Names of Secrets: as variables, volumes or pull secrets.
    #[serde(default)]
    pub secrets: Vec<String>,
    /// Names of persistent volume claims.
    #[serde(default)]
    pub claims: Vec<String>,
    /// Folders of the node, with all that is below them.
    #[serde(default)]
    #[schemars(inner(regex(pattern = "^/")))]
    pub host_paths: Vec<String>,
    /// The network, processes and interprocess communication of the node.
    #[serde(default)]
    pub host_network: bool,
    /// Privileged containers and added capabilities.
    #[serde(default)]
    pub privileged: bool,
    /// Kinds of volumes beside the ordinary ones (`configMap`, `downwardAPI`, `emptyDir`, `image`,
    /// `projected`, and what the fields above allow).
    #[serde(default)]
    pub volumes: Vec<String>,
}

impl Queue {
    /// Its layer of the pod (`metadata`, `spec`).
    pub fn pod(&self) -> Option<&Node> {
        self.at(&["spec", "pod"])
    }
}

const fn fifty() -> u32 {
    50
}

const fn ten_minutes() -> Timeout {
    Timeout::from_secs(10 * 60)
}
