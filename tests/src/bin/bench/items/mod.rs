//! What is measured.

mod bare;
mod change;
mod ends;
mod growth;
mod launch;
mod life;
mod more;
mod plan;
mod snapshot;
mod validate;

pub use change::change;
pub use growth::growth;
pub use launch::launch;
pub use more::more;
pub use plan::plan;
pub use validate::validate;
