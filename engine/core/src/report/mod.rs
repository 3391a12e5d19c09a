//! What people and programs are told: the status files and the plan.

mod drift;
mod plan;
mod summary;

pub use drift::{drift_json, drift_markdown};
pub use plan::{Action, Change, Plan};
pub use summary::summary;
