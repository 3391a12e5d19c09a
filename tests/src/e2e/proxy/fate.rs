//! What may become of a request, and how often.

use crate::simulation::Random;

/// An answer that is held back comes within this.
const LONGEST_DELAY_MS: usize = 300;
/// A watch that is to be cut ends within this, if nothing happens before.
const LONGEST_WATCH_MS: usize = 3000;
/// So many pieces of a watch's stream come before it is cut, at most.
const MOST_PIECES: usize = 4;
/// Whoever is told to come back, is so within so many seconds.
const LONGEST_WAIT: usize = 2;

/// How often what goes wrong, per mille; never by default.
#[derive(Debug, Clone, Copy, Default)]
pub struct Faults {
    /// 429 with `Retry-After`, not carried out.
    pub throttled: usize,
    /// 500, or 503 with `Retry-After`, not carried out.
    pub failed: usize,
    /// The connection breaks, nothing was carried out.
    pub lost_before: usize,
    /// Carried out, but the connection breaks before the answer.
    pub lost_after: usize,
    /// The answer is held back.
    pub delayed: usize,
    /// A watch breaks off, also within a line.
    pub cut: usize,
    /// A watch's version is too old: 410.
    pub expired: usize,
}

impl Faults {
    /// The server cannot be reached.
    pub const AWAY: Self = Self {
        throttled: 0,
        failed: 0,
        lost_before: 1000,
        lost_after: 0,
        delayed: 0,
        cut: 0,
        expired: 0,
    };
    /// Everything, often.
    pub const STORM: Self = Self {
        throttled: 20,
        failed: 40,
        lost_before: 30,
        lost_after: 60,
        delayed: 100,
        cut: 500,
        expired: 100,
    };
}

/// What becomes of a request.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Fine,
    /// Come back after so many seconds.
    Throttled(u64),
    /// So, too.
    Away(u64),
    Failed,
    LostBefore,
    LostAfter,
    Delayed(u64),
    Expired,
    /// After so many pieces and half of one, or after so many milliseconds.
    Cut(usize, u64),
}

impl Fate {
    pub(super) const CUT: &str = "cut";

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Fine => "fine",
            Self::Throttled(_) => "throttled",
            Self::Away(_) => "away",
            Self::Failed => "failed",
            Self::LostBefore => "lost before",
            Self::LostAfter => "answer lost",
            Self::Delayed(_) => "delayed",
            Self::Expired => "expired",
            Self::Cut(..) => Self::CUT,
        }
    }
}

/// What becomes of the next request.
pub(super) fn draw(faults: Faults, watches: bool, random: &mut Random) -> Fate {
    if random.chance(faults.throttled) {
        Fate::Throttled(1 + random.below(LONGEST_WAIT) as u64)
    } else if random.chance(faults.failed) {
        let wait = 1 + random.below(LONGEST_WAIT) as u64;
        [Fate::Failed, Fate::Away(wait)][random.below(2)]
    } else if random.chance(faults.lost_before) {
        Fate::LostBefore
    } else if watches && random.chance(faults.expired) {
        Fate::Expired
    } else if watches && random.chance(faults.cut) {
        let after = random.below(LONGEST_WATCH_MS) as u64;
        Fate::Cut(random.below(MOST_PIECES), after)
    } else if !watches && random.chance(faults.lost_after) {
        Fate::LostAfter
    } else if random.chance(faults.delayed) {
        Fate::Delayed(random.below(LONGEST_DELAY_MS) as u64)
    } else {
        Fate::Fine
    }
}
