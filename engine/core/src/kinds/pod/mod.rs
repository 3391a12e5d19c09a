//! Layers of a pod, as users write them: which fields are whose, and what they use.

mod directive;
mod guard;
mod layer;
pub(super) mod marks;
mod reference;
mod rules;
mod scheduling;
mod table;
mod uses;

pub(super) use guard::volume_kinds;
pub(super) use layer::{check, is_own_variable, own_variable, task_of};
pub use reference::reference;
pub(super) use rules::{names_a_variable, no_variable};
pub(super) use uses::{Use, uses};
