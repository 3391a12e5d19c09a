//! `Cluster`: identity and rules of one cluster.

pub(super) mod check;
mod document;

pub use document::{
    CheckpointStorage, Cluster, ClusterSpec, ClusterState, Images, OnUneven, Prune,
    RegistryRewrite, SlotResourceRequests, SlotType, StatusRules,
};
