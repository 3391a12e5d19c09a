//! What couples documents: who may start, and how much one commit may take away.

mod admit;
mod forecast;
mod holders;
mod prune;
mod supply;
#[cfg(test)]
mod tests;

pub use admit::{Asked, QueueRules, admit};
pub use holders::{Held, Holders};
pub use prune::{Allowance, Guard};
pub use supply::Supply;
