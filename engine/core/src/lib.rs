//! The pure core of Berth: documents become a validated [`desired`] model; desired, observed and
//! the ledger become effects; outcomes become reports.
//!
//! Nothing here touches a clock, a file, the network, the environment or a source of randomness:
//! `now` and seeds are arguments. See `docs/architecture.md`.

pub mod arbiter;
pub mod desired;
pub mod diagnostic;
pub mod ids;

pub mod kinds;
pub mod ledger;
pub mod object;
pub mod observed;
pub mod reconciler;
pub mod report;
pub mod yaml;
