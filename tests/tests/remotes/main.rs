//! Git remotes for real: OpenSSH's sshd and `git http-backend` behind TLS, in fair and bad weather.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking, its helpers too"
)]

#[macro_use]
extern crate berth_tests;

mod clean;
mod daemon;
mod in_pod;
mod pushing;
mod reading;
mod refusals;
mod scene;
