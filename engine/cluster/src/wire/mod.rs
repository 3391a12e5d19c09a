//! What is said to an API server and what its answers mean: pure, without a socket or a clock.
//!
//! - [`Call`] turns one effect into requests and their answers into an outcome.
//! - [`Watcher`] keeps one watch: which request comes next and what its lines say.

mod call;
mod caller;
mod drift;
mod elector;
mod keep;
mod lean;
mod line;
mod list;
mod outcome;
mod ready;
mod redact;
mod request;
mod status;
mod url;
mod watcher;

#[cfg(test)]
mod tests;

pub use call::{Call, Next};
pub use caller::{Answer, Caller};
pub use elector::{Elector, LASTS, MARGIN, Rival, UNKNOWN};
pub use list::{WATCH_LASTS, WatchFrom, list_request, strangers_request, watch_request};
pub use redact::redact;
pub use request::{NotACall, config_map_request, config_maps_request, object_request, request};
pub use status::{Status, pause, words};
pub use watcher::{Ended, Watcher, Wish};

/// The field manager of every write.
pub const FIELD_MANAGER: &str = "berth";
