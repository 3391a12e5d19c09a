//! What goes wrong on purpose. All shares are per mille and drawn from the seed.

use std::time::Duration;

use crate::failure::Failure;
use crate::random::Random;

/// How often what goes wrong; the default is never.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// 429 with `Retry-After: 1`.
    pub throttled: u16,
    /// 500, 503 or 504 without the request being carried out.
    pub failed: u16,
    /// 409 on writes that could have succeeded.
    pub conflict: u16,
    /// The connection breaks before the request is carried out.
    pub lost_before: u16,
    /// The request is carried out and the answer is lost.
    pub lost_after: u16,
    /// A watch breaks when it is polled.
    pub cut_watch: u16,
    /// The log is compacted when a watch is opened, so that resuming answers 410.
    pub compacted: u16,
    /// An answer is held back.
    pub delayed: u16,
    /// For at most how long.
    pub delay: Duration,
}

/// What becomes of one request.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Fate {
    /// Carried out and answered.
    Fine,
    /// Refused and not carried out.
    Refused(Failure),
    /// Not carried out and not answered.
    LostBefore,
    /// Carried out and not answered.
    LostAfter,
}

impl Faults {
    /// Draws the fate of a request.
    pub(crate) fn fate(&self, random: &mut Random, writes: bool) -> Fate {
        if *self == Self::default() {
            return Fate::Fine;
        }
        if random.per_mille(self.throttled) {
            return Fate::Refused(Failure::too_many_requests(1));
        }
        if random.per_mille(self.failed) {
            return Fate::Refused(server_error(random));
        }
        if writes && random.per_mille(self.conflict) {
            return Fate::Refused(conflict());
        }
        if random.per_mille(self.lost_before) {
            return Fate::LostBefore;
        }
        if random.per_mille(self.lost_after) {
            return Fate::LostAfter;
        }
        Fate::Fine
    }

    /// Draws how long an answer is held back.
    pub(crate) fn holdup(&self, random: &mut Random) -> Duration {
        if !random.per_mille(self.delayed) {
            return Duration::ZERO;
        }
        let most = u64::try_from(self.delay.as_millis()).unwrap_or(u64::MAX);
        Duration::from_millis(random.below(most.saturating_add(1)))
    }
}

fn server_error(random: &mut Random) -> Failure {
    match random.below(3) {
        0 => Failure::new(
            500,
            "InternalError",
            "Internal error occurred: etcdserver: leader changed",
        ),
        1 => Failure::new(
            503,
            "ServiceUnavailable",
            "the server is currently unable to handle the request",
        ),
        _ => Failure::new(
            504,
            "Timeout",
            "the server was unable to return a response in the time allotted",
        ),
    }
}

fn conflict() -> Failure {
    let message = "Operation cannot be fulfilled: the object has been modified; \
                   please apply your changes to the latest version and try again";
    Failure::new(409, "Conflict", message)
}
