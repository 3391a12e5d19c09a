//! Points in time. The core never reads a clock: every `now` is an argument.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::diagnostic::cut;

/// Milliseconds since the Unix epoch, UTC; within the years 0 to 9999, which RFC 3339 can write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(i64);

/// Why a text is not an RFC 3339 time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a time as RFC 3339 writes it, such as 2026-11-20T08:30:00Z")]
pub struct InvalidTimestamp(String);

/// 0000-01-01T00:00:00Z
const FIRST: i64 = -62_167_219_200_000;
/// 9999-12-31T23:59:59.999Z
const LAST: i64 = 253_402_300_799_999;

impl Timestamp {
    /// The latest time that there is.
    pub const MAX: Self = Self(LAST);

    /// The time so many milliseconds after the epoch, or the first or last that can be written.
    pub const fn from_millis(millis: i64) -> Self {
        if millis < FIRST {
            Self(FIRST)
        } else if millis > LAST {
            Self(LAST)
        } else {
            Self(millis)
        }
    }

    /// Milliseconds since the epoch.
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// This time and `later` more; saturates.
    #[must_use]
    pub fn plus(self, later: Duration) -> Self {
        let later = i64::try_from(later.as_millis()).unwrap_or(i64::MAX);
        Self::from_millis(self.0.saturating_add(later))
    }

    /// This time and `earlier` less; saturates.
    #[must_use]
    pub fn minus(self, earlier: Duration) -> Self {
        let earlier = i64::try_from(earlier.as_millis()).unwrap_or(i64::MAX);
        Self::from_millis(self.0.saturating_sub(earlier))
    }

    /// How long after `earlier` this is; zero if it is not after it (clocks jump).
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339 in UTC, cut to the second as Kubernetes writes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = OffsetDateTime::from_unix_timestamp(self.0.div_euclid(1000))
            .ok()
            .and_then(|at| at.format(&Rfc3339).ok());
        f.write_str(text.as_deref().unwrap_or("out of range"))
    }
}

impl FromStr for Timestamp {
    type Err = InvalidTimestamp;

    fn from_str(text: &str) -> Result<Self, InvalidTimestamp> {
        let at = OffsetDateTime::parse(text, &Rfc3339).map_err(|_| InvalidTimestamp(cut(text)))?;
        let millis = at.unix_timestamp_nanos() / 1_000_000;
        i64::try_from(millis)
            .map(Self::from_millis)
            .map_err(|_| InvalidTimestamp(text.into()))
    }
}

impl serde::Serialize for Timestamp {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Timestamp {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_written_is_the_first_or_the_last_time() {
        let now: Timestamp = "2026-11-20T08:30:00Z".parse().unwrap();
        let ages = Duration::from_secs(1_000_000_000_000);
        for (time, text) in [
            (now.minus(ages), "0000-01-01T00:00:00Z"),
            (now.plus(ages), "9999-12-31T23:59:59Z"),
            (now.plus(Duration::MAX), "9999-12-31T23:59:59Z"),
            (Timestamp::from_millis(i64::MIN), "0000-01-01T00:00:00Z"),
            (Timestamp::MAX, "9999-12-31T23:59:59Z"),
            (
                "0000-01-01T00:00:00+12:00".parse().unwrap(),
                "0000-01-01T00:00:00Z",
            ),
        ] {
            assert_eq!(time.to_string(), text);
            assert_eq!(
                time.to_string().parse::<Timestamp>().unwrap().to_string(),
                text
            );
        }
    }
}
