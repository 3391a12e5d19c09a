//! The stage of the end-to-end tests: a state repository that the git program changes, the sandbox
//! or a real control plane, and the daemon as a child process. A test waits for what people see (pods, the
//! status branch, the log) and is woken by its change; it never sleeps.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::missing_panics_doc,
    clippy::format_collect,
    reason = "a test fails by a panic, and so does what it stands on"
)]

mod binary;
mod cluster;
mod daemon;
pub mod documents;
mod names;
mod proxy;
mod repository;
mod scenarios;
mod scene;
mod stage;
mod status;
mod truth;
mod wake;

pub use binary::{berth, command};
pub use cluster::{CREATE_PODS, Cluster, Of, On, Right, Wish, built};
pub use daemon::{Daemon, Flags};
pub use names::Names;
pub use proxy::{Faults, Proxy, UNHEARD, seed, seeds};
pub use repository::StateRepository;
pub use scene::{Pod, Scene, Seen};
pub use stage::{BRANCH, Setting, Stage};
pub use status::Status;
pub use wake::Wake;
