//! `Experiment`: trials of a program on slots.

mod believed;
pub(super) mod check;
mod document;
pub mod hyperparameters;
mod identity;
mod lifecycle;
mod memo;
pub mod names;
mod placing;
mod reason;
mod recipes;
pub mod render;
pub mod size;
pub mod split;
mod status;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod want;

pub use believed::believed;
pub use document::{
    Entrypoint, Environment, Experiment, ExperimentSpec, ExperimentState, KeyRef, OnLostNode,
    Resources, Rollout, Searcher, SearcherName, Success, ValueSource, Variable,
};
pub use identity::{FieldChange, changes, identity};
pub use memo::Memo;
use placing::Placing;
pub use reason::{unwanted, wanted};
pub use want::{want, want_withdrawn};
