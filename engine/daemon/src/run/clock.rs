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

/// What the clocks of the machine show at one moment.
#[derive(Debug, Clone, Copy)]
struct Reading {
    /// Since 1970; anybody may set it.
    wall: Duration,
    /// Since the machine was started.
    boot: Duration,
}

impl Reading {
    fn take() -> Self {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH);
        Self {
            wall: wall.unwrap_or_default(),
            boot: since_boot(),
        }
    }
}

/// Never goes back. Clones agree.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    began: Reading,
}

impl Clock {
    /// Reads the wall clock, now.
    pub fn start() -> Self {
        Self {
            began: Reading::take(),
        }
    }

    /// The time.
    pub fn now(&self) -> Timestamp {
        self.at(Reading::take())
    }

    /// The time at which the clocks of the machine show this.
    fn at(&self, reading: Reading) -> Timestamp {
        let began = i64::try_from(self.began.wall.as_millis()).unwrap_or(i64::MAX);
        Timestamp::from_millis(began).plus(reading.boot.saturating_sub(self.began.boot))
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
        let wall = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let before = wall();
        let clock = Clock::start();
        let first = clock.now();
        let time =
            |since: Duration| Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap());
        assert!(time(before) <= first && first <= time(wall() + Duration::from_mins(1)));
        while since_boot() < clock.began.boot + Duration::from_millis(2) {}
        assert!(clock.now() > first);
        assert_eq!(clock.until(first), Duration::ZERO);
    }

    /// A Lease lasts as long as it says, whatever somebody sets the wall clock to; and no longer
    /// though the machine slept.
    #[test]
    fn a_wall_clock_that_jumps_moves_nothing() {
        let began = Reading {
            wall: Duration::from_secs(1_000_000),
            boot: Duration::from_secs(500),
        };
        let clock = Clock { began };
        let lease = clock.at(began).plus(Duration::from_secs(15));
        for wall in [0, 1_000_000, 1_003_600, 4_000_000_000] {
            let after = |seconds: u64| {
                let reading = Reading {
                    wall: Duration::from_secs(wall),
                    boot: Duration::from_secs(500 + seconds),
                };
                clock.at(reading)
            };
            assert_eq!(after(14), clock.at(began).plus(Duration::from_secs(14)));
            assert!(after(14) < lease && after(15) == lease, "{wall}");
            assert!(after(8 * 3600) > lease, "{wall}");
        }
    }
}
