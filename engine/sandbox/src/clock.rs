//! Times as Kubernetes writes them. The sandbox has no clock: every `now` is an argument.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// `2026-01-02T03:04:05Z`, as `metav1.Time`.
pub(crate) fn seconds(now_ms: i64) -> String {
    let time = OffsetDateTime::from_unix_timestamp(now_ms.div_euclid(1000));
    let text = time.ok().and_then(|time| time.format(&Rfc3339).ok());
    text.unwrap_or_default()
}

/// Milliseconds since the epoch of an RFC 3339 text.
pub(crate) fn parse(text: &str) -> Option<i64> {
    let time = OffsetDateTime::parse(text, &Rfc3339).ok()?;
    i64::try_from(time.unix_timestamp_nanos() / 1_000_000).ok()
}

/// Milliseconds of `2s`, `500ms`, `1m30s`, `2h`; a bare number counts seconds.
pub(crate) fn duration(text: &str) -> Option<i64> {
    let mut rest = text.trim();
    let mut total = 0.0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.');
        let (number, tail) = rest.split_at(digits.unwrap_or(rest.len()));
        let unit_end = tail.find(|c: char| c.is_ascii_digit());
        let (unit, tail) = tail.split_at(unit_end.unwrap_or(tail.len()));
        total += number.parse::<f64>().ok()? * unit_ms(unit)?;
        rest = tail;
    }
    #[expect(
        clippy::cast_possible_truncation,
        reason = "durations are far below 2^53 ms"
    )]
    (!text.trim().is_empty()).then_some(total as i64)
}

fn unit_ms(unit: &str) -> Option<f64> {
    match unit {
        "ms" => Some(1.0),
        "s" | "" => Some(1000.0),
        "m" => Some(60_000.0),
        "h" => Some(3_600_000.0),
        _ => None,
    }
}

/// An age as kubectl prints it: `5s`, `3m20s`, `5h`, `12d`.
pub(crate) fn age(ms: i64) -> String {
    let seconds = ms.div_euclid(1000);
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86400);
    match seconds {
        ..0 => "0s".to_owned(),
        0..120 => format!("{seconds}s"),
        120..600 if seconds % 60 != 0 => format!("{minutes}m{}s", seconds % 60),
        120..10_800 => format!("{minutes}m"),
        10_800..28_800 if minutes % 60 != 0 => format!("{hours}h{}m", minutes % 60),
        10_800..172_800 => format!("{hours}h"),
        172_800..691_200 if hours % 24 != 0 => format!("{days}d{}h", hours % 24),
        172_800..63_072_000 => format!("{days}d"),
        _ => format!("{}y", days / 365),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_and_ages() {
        let cases = [
            ("2s", 2000),
            ("500ms", 500),
            ("1m30s", 90_000),
            ("1.5s", 1500),
            ("3", 3000),
        ];
        for (text, ms) in cases {
            assert_eq!(duration(text), Some(ms), "{text}");
        }
        assert_eq!(duration("soon"), None);
        assert_eq!(duration(""), None);
        assert_eq!(age(200_000), "3m20s");
        assert_eq!(age(7_200_000), "120m");
        assert_eq!(parse(&seconds(1_700_000_000_123)), Some(1_700_000_000_000));
    }
}
