//! The small values that documents are written in.

mod image;

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

pub use self::image::Image;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::diagnostic::cut;

/// A length of time as documents write it: a whole number and `s`, `m`, `h` or `d`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Duration(std::time::Duration);

/// Why a text is not a [`Duration`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a length of time such as 90s, 15m, 2h or 1d")]
pub struct InvalidDuration(String);

impl Duration {
    /// So many seconds.
    pub const fn from_secs(seconds: u64) -> Self {
        Self(std::time::Duration::from_secs(seconds))
    }

    /// The length.
    pub const fn get(self) -> std::time::Duration {
        self.0
    }
}

impl FromStr for Duration {
    type Err = InvalidDuration;

    fn from_str(text: &str) -> Result<Self, InvalidDuration> {
        let invalid = || InvalidDuration(cut(text));
        let unit = match text.as_bytes().last() {
            Some(b's') => 1,
            Some(b'm') => 60,
            Some(b'h') => 60 * 60,
            Some(b'd') => 24 * 60 * 60,
            _ => return Err(invalid()),
        };
        let digits = &text[..text.len() - 1];
        if digits.is_empty() || digits.len() > 9 || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(invalid());
        }
        let count: u64 = digits.parse().map_err(|_| invalid())?;
        Ok(Self::from_secs(count.saturating_mul(unit)))
    }
}

impl fmt::Display for Duration {
    /// In the largest unit that it is a whole number of.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        let units = [(24 * 60 * 60, 'd'), (60 * 60, 'h'), (60, 'm')];
        let (size, unit) = units
            .into_iter()
            .find(|(size, _)| seconds > 0 && seconds.is_multiple_of(*size))
            .unwrap_or((1, 's'));
        write!(f, "{}{unit}", seconds / size)
    }
}

impl serde::Serialize for Duration {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Duration {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Duration {
    fn schema_name() -> Cow<'static, str> {
        "Duration".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "A length of time: a whole number and `s`, `m`, `h` or `d`.",
            "pattern": "^[0-9]{1,9}[smhd]$",
            "examples": ["90s", "15m", "2h", "1d"],
        })
    }
}

/// A length of time after which Berth acts: a [`Duration`] of a second at least.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timeout(Duration);

impl Timeout {
    /// So many seconds; of none, one.
    pub const fn from_secs(seconds: u64) -> Self {
        Self(Duration::from_secs(if seconds == 0 { 1 } else { seconds }))
    }

    /// The length.
    pub const fn get(self) -> std::time::Duration {
        self.0.get()
    }
}

impl FromStr for Timeout {
    type Err = InvalidDuration;

    fn from_str(text: &str) -> Result<Self, InvalidDuration> {
        match text.parse::<Duration>()? {
            none if none.get().is_zero() => Err(InvalidDuration(text.into())),
            some => Ok(Self(some)),
        }
    }
}

impl fmt::Display for Timeout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl serde::Serialize for Timeout {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> serde::Deserialize<'de> for Timeout {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Timeout {
    fn schema_name() -> Cow<'static, str> {
        "Timeout".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "A length of time, 1s at least: a whole number and `s`, `m`, `h` or `d`.",
            "pattern": "^[1-9][0-9]{0,8}[smhd]$",
            "examples": ["90s", "15m", "2h", "1d"],
        })
    }
}

/// An amount as Kubernetes writes it, such as `500m`, `8Gi` or `2`; the text is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quantity(Box<str>);

impl Quantity {
    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl serde::Serialize for Quantity {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> serde::Deserialize<'de> for Quantity {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(serde::Deserialize)]
        #[serde(untagged)]
        enum Form {
            Text(String),
            Number(serde_json::Number),
        }
        Ok(Self(match Form::deserialize(deserializer)? {
            Form::Text(text) => text.into(),
            Form::Number(number) => number.to_string().into(),
        }))
    }
}

impl JsonSchema for Quantity {
    fn schema_name() -> Cow<'static, str> {
        "Quantity".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": ["string", "number"],
            "description": "An amount as Kubernetes writes it.",
            "minimum": 0,
            "pattern": "^[0-9]+([.][0-9]+)?(m|k|M|G|T|P|Ki|Mi|Gi|Ti|Pi)?$",
            "examples": ["500m", "8Gi", 2],
        })
    }
}

/// A layer of a pod: its `metadata` and `spec`, untyped. The typed documents only mark that it
/// is there; the layer itself is a node of the document's source, so that it keeps its places.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PodLayer;

impl<'de> serde::Deserialize<'de> for PodLayer {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        serde::de::IgnoredAny::deserialize(deserializer).map(|_| Self)
    }
}

impl JsonSchema for PodLayer {
    fn schema_name() -> Cow<'static, str> {
        "PodLayer".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "description": "A part of a pod, as Kubernetes writes it. Layers are merged by the keys of \
                lists, never replaced; `$patch: delete` removes. Fields that Berth sets are refused.",
            "properties": {
                "apiVersion": {"const": "v1", "description": "A pasted pod is welcome."},
                "kind": {"const": "Pod", "description": "A pasted pod is welcome."},
                "metadata": {"type": "object", "description": "Labels and annotations of the pod."},
                "spec": {"type": "object", "description": "The pod's spec; the task's container is `task`."},
            },
            "additionalProperties": false,
            "examples": [{"spec": {"nodeSelector": {"disk": "ssd"}}}],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeout_is_a_second_at_least() {
        assert_eq!(
            "90s"
                .parse::<Timeout>()
                .map(Timeout::get)
                .unwrap()
                .as_secs(),
            90
        );
        for none in ["0s", "00h", "0d", "s", "-1s"] {
            assert!(none.parse::<Timeout>().is_err(), "{none}");
        }
        assert!("0s".parse::<Duration>().is_ok(), "at once is a length");
    }
}
