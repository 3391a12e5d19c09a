//! What Berth's tests share: a real control plane that starts in seconds, the cases that it and the
//! sandbox must both pass, the stage of the end-to-end tests, and the simulation.

#![allow(
    clippy::missing_panics_doc,
    clippy::needless_pass_by_value,
    clippy::similar_names,
    clippy::duration_suboptimal_units,
    reason = "what only tests call fails by panicking, and takes what reads best at the call"
)]

pub mod conformance;
pub mod controlplane;
pub mod e2e;
pub mod node;
pub mod remotes;
pub mod simulation;
