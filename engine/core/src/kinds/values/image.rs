//! The name of an image.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::diagnostic::cut;

/// The name of an image as container runtimes read it: `[registry[:port]/]path[:tag][@digest]`, the
/// path in lower case (the reference grammar of the OCI distribution project). Nobody could pull
/// anything else; the API server takes it all the same, and the pod waits with `InvalidImageName`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image(Box<str>);

/// Why a text is no [`Image`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no name of an image such as ghcr.io/lab/train:1.2")]
pub struct InvalidImage(String);

impl Image {
    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Image {
    type Err = InvalidImage;

    fn from_str(text: &str) -> Result<Self, InvalidImage> {
        is_image(text)
            .then(|| Self(text.into()))
            .ok_or_else(|| InvalidImage(cut(text)))
    }
}

fn is_image(text: &str) -> bool {
    let (name, digest) = match text.split_once('@') {
        Some((name, digest)) => (name, Some(digest)),
        None => (text, None),
    };
    // A colon after the last slash begins the tag; one before it, a port.
    let last = name.rfind('/').map_or(0, |at| at + 1);
    let (name, tag) = match name[last..].split_once(':') {
        Some((path, tag)) => (&name[..last + path.len()], Some(tag)),
        None => (name, None),
    };
    let is_path = |path: &str| path.split('/').all(is_component);
    let is_name = match name.split_once('/') {
        Some((first, path)) => (is_registry(first) || is_component(first)) && is_path(path),
        None => is_component(name),
    };
    is_name && tag.is_none_or(is_tag) && digest.is_none_or(is_digest)
}

/// Letters and digits in lower case, with one dot, one or two underscores or any dashes between.
fn is_component(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let parts = text.split(plain).filter(|between| !between.is_empty());
    let ends = text.starts_with(plain) && text.ends_with(plain);
    ends && parts.into_iter().all(|between| {
        matches!(between, "." | "_" | "__") || between.bytes().all(|byte| byte == b'-')
    })
}

fn is_registry(text: &str) -> bool {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !text.ends_with(']') => (host, Some(port)),
        _ => (text, None),
    };
    let is_label = |label: &str| {
        let inner = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(inner)
    };
    let address = host.strip_prefix('[').and_then(|it| it.strip_suffix(']'));
    let is_host = match address {
        Some(address) => {
            !address.is_empty() && address.bytes().all(|b| b.is_ascii_hexdigit() || b == b':')
        }
        None => host.split('.').all(is_label),
    };
    let is_port = |port: &str| !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit());
    is_host && port.is_none_or(is_port)
}

fn is_tag(tag: &str) -> bool {
    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    let first = tag.bytes().next().is_some_and(word);
    first && tag.len() <= 128 && tag.bytes().all(|b| word(b) || b == b'.' || b == b'-')
}

fn is_digest(digest: &str) -> bool {
    let Some((algorithm, hex)) = digest.split_once(':') else {
        return false;
    };
    let is_part = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_alphabetic())
            && part.bytes().all(|b| b.is_ascii_alphanumeric())
    };
    algorithm.split(['+', '.', '_', '-']).all(is_part)
        && hex.len() >= 32
        && hex.bytes().all(|b| b.is_ascii_hexdigit())
}

impl fmt::Display for Image {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl serde::Serialize for Image {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> serde::Deserialize<'de> for Image {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Image {
    fn schema_name() -> Cow<'static, str> {
        "Image".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let label = "[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?";
        let host = format!(r"({label}(\.{label})*|\[[A-Fa-f0-9:]+\])(:[0-9]+)?");
        let component = "[a-z0-9]+((\\.|__?|-+)[a-z0-9]+)*";
        let tag = "[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}";
        let part = "[A-Za-z][A-Za-z0-9]*";
        let digest = format!("{part}([+._-]{part})*:[0-9A-Fa-f]{{32,}}");
        json_schema!({
            "type": "string",
            "description": "The name of an image: `[registry/]path[:tag][@digest]`, the path in lower case.",
            "pattern": format!("^({host}/)?{component}(/{component})*(:{tag})?(@{digest})?$"),
            "examples": ["ghcr.io/lab/train:1.2"],
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn by_schema(text: &str) -> bool {
        let schema = schemars::schema_for!(Image);
        jsonschema::validator_for(schema.as_value())
            .unwrap()
            .is_valid(&text.into())
    }

    #[test]
    fn images_are_those_that_runtimes_read() {
        let hex = "0123456789abcdef".repeat(4);
        let digest = format!("ghcr.io/a/b:1@sha256:{hex}");
        for image in [
            "ubuntu",
            "ubuntu:24.04",
            "lab/train",
            "Registry.LAN:5000/lab/train__x/y-z:V1.2_3",
            "[::1]:5000/a",
            "localhost/a",
            "a--b/c.d",
            &digest,
        ] {
            assert!(
                image.parse::<Image>().is_ok() && by_schema(image),
                "{image}"
            );
        }
        let short = "a@sha256:0123";
        let long = format!("a:{}", "t".repeat(129));
        for text in [
            "",
            "A B C",
            "Train",
            "a/B",
            " a",
            "a ",
            "a:",
            "a:-",
            "a//b",
            "/a",
            "a/",
            "a_",
            "a..b",
            "a___b",
            "https://ghcr.io/a",
            "a@",
            "a@sha256",
            short,
            &long,
            "a:b:c",
            "x:y/a",
            "$(hp.image)",
            "a\n",
        ] {
            assert!(text.parse::<Image>().is_err(), "{text}");
            assert!(!by_schema(text), "{text}");
        }
    }

    proptest! {
        #[test]
        fn the_schema_says_the_same(text in "[aB0._:/@-]{0,9}") {
            prop_assert_eq!(text.parse::<Image>().is_ok(), by_schema(&text));
        }
    }
}
