//! YAML text -> a [`Node`](crate::object::Node) with places for each of its documents.
//!
//! What two YAML parsers could read differently is refused, so that a text means the same to Berth,
//! to editors and to every other tool: plain scalars of YAML 1.1 (`yes`, `017`, `1_000`), keys given
//! twice, anchors, aliases, tags and merge keys. Limits keep hostile texts cheap.

mod build;
mod offsets;
mod scalar;
#[cfg(test)]
mod tests;

pub use build::{Broken, Faulty, MAX_BYTES, MAX_DEPTH, MAX_DOCUMENTS, MAX_NODES, parse};
