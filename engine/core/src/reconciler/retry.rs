//! Backoff with jitter, and fights.

use std::collections::VecDeque;
use std::time::Duration;

use crate::ids::{DigestWriter, Timestamp};

const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_mins(5);
/// A name that somebody else has taken is tried again within this.
pub(super) const NAME_TAKEN: Duration = Duration::from_secs(15);
const FIGHT: usize = 5;
const MINUTE: Duration = Duration::from_mins(1);

/// The delay before the nth try (counted from 1): doubled every time, spread by a quarter.
pub(super) fn delay(seed: u64, name: &str, tries: u32) -> Duration {
    let doubled = FIRST.saturating_mul(1 << tries.saturating_sub(1).min(16));
    let most = doubled.min(LONGEST);
    let mut writer = DigestWriter::new("jitter/v1");
    writer.field(&seed.to_le_bytes());
    writer.field(name.as_bytes());
    writer.field(&tries.to_le_bytes());
    let spread = u32::from(writer.finish().as_bytes()[0]);
    most.mul_f64(0.75 + f64::from(spread) / 512.0)
}

/// What is known of failures on one object.
#[derive(Debug, Default)]
pub(super) struct Retry {
    pub tries: u32,
    /// Nothing is tried before.
    pub until: Timestamp,
    /// Why, in the server's words, if it refused.
    pub words: Option<String>,
}

/// Corrections of one object in the last minute.
#[derive(Debug, Default)]
pub(super) struct Fight(VecDeque<Timestamp>);

impl Fight {
    /// Counts a correction; true if somebody keeps changing the object back.
    pub(super) fn correct(&mut self, now: Timestamp) -> bool {
        self.0.retain(|at| now.since(*at) < MINUTE);
        self.0.push_back(now);
        self.0.len() > FIGHT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_a_bound_and_are_spread() {
        for tries in 1..40 {
            let doubled = FIRST.saturating_mul(1 << (tries - 1).min(16)).min(LONGEST);
            let one = delay(1, "a", tries);
            assert!(
                one >= doubled.mul_f64(0.75) && one <= doubled.mul_f64(1.25),
                "{tries}: {one:?}"
            );
            assert_eq!(one, delay(1, "a", tries));
        }
        assert_ne!(delay(1, "a", 5), delay(2, "a", 5));
    }

    #[test]
    fn the_sixth_correction_in_a_minute_is_a_fight() {
        let mut fight = Fight::default();
        let at = |seconds: i64| Timestamp::from_millis(seconds * 1000);
        let quick: Vec<bool> = (0..6).map(|number| fight.correct(at(number))).collect();
        assert_eq!(quick, [false, false, false, false, false, true]);
        assert!(!fight.correct(at(120)));
    }
}
