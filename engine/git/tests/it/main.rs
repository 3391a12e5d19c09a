//! Berth's Git against real repositories, made by the git program in temporary folders.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod abbreviated;
mod bounds;
mod history;
mod http;
mod reading;
mod remote;
mod repo;
mod status;
mod watch;
mod words;
