//! What an API server must do for Berth, as cases that the sandbox and a real control plane both
//! pass: the same requests, the same assertions. A case that only one of them passes is a fault of
//! the sandbox.
//!
//! Beside its assertions every case leaves a [`Transcript`] of its requests and answers, with what
//! differs by nature masked (times, uids, versions); where both servers run, the transcripts are
//! compared too.

#![allow(
    clippy::panic,
    reason = "a case fails by a panic, as every test does; nothing here ships"
)]

mod answer;
mod api;
mod cases;
mod runner;
mod server;
mod transcript;
mod watch;

pub use answer::Answer;
pub use api::Api;
pub use runner::{Report, any_matches, run};
pub use server::Server;
pub use transcript::Transcript;
pub use watch::Watch;
