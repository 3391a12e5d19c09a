//! Names of one stage's own, so that many play in one cluster.

use std::sync::atomic::{AtomicU64, Ordering};

/// The names of a stage; no two stages of one process share one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    number: u64,
}

impl Names {
    /// New ones.
    pub fn fresh() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self {
            number: NEXT.fetch_add(1, Ordering::Relaxed),
        }
    }

    /// Berth's own namespace.
    pub fn own(&self) -> String {
        format!("berth-{}", self.number)
    }

    /// The namespace of the queue.
    pub fn queue(&self) -> String {
        format!("vision-{}", self.number)
    }

    /// A namespace that Berth knows nothing of.
    pub fn elsewhere(&self) -> String {
        format!("elsewhere-{}", self.number)
    }

    /// All namespaces of the stage.
    pub fn namespaces(&self) -> [String; 3] {
        [self.own(), self.queue(), self.elsewhere()]
    }

    /// The value of the label [`POOL`] of the stage's nodes; its pods are put on no others.
    pub fn pool(&self) -> String {
        format!("pool-{}", self.number)
    }

    /// The name of a node of the stage.
    pub fn node(&self, number: u32) -> String {
        format!("{}{number}", self.node_prefix())
    }

    /// What the names of its nodes begin with.
    pub fn node_prefix(&self) -> String {
        format!("node-{}-", self.number)
    }

    /// The API's path of a resource in the queue's namespace: of `pods`, `pods/name`.
    pub fn path(&self, resource: &str) -> String {
        format!("/api/v1/namespaces/{}/{resource}", self.queue())
    }
}

/// The label that tells the nodes of the stages apart.
pub const POOL: &str = "example.com/pool";
