//! The daemon's clock: the wall clock once, and what a monotonic clock measures since then, so that
//! a jump of the wall clock neither ends a Lease nor revives one.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use berth_core::ids::Timestamp;

/// Never goes back. Clones agree.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    wall: Timestamp,
    began: Instant,
}

impl Clock {
    /// Reads the wall clock, now.
    pub fn start() -> Self {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let millis = i64::try_from(since.as_millis()).unwrap_or(i64::MAX);
        Self {
            wall: Timestamp::from_millis(millis),
            began: Instant::now(),
        }
    }

    /// The time.
    pub fn now(&self) -> Timestamp {
        self.wall.plus(self.began.elapsed())
    }

    /// How long until then; zero if it has passed.
    pub fn until(&self, then: Timestamp) -> Duration {
        then.since(self.now())
    }
}
