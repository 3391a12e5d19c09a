//! The one reconciler of a cluster: inputs in, effects out, no IO.
//!
//! All state of the loop lives in one [`Reconciler`]: what is in flight, backoff, what is dirty,
//! what is recorded. Whoever carries effects out decides nothing: it feeds every message and every
//! answer to [`Reconciler::input`] and carries out what [`Reconciler::step`] gives.
//!
//! # Guarantees
//! - Effects of one step are independent; what must come first has been answered before.
//! - An outcome is durable (pushed, or spilled into the cluster) before its pod is released.
//! - Nothing is deleted but what is ours, under a complete view, and not wanted by a valid snapshot
//!   that descends from what was applied before.
//! - There is one effect an object at a time, and no write without unexpired Lease time.
//! - A suspended cluster gets no create, apply, delete or event; outcomes are still recorded and
//!   pods released, so that nothing is lost and no drain waits.

mod absorb;
mod anchor;
mod answer;
mod arbitrate;
mod audit;
mod book;
mod compact;
mod contract;
mod diff;
mod drift;
mod evaluate;
mod flight;
mod identity;
mod judged;
mod kept;
mod leave;
mod lineage;
mod mark;
mod options;
mod proof;
mod record;
mod retry;
mod spill;
mod stamp;
mod state;
mod step;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

pub(crate) use absorb::line;
pub use anchor::{InvalidAnchor, anchor_name, spill_name};
pub use compact::Compaction;
pub use contract::*;
pub use drift::DriftEntry;
pub use identity::{Halt, HaltReason};
pub use options::{Counters, Input, Options};
pub use state::Reconciler;
