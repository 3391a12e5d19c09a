//! Layers of a pod, as users write them: which fields are whose, and what they use.

mod layer;
mod reference;
mod table;
mod uses;

pub(super) use layer::{check, is_own_label, is_own_variable, own_variable};
pub use reference::reference;
pub(super) use uses::{Use, uses};
