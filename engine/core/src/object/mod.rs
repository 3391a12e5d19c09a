//! Untyped objects: values that know where they came from, their layers, digests and comparison.

mod canonical;
mod explain;
mod leaves;
mod list;
mod merge;
mod node;

pub use canonical::{digest, write as write_canonical};
pub use explain::{Explained, Layer, explain};
pub use leaves::{Leaf, Step, covers, leaves, list_leaves, path_text};
pub(crate) use list::twins;
pub use merge::merge;
pub use node::{Key, Node, Place, SourceId, Span, Value};
