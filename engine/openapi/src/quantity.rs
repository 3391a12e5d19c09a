//! Resource quantities, such as `500m`, `8Gi` or `1e3`, exact to a billionth.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use serde_json::Value;

const NANOS: i128 = 1_000_000_000;

/// A resource quantity. Equality and order are those of the value: `1000m` equals `1`.
///
/// It is printed in the canonical form of the suffixes in which it was written.
#[derive(Clone, Copy, Debug)]
pub struct Quantity {
    nanos: i128,
    format: Format,
}

/// The family of suffixes in which a quantity is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `n`, `u`, `m`, none, `k`, `M`, `G`, `T`, `P`, `E`.
    DecimalSi,
    /// `Ki`, `Mi`, `Gi`, `Ti`, `Pi`, `Ei`.
    BinarySi,
    /// `e3`, `e-3`, `E6`.
    DecimalExponent,
}

/// Why a text is no quantity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QuantityError {
    /// It is not written as one.
    #[error(
        "quantities must match the regular expression \
         '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
    )]
    Syntax,
    /// The suffix is none of the known ones.
    #[error("unable to parse quantity's suffix")]
    Suffix,
    /// The value is too large to be kept exactly.
    #[error("the quantity is too large")]
    TooLarge,
}

impl Quantity {
    /// A quantity of so many billionths.
    pub fn from_nanos(nanos: i128, format: Format) -> Self {
        Self { nanos, format }
    }

    /// A whole number.
    pub fn from_units(units: i64) -> Self {
        Self::from_nanos(i128::from(units) * NANOS, Format::DecimalSi)
    }

    /// Reads a field: a string or a number.
    pub fn from_json(value: &Value) -> Result<Self, QuantityError> {
        match value {
            Value::String(text) => text.parse(),
            Value::Number(number) => number.to_string().parse(),
            _ => Err(QuantityError::Syntax),
        }
    }

    /// The value in billionths.
    pub fn nanos(&self) -> i128 {
        self.nanos
    }

    /// The value in whole units, rounded up (away from zero).
    pub fn units(&self) -> i128 {
        divide_away_from_zero(self.nanos, NANOS)
    }

    /// The value in thousandths, rounded up (away from zero).
    pub fn millis(&self) -> i128 {
        divide_away_from_zero(self.nanos, NANOS / 1000)
    }

    /// The sum, in the format of `self`; nothing if it is too large.
    pub fn checked_add(&self, other: &Self) -> Option<Self> {
        Some(Self {
            nanos: self.nanos.checked_add(other.nanos)?,
            ..*self
        })
    }
}

impl PartialEq for Quantity {
    fn eq(&self, other: &Self) -> bool {
        self.nanos == other.nanos
    }
}

impl Eq for Quantity {}

impl PartialOrd for Quantity {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Quantity {
    fn cmp(&self, other: &Self) -> Ordering {
        self.nanos.cmp(&other.nanos)
    }
}

impl FromStr for Quantity {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
        let end = unsigned.find(|c: char| !c.is_ascii_digit() && c != '.');
        let (number, suffix) = unsigned.split_at(end.unwrap_or(unsigned.len()));
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if whole.len() + fraction.len() == 0 || fraction.contains('.') {
            return Err(QuantityError::Syntax);
        }
        let (scale, format) = parse_suffix(suffix)?;
        let nanos = scale
            .apply(whole, fraction)
            .ok_or(QuantityError::TooLarge)?;
        let nanos = if text.starts_with('-') { -nanos } else { nanos };
        Ok(Self { nanos, format })
    }
}

/// What a suffix multiplies by: a power of ten or of two.
#[derive(Clone, Copy)]
struct Scale {
    ten: i32,
    two: u32,
}

impl Scale {
    /// The billionths in `whole.fraction` times the scale, rounded up.
    fn apply(self, whole: &str, fraction: &str) -> Option<i128> {
        let digits = format!("{whole}{}", fraction.trim_end_matches('0'));
        let digits = digits.trim_start_matches('0');
        if digits.is_empty() {
            return Some(0);
        }
        let places = i32::try_from(fraction.trim_end_matches('0').len()).ok()?;
        let shift = self.ten.checked_add(9)?.checked_sub(places)?;
        // The powers of two in ten cancel out, so that long fractions of binary units fit.
        let number = digits.parse::<i128>().ok()?.checked_mul(1 << self.two)?;
        match u32::try_from(shift) {
            Ok(up) => number.checked_mul(10_i128.checked_pow(up)?),
            Err(_) => Some(match 10_i128.checked_pow(shift.unsigned_abs()) {
                Some(divisor) => divide_away_from_zero(number, divisor),
                None => 1,
            }),
        }
    }
}

fn parse_suffix(suffix: &str) -> Result<(Scale, Format), QuantityError> {
    let decimal = |ten| Ok((Scale { ten, two: 0 }, Format::DecimalSi));
    let binary = |two| Ok((Scale { ten: 0, two }, Format::BinarySi));
    match suffix {
        "n" => decimal(-9),
        "u" => decimal(-6),
        "m" => decimal(-3),
        "" => decimal(0),
        "k" => decimal(3),
        "M" => decimal(6),
        "G" => decimal(9),
        "T" => decimal(12),
        "P" => decimal(15),
        "E" => decimal(18),
        "Ki" => binary(10),
        "Mi" => binary(20),
        "Gi" => binary(30),
        "Ti" => binary(40),
        "Pi" => binary(50),
        "Ei" => binary(60),
        _ => exponent(suffix),
    }
}

fn exponent(suffix: &str) -> Result<(Scale, Format), QuantityError> {
    let digits = suffix
        .strip_prefix(['e', 'E'])
        .ok_or(QuantityError::Suffix)?;
    let ten = digits.parse().map_err(|_| QuantityError::Suffix)?;
    Ok((Scale { ten, two: 0 }, Format::DecimalExponent))
}

fn divide_away_from_zero(number: i128, divisor: i128) -> i128 {
    let (quotient, rest) = (number / divisor, number % divisor);
    quotient + rest.signum()
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = self.nanos % NANOS == 0;
        match self.format {
            Format::BinarySi if whole && self.nanos.abs() >= 1024 * NANOS => {
                write_binary(f, self.nanos / NANOS)
            }
            Format::DecimalExponent => match canonical_decimal(self.nanos) {
                (number, 0) => write!(f, "{number}"),
                (number, exponent) => write!(f, "{number}e{exponent}"),
            },
            Format::BinarySi | Format::DecimalSi => {
                let (number, exponent) = canonical_decimal(self.nanos);
                write!(f, "{number}{}", decimal_suffix(exponent))
            }
        }
    }
}

fn write_binary(f: &mut fmt::Formatter<'_>, mut number: i128) -> fmt::Result {
    const SUFFIXES: [&str; 7] = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
    let mut power = 0;
    while power + 1 < SUFFIXES.len() && number % 1024 == 0 {
        number /= 1024;
        power += 1;
    }
    write!(f, "{number}{}", SUFFIXES[power])
}

/// The smallest whole number, with the power of a thousand that makes it the value.
fn canonical_decimal(nanos: i128) -> (i128, i32) {
    let (mut number, mut exponent) = (nanos, -9);
    if number == 0 {
        return (0, 0);
    }
    while number % 1000 == 0 && exponent < 18 {
        number /= 1000;
        exponent += 3;
    }
    (number, exponent)
}

fn decimal_suffix(exponent: i32) -> &'static str {
    match exponent {
        -9 => "n",
        -6 => "u",
        -3 => "m",
        3 => "k",
        6 => "M",
        9 => "G",
        12 => "T",
        15 => "P",
        18 => "E",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn canonical(text: &str) -> String {
        text.parse::<Quantity>().unwrap().to_string()
    }

    #[test]
    fn prints_as_kubernetes_does() {
        for (text, expected) in [
            ("0", "0"),
            ("0Ki", "0"),
            ("1000m", "1"),
            ("1500m", "1500m"),
            ("0.5", "500m"),
            (".5", "500m"),
            ("5.", "5"),
            ("100k", "100k"),
            ("1000000", "1M"),
            ("1024Ki", "1Mi"),
            ("1.5Gi", "1536Mi"),
            ("0.1Ki", "102400m"),
            ("512Ki", "512Ki"),
            ("1023", "1023"),
            ("1e3", "1e3"),
            ("10e2", "1e3"),
            ("1E", "1E"),
            ("1E3", "1e3"),
            ("12e-1", "1200e-3"),
            ("-0.5Gi", "-512Mi"),
            ("0.1n", "1n"),
            ("+7", "7"),
            ("8Ei", "8Ei"),
        ] {
            assert_eq!(canonical(text), expected, "{text}");
        }
    }

    #[test]
    fn refuses_what_is_none() {
        for text in ["", "-", ".", "1.2.3", "Ki", "1 Gi", "one"] {
            assert_eq!(text.parse::<Quantity>().map_err(|_| ()), Err(()), "{text}");
        }
        assert_eq!("1kk".parse::<Quantity>(), Err(QuantityError::Suffix));
        assert_eq!("1e99".parse::<Quantity>(), Err(QuantityError::TooLarge));
    }

    #[test]
    fn compares_by_value() {
        let read = |text: &str| text.parse::<Quantity>().unwrap();
        assert_eq!(read("1000m"), read("1"));
        assert!(read("1Gi") > read("1G"));
        assert_eq!((read("1500m").units(), read("-1500m").units()), (2, -2));
        assert_eq!(
            Quantity::from_json(&serde_json::json!(0.5)),
            Ok(read("500m"))
        );
    }

    proptest! {
        #[test]
        fn printing_keeps_the_value(nanos in -(1_i128 << 90)..(1_i128 << 90), format in 0_usize..3) {
            let format = [Format::DecimalSi, Format::BinarySi, Format::DecimalExponent][format];
            let quantity = Quantity::from_nanos(nanos, format);
            let again: Quantity = quantity.to_string().parse().unwrap();
            prop_assert_eq!(quantity, again);
            prop_assert_eq!(again.to_string(), quantity.to_string());
        }

        #[test]
        fn any_text_is_read_or_refused(text in "[+-]?[0-9.]{0,40}[eEinumkKMGTP]{0,2}-?[0-9]{0,3}") {
            if let Ok(quantity) = text.parse::<Quantity>() {
                prop_assert_eq!(quantity.to_string().parse::<Quantity>(), Ok(quantity));
            }
        }
    }
}
