//! The fields of a `PodDefaults`.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::kinds::form::Form;
use crate::kinds::values::PodLayer;
use crate::object::Node;

/// A `PodDefaults` document.
pub type PodDefaults = Form<PodDefaultsSpec>;

/// What every pod starts from.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PodDefaultsSpec {
    /// Pods without slots, or with slots of the type `cpu`.
    pub cpu: Option<PodLayer>,
    /// Pods with GPU slots.
    pub gpu: Option<PodLayer>,
}

impl PodDefaults {
    /// The layer (`metadata`, `spec`) of pods with GPU slots, or of the others.
    pub fn layer(&self, gpu: bool) -> Option<&Node> {
        self.at(&["spec", if gpu { "gpu" } else { "cpu" }])
    }
}
