//! The reconciler, the sandbox's server, and two repositories in memory, under one seeded
//! scheduler that reorders, loses, delays and repeats whatever passes between them.
//!
//! ```text
//! story     what is played, and what comes of it         shrink    the shortest one that still fails
//! stage     one event after the other                    people, weather   what may happen
//! daemon    a life: reconciler, feed (watches), pending (calls), the Lease
//! world     server and status branch; check and truth judge every call and what became of pods
//! end       all comes to rest, is judged, and is compared with a story of good weather
//! ```
#![allow(
    clippy::missing_panics_doc,
    reason = "a simulation fails by an error that names its seed"
)]

mod branch;
mod check;
mod daemon;
mod end;
mod experiment;
mod feed;
mod pending;
mod planted;
mod random;
mod repository;
mod rules;
mod shrink;
mod stage;
mod story;
mod truth;
mod weather;
mod wire;
mod world;

pub use planted::Planted;
pub use random::Random;
pub use shrink::shortest;
pub use story::{Broken, Report, Story, play, play_many};
