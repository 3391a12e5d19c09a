//! What all documents have in common.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::ids::Name;
use crate::object::{Node, Place};

/// The `apiVersion` of every document.
pub const API_VERSION: &str = "berth.dev/v1alpha1";

/// A document: its metadata, its typed spec, and the tree that it was read from.
#[derive(Debug, Clone, PartialEq)]
pub struct Form<S> {
    /// Name, labels, annotations.
    pub metadata: Metadata,
    /// What it says.
    pub spec: S,
    /// The whole document with all places; pod layers are read from here.
    pub source: Node,
}

/// What names a document.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Metadata {
    /// Unique within its kind, and within its queue if the kind has one.
    pub name: Name,
    /// Labels; an experiment's pods carry them too.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// Annotations; an experiment's pods carry them too.
    #[serde(default)]
    pub annotations: BTreeMap<String, String>,
}

impl<S> Form<S> {
    /// Its name.
    pub fn name(&self) -> &Name {
        &self.metadata.name
    }

    /// The node at this path of keys, such as `["spec", "pod"]`.
    pub fn at(&self, path: &[&str]) -> Option<&Node> {
        self.source.at(path)
    }

    /// Where the value at this path stands; the nearest part that is there if it is left out.
    pub fn place(&self, path: &[&str]) -> Place {
        let mut node = &self.source;
        for name in path {
            match node.get(name) {
                Some(below) => node = below,
                None => break,
            }
        }
        node.place
    }
}
