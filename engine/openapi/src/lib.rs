//! Kubernetes' own facts, as data: kinds, field types, list keys, defaults and quantities.
//!
//! The data in `facts/` is dumped from a real API server by `facts/dump`; this crate gives it
//! types. Nothing here reads a file, a clock or a cluster.

mod facts;
mod int_or_string;
pub mod quantity;
mod schema;
mod shape;

pub use facts::{Facts, Group, Resource, Subresource, facts};
pub use int_or_string::IntOrString;
pub use quantity::Quantity;
pub use shape::{Field, Fields, ListKind, PatchStrategy, Shape};
