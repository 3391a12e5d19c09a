//! What is measured.

mod change;
mod launch;
mod plan;
mod post;
mod snapshot;
mod validate;

pub use change::change;
pub use launch::launch;
pub use plan::plan;
pub use validate::validate;
