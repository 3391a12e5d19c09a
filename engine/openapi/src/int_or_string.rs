//! A number or a string.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A value that is a number or a string: a port by number or name, a count or a percentage.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(untagged)]
pub enum IntOrString {
    /// A number.
    Int(i32),
    /// Text.
    String(String),
}

impl IntOrString {
    /// The share of `total` that a percentage says, rounded up or down, or the number itself.
    /// Text that is no percentage gives nothing.
    pub fn scaled(&self, total: u32, round_up: bool) -> Option<i64> {
        match self {
            Self::Int(count) => Some(i64::from(*count)),
            Self::String(text) => {
                let percent: u32 = text.strip_suffix('%')?.parse().ok()?;
                let product = i64::from(percent) * i64::from(total);
                Some(if round_up {
                    (product + 99) / 100
                } else {
                    product / 100
                })
            }
        }
    }
}

impl fmt::Display for IntOrString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Int(number) => number.fmt(f),
            Self::String(text) => text.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentages_scale() {
        let read = |text| serde_json::from_str::<IntOrString>(text).unwrap();
        assert_eq!(read("\"25%\"").scaled(10, true), Some(3));
        assert_eq!(read("\"25%\"").scaled(10, false), Some(2));
        assert_eq!(read("7").scaled(10, false), Some(7));
        assert_eq!(read("\"http\"").scaled(10, false), None);
    }
}
