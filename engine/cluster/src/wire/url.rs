//! Paths and queries of the Kubernetes API.

use std::fmt::Write as _;

use berth_core::ids::{ObjectKey, ObjectKind};

/// A path with its query.
pub(super) struct Url {
    text: String,
    queried: bool,
}

impl Url {
    /// The collection of a kind in one namespace.
    pub(super) fn collection(kind: ObjectKind, namespace: &str) -> Self {
        Self::resource(namespace, kind.plural())
    }

    /// One object.
    pub(super) fn object(key: &ObjectKey) -> Self {
        Self::collection(key.kind, &key.namespace).named(&key.name)
    }

    /// The `ConfigMap`s of one namespace.
    pub(super) fn config_maps(namespace: &str) -> Self {
        Self::resource(namespace, "configmaps")
    }

    /// One `ConfigMap`.
    pub(super) fn config_map(namespace: &str, name: &str) -> Self {
        Self::config_maps(namespace).named(name)
    }

    fn resource(namespace: &str, plural: &str) -> Self {
        let namespace = encode(namespace);
        Self::at(format!("/api/v1/namespaces/{namespace}/{plural}"))
    }

    fn named(mut self, name: &str) -> Self {
        self.text.push('/');
        self.text.push_str(&encode(name));
        self
    }

    /// A path that is written as it is.
    pub(super) fn at(path: impl Into<String>) -> Self {
        Self {
            text: path.into(),
            queried: false,
        }
    }

    /// Adds one parameter.
    #[must_use]
    pub(super) fn with(mut self, name: &str, value: &str) -> Self {
        let mark = if self.queried { '&' } else { '?' };
        self.queried = true;
        let _ = write!(self.text, "{mark}{name}={}", encode(value));
        self
    }

    /// The text.
    pub(super) fn into_string(self) -> String {
        self.text
    }
}

/// Percent-encodes what RFC 3986 does not call unreserved, so that no name can leave its segment.
pub(super) fn encode(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'~' | b'.' => {
                out.push(char::from(byte));
            }
            _ => {
                let _ = write!(out, "%{byte:02X}");
            }
        }
        out
    })
}
