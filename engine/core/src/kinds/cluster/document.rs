//! The fields of a `Cluster`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ids::Name;
use crate::kinds::form::Form;
use crate::kinds::values::{Duration, Image, Quantity};

/// A `Cluster` document.
pub type Cluster = Form<ClusterSpec>;

/// Identity and rules of one cluster.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClusterSpec {
    /// The namespace that Berth itself lives in; no queue may use it.
    #[schemars(example = &"berth")]
    pub namespace: Name,
    /// `suspended` stops all work on the cluster; what runs goes on.
    #[serde(default)]
    pub state: ClusterState,
    /// What a slot is: `cuda` is `nvidia.com/gpu`, `rocm` is `amd.com/gpu`, `cpu` is a share of CPUs.
    #[serde(default)]
    pub slot_type: SlotType,
    /// The resource that a slot takes instead of the one of its type, such as a MIG profile.
    #[schemars(
        example = &"nvidia.com/mig-1g.5gb",
        regex(
            pattern = r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?/[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$"
        )
    )]
    pub slot_resource: Option<String>,
    /// What one slot of the type `cpu` takes.
    pub slot_resource_requests: Option<SlotResourceRequests>,
    /// The most slots that one pod has: usually the GPUs of a node. Larger trials are split.
    #[schemars(range(min = 1, max = 1024), example = 8)]
    pub max_slots_per_pod: u32,
    /// What becomes of a size that is no multiple of `maxSlotsPerPod`.
    #[serde(default)]
    pub on_uneven: OnUneven,
    /// The images of experiments that name none.
    #[serde(default)]
    pub images: Images,
    /// Prefixes of the names of images, those of volumes too, and what stands in their place; the
    /// longest that fits is taken.
    #[serde(default)]
    pub registry_rewrites: Vec<RegistryRewrite>,
    /// Names of Secrets that every pod pulls its images with.
    #[serde(default)]
    #[schemars(inner(
        length(min = 1, max = 253),
        regex(pattern = r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$")
    ))]
    pub image_pull_secrets: Vec<String>,
    /// The `PodDefaults` that every pod starts from.
    pub pod_defaults: Option<Name>,
    /// Where checkpoints go.
    pub checkpoint_storage: Option<CheckpointStorage>,
    /// How much one commit may delete without a word of permission.
    #[serde(default)]
    pub prune: Prune,
    /// How long finished pods stay, so that their logs can be read.
    #[serde(default = "fifteen_minutes")]
    pub keep_finished_pods: Duration,
    /// Whether the last words of a program (the end of its termination message, or of its log) go to
    /// Git. They are the program's own text, and whoever reads the status branch reads them.
    #[serde(default)]
    pub last_words: bool,
    /// How the status branch is kept.
    #[serde(default)]
    pub status: StatusRules,
}

/// Whether Berth works on a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum ClusterState {
    /// Berth makes it so.
    #[default]
    Active,
    /// Berth writes nothing.
    Suspended,
}

/// What a slot is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum SlotType {
    /// One `nvidia.com/gpu`.
    #[default]
    Cuda,
    /// One `amd.com/gpu`.
    Rocm,
    /// CPUs, as many as `slotResourceRequests.cpu` says.
    Cpu,
}

/// What one slot of the type `cpu` takes.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SlotResourceRequests {
    /// CPUs of one slot.
    pub cpu: Quantity,
}

/// What becomes of a size that does not split into whole pods.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum OnUneven {
    /// It is an error.
    #[default]
    Refuse,
    /// Pods of the largest size that divides it.
    Shrink,
}

/// Images of experiments that name none.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Images {
    /// Of those without slots, or with slots of the type `cpu`.
    pub cpu: Option<Image>,
    /// Of those with GPU slots.
    pub gpu: Option<Image>,
}

/// A prefix of image names and what stands in its place.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RegistryRewrite {
    /// The prefix, such as `docker.io/`.
    #[schemars(length(min = 1))]
    pub from: String,
    /// What stands in its place.
    #[schemars(length(min = 1))]
    pub to: String,
}

/// Where checkpoints go.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CheckpointStorage {
    /// The prefix of `BERTH_CHECKPOINT_URI`.
    #[schemars(
        example = &"s3://checkpoints/lab",
        regex(pattern = r"^[a-z][a-z0-9+.-]*:/")
    )]
    pub uri: String,
}

/// How much may be deleted without a word of permission.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Prune {
    /// At most so many documents with live work; more wait for the trailer `Berth-Allow-Prune: <n>` or `all`.
    #[serde(default = "ten")]
    pub max_deletions: u32,
}

impl Default for Prune {
    fn default() -> Self {
        Self {
            max_deletions: ten(),
        }
    }
}

/// How the status branch is kept.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StatusRules {
    /// A remote gets the status at most this often; a local repository gets it at once.
    #[serde(default = "ten_seconds")]
    pub interval: Duration,
}

impl Default for StatusRules {
    fn default() -> Self {
        Self {
            interval: ten_seconds(),
        }
    }
}

const fn fifteen_minutes() -> Duration {
    Duration::from_secs(15 * 60)
}

const fn ten_seconds() -> Duration {
    Duration::from_secs(10)
}

const fn ten() -> u32 {
    10
}
