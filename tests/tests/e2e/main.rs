//! The daemon from end to end: a real repository, the real binary, the sandbox behind a socket.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking, its helpers too"
)]

mod away;
mod crash;
mod identity;
mod input;
mod story;
mod validate;
mod weather;
