//! What names an object in the cluster.

use std::fmt;

use crate::diagnostic::cut;

/// The kinds of object that Berth itself makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ObjectKind {
    /// `v1 Service`
    Service,
    /// `v1 Pod`
    Pod,
}

impl ObjectKind {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Service, Self::Pod];

    /// The `apiVersion` of its bodies.
    pub const fn api_version(self) -> &'static str {
        "v1"
    }

    /// The `kind` of its bodies.
    pub const fn kind(self) -> &'static str {
        match self {
            Self::Service => "Service",
            Self::Pod => "Pod",
        }
    }

    /// The resource in URLs.
    pub const fn plural(self) -> &'static str {
        match self {
            Self::Service => "services",
            Self::Pod => "pods",
        }
    }

    /// The kind that a body's `apiVersion` and `kind` name.
    pub fn of(api_version: &str, kind: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|k| k.api_version() == api_version && k.kind() == kind)
    }
}

/// Kind, namespace and name of one namespaced object.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectKey {
    /// Its kind.
    pub kind: ObjectKind,
    /// Its namespace.
    pub namespace: Box<str>,
    /// Its name.
    pub name: Box<str>,
}

impl ObjectKey {
    /// A key of these parts.
    pub fn new(kind: ObjectKind, namespace: &str, name: &str) -> Self {
        Self {
            kind,
            namespace: namespace.into(),
            name: name.into(),
        }
    }
}

impl fmt::Display for ObjectKey {
    /// `Pod vision/resnet50-1a2b3c4d-1-1-0`; this text is also the annotation `berth.dev/id`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}/{}", self.kind.kind(), self.namespace, self.name)
    }
}

/// The server's id of one life of an object.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uid(pub Box<str>);

impl fmt::Display for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A resource version. Kubernetes promises since 1.35 that they compare as integers
/// (KEP-5504, comparable resource versions).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct ResourceVersion(pub u64);

/// Why a resource version cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the server gave the resource version `{0}`, which is no integer")]
pub struct InvalidResourceVersion(String);

impl std::str::FromStr for ResourceVersion {
    type Err = InvalidResourceVersion;

    fn from_str(text: &str) -> Result<Self, InvalidResourceVersion> {
        text.parse()
            .map(Self)
            .map_err(|_| InvalidResourceVersion(cut(text)))
    }
}

impl fmt::Display for ResourceVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
