//! `Queue`: a resource pool.

pub(super) mod check;
mod document;

pub use document::{Allow, Backend, Capacity, Queue, QueueSpec, QueueState};
