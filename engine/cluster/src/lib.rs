//! The edge to Kubernetes: watches become facts, effects become API calls. It decides nothing.
//!
//! [`wire`] is pure and sans-IO: it builds requests and reads answers, so that the simulation and
//! reality share one translation.

pub mod client;
pub mod lease;
pub mod rbac;
pub mod start;
pub mod strangers;
pub mod watch;
pub mod wire;
