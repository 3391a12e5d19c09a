//! What a kind says: each kind of document is one folder here, and one line in [`Document`].

pub(crate) mod check;
pub mod cluster;
pub mod experiment;
mod form;
pub mod pod;
pub mod pod_defaults;
pub mod queue;
mod read;
pub mod schema;
mod sound;
#[cfg(test)]
mod tests;
mod typed;
pub mod values;
mod view;
mod want;

use std::sync::Arc;

pub use cluster::Cluster;
pub use experiment::Experiment;
pub use form::{API_VERSION, Form, Metadata};
pub use pod_defaults::PodDefaults;
pub use queue::Queue;
pub use read::{Invalid, read};
pub(crate) use sound::unknown;
pub use view::{AttemptKey, NodeState, View};
pub use want::{Ask, Grant, Missing, Recipe, Toleration, Upkeep, Want};

use crate::desired::Unit;
use crate::ids::{DocumentKind, Name, Timestamp, UnitId};
use crate::object::Node;

/// One document.
#[derive(Debug, Clone, PartialEq)]
pub enum Document {
    /// Identity and rules of one cluster.
    Cluster(Arc<Cluster>),
    /// What every pod starts from.
    PodDefaults(Arc<PodDefaults>),
    /// A resource pool.
    Queue(Arc<Queue>),
    /// An experiment.
    Experiment(Arc<Experiment>),
}

impl Document {
    /// Its kind.
    pub const fn kind(&self) -> DocumentKind {
        match self {
            Self::Cluster(_) => DocumentKind::Cluster,
            Self::PodDefaults(_) => DocumentKind::PodDefaults,
            Self::Queue(_) => DocumentKind::Queue,
            Self::Experiment(_) => DocumentKind::Experiment,
        }
    }

    /// Its name.
    pub fn name(&self) -> &Name {
        match self {
            Self::Cluster(it) => it.name(),
            Self::PodDefaults(it) => it.name(),
            Self::Queue(it) => it.name(),
            Self::Experiment(it) => it.name(),
        }
    }

    /// What names it.
    pub fn id(&self) -> UnitId {
        match self {
            Self::Experiment(it) => UnitId::experiment(it.spec.queue.clone(), it.name().clone()),
            other => UnitId::plain(other.kind(), other.name().clone()),
        }
    }

    /// The tree that it was read from.
    pub fn source(&self) -> &Node {
        match self {
            Self::Cluster(it) => &it.source,
            Self::PodDefaults(it) => &it.source,
            Self::Queue(it) => &it.source,
            Self::Experiment(it) => &it.source,
        }
    }
}

/// What a unit should have. Pure: the same unit, view and time give the same want.
pub fn want(unit: &Unit, view: &View, now: Timestamp) -> Want {
    match &unit.document {
        Document::Experiment(document) => experiment::want(unit, document, view, now),
        Document::Cluster(_) | Document::PodDefaults(_) | Document::Queue(_) => Want::default(),
    }
}

/// What a unit should have whose document is not in the repository any more.
pub fn want_withdrawn(id: &UnitId, view: &View, now: Timestamp) -> Want {
    match id.kind {
        DocumentKind::Experiment => experiment::want_withdrawn(id, view, now),
        _ => Want::default(),
    }
}
