//! Who calls, and what came back.

use std::time::Duration;

/// In whose name calls are made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The random id of this Berth, as in the label `berth.dev/instance`.
    pub instance: String,
    /// Berth's own namespace, where its anchor, spill and Lease live.
    pub namespace: String,
}

/// A whole answer of the server.
#[derive(Debug, Clone, Copy)]
pub struct Answer<'a> {
    /// The HTTP status.
    pub status: u16,
    /// The header `Retry-After`, if it was a number of seconds.
    pub retry_after: Option<Duration>,
    /// The body.
    pub body: &'a [u8],
}

impl Answer<'_> {
    /// Whether the server did as asked.
    pub const fn is_success(&self) -> bool {
        self.status >= 200 && self.status < 300
    }
}
