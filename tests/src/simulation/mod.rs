//! The reconciler, the sandbox's server, and two repositories in memory, under one seeded
//! scheduler that reorders, loses, delays and repeats whatever passes between them.
#![allow(
    clippy::missing_panics_doc,
    reason = "a simulation fails by an error that names its seed"
)]

mod branch;
mod check;
mod daemon;
mod random;
mod repository;
mod story;
mod world;

pub use random::Random;
pub use story::{Broken, Planted, Report, Story, play};
