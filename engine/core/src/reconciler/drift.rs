//! Differences that Berth did not make.

use crate::ids::{ObjectKey, Timestamp, UnitId};
use crate::reconciler::FieldDrift;

/// Drift of one object, as it was found last.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DriftEntry {
    /// The document that the object was made for.
    pub unit: UnitId,
    /// The object: kind, namespace and name.
    pub object: String,
    /// When it was found.
    pub found: Timestamp,
    /// The fields.
    pub fields: Vec<FieldDrift>,
    /// How often it was found since Berth started.
    pub times: u32,
    /// Somebody keeps changing it back: corrections wait.
    pub fight: bool,
    /// The annotation `berth.dev/hold` is on it: nothing is corrected.
    pub held: bool,
}

impl DriftEntry {
    /// What is to be said of the object as a whole, after a comma.
    pub fn remark(&self) -> &'static str {
        match (self.held, self.fight) {
            (true, _) => ", held by `berth.dev/hold`",
            (false, true) => ", changed back again and again",
            (false, false) => "",
        }
    }
}

impl DriftEntry {
    pub(super) fn new(
        unit: UnitId,
        key: &ObjectKey,
        found: Timestamp,
        fields: Vec<FieldDrift>,
    ) -> Self {
        Self {
            unit,
            object: key.to_string(),
            found,
            fields,
            times: 1,
            fight: false,
            held: false,
        }
    }
}
