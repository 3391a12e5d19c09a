//! The fields of an `Experiment`.

use std::borrow::Cow;
use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ids::Name;
use crate::kinds::cluster::{CheckpointStorage, OnUneven};
use crate::kinds::form::Form;
use crate::kinds::values::{Image, PodLayer, Quantity, Timeout};
use crate::object::Node;

/// The most slots of one trial, and so the most pods.
pub const MOST_SLOTS: u32 = 65_536;

/// An `Experiment` document.
pub type Experiment = Form<ExperimentSpec>;

/// A program, the slots that it runs on, and what to do when it ends.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExperimentSpec {
    /// The queue that it waits in.
    pub queue: Name,
    /// A few words for people.
    pub description: Option<String>,
    /// The image of the task's container; the cluster's if left out.
    #[schemars(example = &"registry.example.com/vision/train:2.4.1")]
    pub image: Option<Image>,
    /// The program: a list of arguments, or a line for `/bin/sh -c`. `$(hp.PATH)` is a hyperparameter.
    pub entrypoint: Entrypoint,
    /// What a trial takes.
    #[serde(default)]
    pub resources: Resources,
    /// How trials are chosen.
    #[serde(default)]
    pub searcher: Searcher,
    /// Values for the program; maps nest.
    #[serde(default)]
    pub hyperparameters: BTreeMap<String, Value>,
    /// How often a trial may fail and start again.
    #[serde(default = "five")]
    #[schemars(range(max = 10_000))]
    pub max_restarts: u32,
    /// A trial that runs longer in one attempt has failed.
    pub max_runtime: Option<Timeout>,
    /// An attempt whose pods are on nodes and do not run by then has failed (image, mount, secret).
    #[serde(default = "thirty_minutes")]
    pub start_deadline: Timeout,
    /// How long the other pods may go on after the first one has ended well.
    #[serde(default = "ten_minutes")]
    pub peer_deadline: Timeout,
    /// Whose exit 0 makes a trial complete.
    #[serde(default)]
    pub success: Success,
    /// What becomes of a size that does not split; the cluster's rule if left out.
    pub on_uneven: Option<OnUneven>,
    /// What to do when a pod's node does not answer.
    #[serde(default)]
    pub on_lost_node: OnLostNode,
    /// When a change of pod layers takes effect.
    #[serde(default)]
    pub rollout: Rollout,
    /// Variables of the task's container.
    #[serde(default)]
    pub environment: Environment,
    /// Where checkpoints go, instead of where the cluster says.
    pub checkpoint_storage: Option<CheckpointStorage>,
    /// The document's own layer of the pod.
    pub pod: Option<PodLayer>,
    /// Raise it to run the same thing again.
    #[serde(default = "one")]
    #[schemars(range(min = 1))]
    pub run: u32,
    /// What should be of it.
    #[serde(default)]
    pub state: ExperimentState,
}

/// The program of the task's container.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Entrypoint {
    /// The program and its arguments.
    List(Vec<String>),
    /// A line for `/bin/sh -c`.
    Shell(String),
}

impl JsonSchema for Entrypoint {
    fn schema_name() -> Cow<'static, str> {
        "Entrypoint".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": ["array", "string"],
            "description": "The program and its arguments, or a line for `/bin/sh -c`.",
            "items": {"type": "string"},
            "minItems": 1,
            "minLength": 1,
            "examples": [["torchrun", "train.py", "--lr", "$(hp.learningRate)"], "python train.py"],
        })
    }
}

/// What a trial takes.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Resources {
    /// Slots of one trial; 0 is one pod without slots.
    #[serde(default = "one")]
    #[schemars(range(max = MOST_SLOTS))]
    pub slots_per_trial: u32,
    /// The size of `/dev/shm`; it counts towards the memory limit.
    pub shm_size: Option<Quantity>,
    /// The most slots of one pod, instead of the queue's or cluster's, if that is lower.
    #[schemars(range(min = 1, max = 1024))]
    pub max_slots_per_pod: Option<u32>,
    /// Larger goes first; the queue's if left out.
    #[schemars(range(min = 1, max = 99))]
    pub priority: Option<u32>,
}

impl Default for Resources {
    fn default() -> Self {
        Self {
            slots_per_trial: 1,
            shm_size: None,
            max_slots_per_pod: None,
            priority: None,
        }
    }
}

/// How trials are chosen.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Searcher {
    /// `single`: one trial with the hyperparameters as they are.
    #[serde(default)]
    pub name: SearcherName,
    /// The metric that says how good a trial is.
    #[schemars(length(min = 1))]
    pub metric: Option<String>,
    /// Whether less of it is better.
    #[serde(default = "yes")]
    pub smaller_is_better: bool,
}

impl Default for Searcher {
    fn default() -> Self {
        Self {
            name: SearcherName::default(),
            metric: None,
            smaller_is_better: yes(),
        }
    }
}

/// The searchers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum SearcherName {
    /// One trial with the hyperparameters as they are.
    #[default]
    Single,
}

/// Whose exit 0 makes a trial complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Success {
    /// That of every pod.
    #[default]
    All,
    /// That of rank 0; the others are stopped.
    Rank0,
}

/// What to do when a pod's node does not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum OnLostNode {
    /// Wait until it is certain that the pod does not run any more.
    #[default]
    Wait,
    /// Start the next attempt though the old pod may still run.
    Overlap,
}

/// When a change of pod layers takes effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Rollout {
    /// When the next attempt starts for another reason.
    #[default]
    NextAttempt,
    /// At once: the attempt is stopped and the next one starts, within the same run.
    ReplaceAttempt,
}

/// What should be of an experiment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum ExperimentState {
    /// It runs.
    #[default]
    Active,
    /// Its pods are stopped; `active` goes on from the last checkpoint.
    Paused,
    /// Its run ends for good.
    Canceled,
}

/// Variables of the task's container.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Environment {
    /// By name; names that begin with `BERTH_` or `PET_` are Berth's own. A value may name other
    /// variables as `$(NAME)`, whatever the order of the two; `$$(NAME)` is the text itself.
    #[serde(default)]
    pub variables: BTreeMap<String, Variable>,
}

/// The value of a variable.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Variable {
    /// The text itself. Numbers and booleans are quoted, as in Kubernetes.
    Text(String),
    /// A key of a Secret or ConfigMap.
    #[serde(rename_all = "camelCase")]
    From {
        /// Which one.
        value_from: ValueSource,
    },
}

impl JsonSchema for Variable {
    fn schema_name() -> Cow<'static, str> {
        "Variable".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let source = generator.subschema_for::<ValueSource>();
        json_schema!({
            "type": ["string", "object"],
            "description": "The text itself (numbers and booleans are quoted), or a key of a Secret or ConfigMap.",
            "properties": {"valueFrom": source},
            "required": ["valueFrom"],
            "additionalProperties": false,
            "examples": ["/data", {"valueFrom": {"secretKeyRef": {"name": "wandb", "key": "token"}}}],
        })
    }
}

/// Where the value of a variable is read from.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ValueSource {
    /// A key of a Secret, which the queue must allow.
    SecretKeyRef(KeyRef),
    /// A key of a ConfigMap.
    ConfigMapKeyRef(KeyRef),
}

impl JsonSchema for ValueSource {
    fn schema_name() -> Cow<'static, str> {
        "ValueSource".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let reference = generator.subschema_for::<KeyRef>();
        json_schema!({
            "type": "object",
            "description": "A key of a Secret, which the queue must allow, or of a ConfigMap.",
            "properties": {"secretKeyRef": reference, "configMapKeyRef": reference},
            "minProperties": 1,
            "maxProperties": 1,
            "additionalProperties": false,
        })
    }
}

/// One key of an object in the queue's namespace.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KeyRef {
    /// The object.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// The key in it.
    #[schemars(length(min = 1, max = 253))]
    pub key: String,
    /// Whether the pod starts without it.
    #[serde(default)]
    pub optional: bool,
}

impl Experiment {
    /// Its own layer of the pod (`metadata`, `spec`).
    pub fn pod(&self) -> Option<&Node> {
        self.at(&["spec", "pod"])
    }
}

const fn one() -> u32 {
    1
}

const fn five() -> u32 {
    5
}

const fn yes() -> bool {
    true
}

const fn ten_minutes() -> Timeout {
    Timeout::from_secs(10 * 60)
}

const fn thirty_minutes() -> Timeout {
    Timeout::from_secs(30 * 60)
}
