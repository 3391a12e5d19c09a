//! What a plain (unquoted) scalar means.

use serde_json::Number;

/// A plain scalar, read.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Plain {
    Null,
    Bool(bool),
    Number(Number),
    Text,
    /// Parsers differ; the words say what to write instead.
    Ambiguous(String),
}

/// Reads a plain scalar as JSON would: `null`, `true`, `false`, JSON's numbers, else text. What
/// YAML 1.1 or 1.2 reads as something else than that is ambiguous.
pub(super) fn read(text: &str) -> Plain {
    match text.as_bytes().first() {
        None => Plain::Null,
        Some(b'0'..=b'9' | b'-' | b'+' | b'.') => numeric(text),
        Some(b'~' | b'=') if text.len() == 1 => instead_of(text, word(text)),
        Some(_) if text.len() <= 5 => named(text),
        Some(_) => Plain::Text,
    }
}

fn named(text: &str) -> Plain {
    match text {
        "null" => Plain::Null,
        "true" => Plain::Bool(true),
        "false" => Plain::Bool(false),
        _ => match text.to_ascii_lowercase().as_str() {
            "y" | "n" | "yes" | "no" | "on" | "off" | "true" | "false" | "null" => {
                instead_of(text, word(text))
            }
            _ => Plain::Text,
        },
    }
}

/// What the author of an ambiguous word may have meant.
fn word(text: &str) -> Option<&'static str> {
    match text.to_ascii_lowercase().as_str() {
        "yes" | "on" | "true" | "y" => Some("true"),
        "no" | "off" | "false" | "n" => Some("false"),
        "null" | "~" => Some("null"),
        _ => None,
    }
}

fn numeric(text: &str) -> Plain {
    if is_json_number(text) {
        return match text.parse::<Number>() {
            Ok(number) if exponent_is_plain(text) && fits(&number) => Plain::Number(number),
            Ok(_) if !exponent_is_plain(text) => instead_of(text, plain_exponent(text).as_deref()),
            _ => instead_of(text, None),
        };
    }
    if looks_numeric(text) {
        instead_of(text, None)
    } else {
        Plain::Text
    }
}

/// Whole numbers beyond 64 bits would be rounded.
fn fits(number: &Number) -> bool {
    number.is_u64() || number.is_i64() || number.as_f64().is_some_and(f64::is_finite)
}

/// RFC 8259, section 6. Whole numbers beyond 64 bits are none for us: they would be rounded.
fn is_json_number(text: &str) -> bool {
    let rest = text.strip_prefix('-').unwrap_or(text);
    let (whole, rest) = digits(rest);
    if whole.is_empty() || (whole.len() > 1 && whole.starts_with('0')) {
        return false;
    }
    let (fraction, rest) = match rest.strip_prefix('.') {
        Some(rest) => digits(rest),
        None => ("0", rest),
    };
    let exponent = match rest.strip_prefix(['e', 'E']) {
        Some(rest) => {
            let (exponent, rest) = digits(rest.strip_prefix(['+', '-']).unwrap_or(rest));
            !exponent.is_empty() && rest.is_empty()
        }
        None => rest.is_empty(),
    };
    let whole_fits = text.contains(['.', 'e', 'E'])
        || text.parse::<i64>().is_ok()
        || text.parse::<u64>().is_ok();
    !fraction.is_empty() && exponent && whole_fits
}

/// YAML 1.1 reads `1e-4` and `1.0e4` as text: it wants a point and a signed exponent.
fn exponent_is_plain(text: &str) -> bool {
    match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => mantissa.contains('.') && exponent.starts_with(['+', '-']),
        None => true,
    }
}

fn plain_exponent(text: &str) -> Option<String> {
    let (mantissa, exponent) = text.split_once(['e', 'E'])?;
    let point = if mantissa.contains('.') { "" } else { ".0" };
    let sign = if exponent.starts_with(['+', '-']) {
        ""
    } else {
        "+"
    };
    Some(format!("{mantissa}{point}e{sign}{exponent}"))
}

/// Whether some parser takes this for a number or a time.
fn looks_numeric(text: &str) -> bool {
    let bare = text.strip_prefix(['+', '-']).unwrap_or(text);
    let lower = bare.to_ascii_lowercase();
    let radix = ["0x", "0o", "0b"].iter().any(|prefix| {
        lower.strip_prefix(prefix).is_some_and(|rest| {
            !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_hexdigit() || b == b'_')
        })
    });
    radix
        || matches!(lower.as_str(), ".inf" | ".nan")
        || is_loose_number(&lower)
        || is_sexagesimal(bare)
        || is_date(text)
}

/// `017`, `1_000`, `.5`, `5.`, `1_0.5e3`.
fn is_loose_number(text: &str) -> bool {
    let mut parts = text.splitn(2, 'e');
    let mantissa = parts.next().unwrap_or_default();
    let exponent = parts.next().is_none_or(|rest| {
        let digits = rest.strip_prefix(['+', '-']).unwrap_or(rest);
        !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())
    });
    exponent
        && mantissa.bytes().any(|b| b.is_ascii_digit())
        && mantissa.bytes().filter(|b| *b == b'.').count() <= 1
        && mantissa
            .bytes()
            .all(|b| b.is_ascii_digit() || matches!(b, b'_' | b'.'))
        && !mantissa.starts_with('_')
}

/// `12:30:45`: a number to the base 60 in YAML 1.1.
fn is_sexagesimal(text: &str) -> bool {
    let mut parts = text.split(':');
    let first = parts.next().unwrap_or_default();
    let rest: Vec<&str> = parts.collect();
    !first.is_empty()
        && first.bytes().all(|b| b.is_ascii_digit() || b == b'_')
        && !rest.is_empty()
        && rest.iter().all(|part| {
            let part = part.split('.').next().unwrap_or_default();
            part.parse::<u8>().is_ok_and(|n| n < 60) && part.len() <= 2
        })
}

/// `2026-11-20`, with or without a time.
fn is_date(text: &str) -> bool {
    let date = text.split(['T', 't', ' ']).next().unwrap_or_default();
    let parts: Vec<&str> = date.split('-').collect();
    matches!(parts.as_slice(), [year, month, day]
        if year.len() == 4 && [month, day].iter().all(|p| (1..=2).contains(&p.len()))
            && parts.iter().all(|p| p.bytes().all(|b| b.is_ascii_digit())))
}

fn instead_of(text: &str, meant: Option<&str>) -> Plain {
    let quoted = format!("quote it, `\"{text}\"`, if it is text");
    Plain::Ambiguous(match meant {
        Some(meant) if meant != text => format!("write `{meant}` if you mean that; {quoted}"),
        _ if is_no_number(text) => {
            format!(
                "no document can hold it as a number: write a number, or leave it out; {quoted}"
            )
        }
        _ if is_beyond(text) => {
            format!("write a number that fits into 64 bits; {quoted}")
        }
        _ if looks_numeric(text) && !is_date(text) => {
            format!("write it as a plain decimal number; {quoted}")
        }
        _ => quoted,
    })
}

/// What JSON has no number for.
fn is_no_number(text: &str) -> bool {
    let bare = text.strip_prefix(['+', '-']).unwrap_or(text);
    matches!(&*bare.to_ascii_lowercase(), ".inf" | ".nan")
}

/// Plainly written, but too large.
fn is_beyond(text: &str) -> bool {
    let bare = text.strip_prefix('-').unwrap_or(text);
    let whole = bare.bytes().all(|b| b.is_ascii_digit());
    let plain = bare.starts_with(|first: char| first.is_ascii_digit() && first != '0');
    plain && (whole || is_json_number(text) && exponent_is_plain(text))
}

fn digits(text: &str) -> (&str, &str) {
    let end = text.bytes().take_while(u8::is_ascii_digit).count();
    text.split_at(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_all_parsers_agree_on_is_read() {
        for text in [
            "abc",
            "16Gi",
            "10.0.0.1",
            "1.2.3",
            "8080:80",
            "yesterday",
            "-",
            "a: b",
            "0.1.0-rc1",
            "-flag",
            "nvidia.com/gpu",
            "2h",
            "onward",
            "e3",
            "...",
            "+",
            "1-2",
        ] {
            assert_eq!(read(text), Plain::Text, "{text}");
        }
        for text in [
            "0",
            "-1",
            "42",
            "0.1",
            "1.50",
            "1.0e-4",
            "-2.5E+10",
            "18446744073709551615",
        ] {
            assert_eq!(read(text), Plain::Number(text.parse().unwrap()), "{text}");
        }
        assert_eq!(read(""), Plain::Null);
        assert_eq!(read("null"), Plain::Null);
        assert_eq!(read("true"), Plain::Bool(true));
    }

    #[test]
    fn what_parsers_read_differently_is_refused() {
        for text in [
            "yes",
            "No",
            "ON",
            "off",
            "y",
            "N",
            "True",
            "FALSE",
            "~",
            "Null",
            "=",
            "017",
            "0o17",
            "0x1F",
            "0b101",
            "1_000",
            "+1",
            ".5",
            "5.",
            "1e3",
            "1e-4",
            "1.0e4",
            "12:30",
            "1:30:00",
            "2026-11-20",
            "2026-11-20T10:00:00Z",
            ".inf",
            "-.Inf",
            ".nan",
            "18446744073709551616",
            "00",
            "1_0.5",
        ] {
            assert!(
                matches!(read(text), Plain::Ambiguous(_)),
                "{text}: {:?}",
                read(text)
            );
        }
    }

    #[test]
    fn the_hint_says_what_to_write() {
        let hint = |text| match read(text) {
            Plain::Ambiguous(hint) => hint,
            other => panic!("{other:?}"),
        };
        assert_eq!(
            hint("yes"),
            "write `true` if you mean that; quote it, `\"yes\"`, if it is text"
        );
        assert!(hint("1e-4").starts_with("write `1.0e-4` if"));
        assert!(hint("1.0e4").starts_with("write `1.0e+4` if"));
        assert!(hint("017").starts_with("write it as a plain decimal number"));
        for (text, words) in [
            (
                "123456789012345678901234567890",
                "write a number that fits into 64 bits; quote it, ",
            ),
            (
                "-18446744073709551616",
                "write a number that fits into 64 bits",
            ),
            ("1.0e+999", "write a number that fits into 64 bits"),
            (".nan", "no document can hold it as a number: write"),
            ("-.inf", "no document can hold it as a number: write"),
        ] {
            assert!(hint(text).starts_with(words), "{text}: {}", hint(text));
        }
        assert_eq!(
            hint("2026-11-20"),
            "quote it, `\"2026-11-20\"`, if it is text"
        );
    }
}
