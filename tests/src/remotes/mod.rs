//! Real Git servers on the loopback: OpenSSH's sshd, and `git http-backend` behind TLS. Before each
//! stands a proxy that is the bad weather.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by a panic, and so does what it stands on"
)]

mod backend;
mod certificates;
mod front;
mod https;
mod programs;
mod proxy;
mod server;
mod ssh;

pub use certificates::Authority;
pub use front::Front;
pub use https::{Answer, Asked, Https, TOKEN};
pub use proxy::{Proxy, Weather};
pub use server::{Forge, Transport};
pub use ssh::Sshd;
