//! What names a document, and with it the unit that was made for it.

use std::fmt;
use std::str::FromStr;

use super::Name;

/// The kinds of document that the design names.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
pub enum DocumentKind {
    /// Identity and rules of one cluster.
    Cluster,
    /// What every pod starts from.
    PodDefaults,
    /// A resource pool.
    Queue,
    /// A partial experiment or task.
    Template,
    /// Rules that documents must meet.
    Policy,
    /// An experiment.
    Experiment,
    /// A notebook, shell or service.
    Task,
    /// A Gateway and its listeners.
    TaskGateway,
    /// A TLS secret.
    Certificate,
    /// A long-running platform part.
    Component,
}

impl DocumentKind {
    /// All of them, in the order in which they are read.
    pub const ALL: [Self; 10] = [
        Self::Cluster,
        Self::PodDefaults,
        Self::Queue,
        Self::Template,
        Self::Policy,
        Self::Experiment,
        Self::Task,
        Self::TaskGateway,
        Self::Certificate,
        Self::Component,
    ];

    /// The kinds that this version of Berth carries out; the others are refused with a sentence.
    pub const BUILT: [Self; 4] = [
        Self::Cluster,
        Self::PodDefaults,
        Self::Queue,
        Self::Experiment,
    ];

    /// Its name in `kind:`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cluster => "Cluster",
            Self::PodDefaults => "PodDefaults",
            Self::Queue => "Queue",
            Self::Template => "Template",
            Self::Policy => "Policy",
            Self::Experiment => "Experiment",
            Self::Task => "Task",
            Self::TaskGateway => "TaskGateway",
            Self::Certificate => "Certificate",
            Self::Component => "Component",
        }
    }

    /// Whether documents of this kind belong to a queue, so that a name is unique within it.
    pub const fn has_queue(self) -> bool {
        matches!(self, Self::Experiment | Self::Task)
    }
}

impl fmt::Display for DocumentKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Names one document: its kind, its queue if the kind has one, its name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnitId {
    /// The kind of the document.
    pub kind: DocumentKind,
    /// Its queue; `Some` exactly for the kinds that have one.
    pub queue: Option<Name>,
    /// Its name.
    pub name: Name,
}

/// Why a text does not name a unit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` does not name a document; write it as `Experiment/QUEUE/NAME` or `Queue/NAME`")]
pub struct InvalidUnit(String);

impl UnitId {
    /// An experiment of a queue.
    pub fn experiment(queue: Name, name: Name) -> Self {
        Self {
            kind: DocumentKind::Experiment,
            queue: Some(queue),
            name,
        }
    }

    /// A document of a kind that has no queue.
    pub fn plain(kind: DocumentKind, name: Name) -> Self {
        Self {
            kind,
            queue: None,
            name,
        }
    }
}

impl fmt::Display for UnitId {
    /// `Experiment/vision/resnet50`, `Queue/vision`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.queue {
            Some(queue) => write!(f, "{}/{queue}/{}", self.kind, self.name),
            None => write!(f, "{}/{}", self.kind, self.name),
        }
    }
}

impl FromStr for UnitId {
    type Err = InvalidUnit;

    fn from_str(text: &str) -> Result<Self, InvalidUnit> {
        let invalid = || InvalidUnit(text.chars().take(200).collect());
        let parts: Vec<&str> = text.split('/').collect();
        let kind = DocumentKind::ALL
            .into_iter()
            .find(|kind| Some(&kind.as_str()) == parts.first())
            .ok_or_else(invalid)?;
        let name = |text: &str| Name::new(text).map_err(|_| invalid());
        match (kind.has_queue(), parts.as_slice()) {
            (true, [_, queue, last]) => Ok(Self {
                kind,
                queue: Some(name(queue)?),
                name: name(last)?,
            }),
            (false, [_, last]) => Ok(Self {
                kind,
                queue: None,
                name: name(last)?,
            }),
            _ => Err(invalid()),
        }
    }
}

impl serde::Serialize for UnitId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for UnitId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}
