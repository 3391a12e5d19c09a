//! The daemon's clock: the wall clock once, and what a monotonic clock measures since then, so that
//! a jump of the wall clock neither ends a Lease nor revives one. It goes on while the machine
//! sleeps or is frozen, as the Lease does.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use berth_core::ids::Timestamp;
use rustix::time::{ClockId, clock_gettime};

/// Counts the time of a suspended machine, too.
#[cfg(target_os = "linux")]
const SINCE_BOOT: ClockId = ClockId::Boottime;
/// Elsewhere the monotonic clock is what there is.
#[cfg(not(target_os = "linux"))]
const SINCE_BOOT: ClockId = ClockId::Monotonic;

/// Never goes back. Clones agree.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    wall: Timestamp,
    began: Duration,
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
            began: since_boot(),
        }
    }

    /// The time.
    pub fn now(&self) -> Timestamp {
        self.wall.plus(since_boot().saturating_sub(self.began))
    }

    /// How long until then; zero if it has passed.
    pub fn until(&self, then: Timestamp) -> Duration {
        then.since(self.now())
    }
}

fn since_boot() -> Duration {
    let read = clock_gettime(SINCE_BOOT);
    let part = |number: i64| u64::try_from(number).unwrap_or_default();
    Duration::from_secs(part(read.tv_sec)) + Duration::from_nanos(part(read.tv_nsec))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_tells_the_time_of_the_wall_and_goes_on() {
        let clock = Clock::start();
        let first = clock.now();
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let wall = Timestamp::from_millis(i64::try_from(wall.as_millis()).unwrap());
        assert!(wall.since(first) < Duration::from_mins(1), "{wall} {first}");
        let began = clock.began;
        while since_boot() < began + Duration::from_millis(2) {}
        assert!(clock.now() > first);
        assert_eq!(clock.until(first), Duration::ZERO);
    }
}
