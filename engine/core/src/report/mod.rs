//! What people and programs are told: the status files and the plan.

mod drift;
mod maximum;
mod plan;
mod runs;
mod summary;

pub use drift::{drift_json, drift_markdown, drift_text};
pub use maximum::unusable_maxima;
pub use plan::{Action, Change, Draft, Plan};
pub use runs::{ChangedField, Earlier, RunChange};
pub use summary::summary;
