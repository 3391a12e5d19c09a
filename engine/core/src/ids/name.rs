//! Names that Kubernetes and Berth accept.

use std::fmt;
use std::str::FromStr;

/// A DNS label that begins with a letter (RFC 1035, at most 63 bytes): document names, queues,
/// clusters and namespaces. A Service name must begin with a letter, so every name must.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(Box<str>);

/// Why a text is not a [`Name`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidName {
    /// Nothing at all.
    #[error("a name cannot be empty")]
    Empty,
    /// More than 63 bytes.
    #[error("a name has at most 63 characters, this one has {0}")]
    TooLong(usize),
    /// It begins with something else than a letter.
    #[error("a name begins with a lower-case letter, as a Service's must")]
    Start,
    /// It ends with a hyphen.
    #[error("a name ends with a letter or digit")]
    End,
    /// It holds something else than lower-case letters, digits and hyphens.
    #[error("a name holds lower-case letters, digits and `-`, not `{0}`")]
    Character(char),
}

impl Name {
    /// Checks and wraps a name.
    pub fn new(text: &str) -> Result<Self, InvalidName> {
        if text.len() > 63 {
            return Err(InvalidName::TooLong(text.len()));
        }
        if let Some(bad) = text
            .chars()
            .find(|c| !(c.is_ascii_lowercase() || c.is_ascii_digit() || *c == '-'))
        {
            return Err(InvalidName::Character(bad));
        }
        match (text.chars().next(), text.ends_with('-')) {
            (None, _) => Err(InvalidName::Empty),
            (Some(first), _) if !first.is_ascii_lowercase() => Err(InvalidName::Start),
            (_, true) => Err(InvalidName::End),
            _ => Ok(Self(text.into())),
        }
    }

    /// The text of the name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Name {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        Self::new(text)
    }
}

impl serde::Serialize for Name {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> serde::Deserialize<'de> for Name {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

impl schemars::JsonSchema for Name {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Name".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "description": "Lower-case letters, digits and `-`; it begins with a letter and has at most 63 characters.",
            "pattern": "^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$",
        })
    }
}
