//! The daemon from end to end: a real repository, the real binary, and the same scenarios on the
//! sandbox and on a real control plane. A scenario's name in the report ends with its server's:
//! `story::one_slot_runs_and_finishes::kube_apiserver`.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking, its helpers too"
)]

#[macro_use]
extern crate berth_tests;

mod admission;
mod away;
mod capacity;
mod commands;
mod compact;
mod crash;
mod endings;
mod identity;
mod input;
mod kubectl;
mod life;
mod manifests;
mod nodes;
mod outage;
mod past;
mod plan;
mod reanchor;
mod rights;
mod storm;
mod story;
mod validate;
mod values;
mod verbs;
mod weather;
