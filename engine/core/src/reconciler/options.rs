//! What a reconciler is given.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::{Anchor, EffectId, Outcome, Role, Unusable, WatchEvent, WatchKey};
use crate::desired::Desired;
use crate::ids::{CommitId, Name, ResourceVersion};
use crate::ledger::{Ledger, LedgerError};

/// How a reconciler behaves.
#[derive(Debug, Clone)]
pub struct Options {
    /// The cluster document's name.
    pub cluster: Name,
    /// At most one status commit in this time; zero for a local repository. `None`: as the cluster
    /// document says.
    pub status_interval: Option<Duration>,
    /// Spreads retries; two daemons should have two seeds.
    pub seed: u64,
    /// Accept that ledger and cluster do not know each other. Open runs whose history cannot be
    /// proven become `Unknown` and are held until `run` is raised.
    pub reanchor: bool,
    /// How many calls to the cluster may be under way at once.
    pub in_flight: usize,
    /// Nothing is carried out: give also what would wait for other objects, and take the instance
    /// id as it comes.
    pub plan: bool,
}

impl Options {
    /// The usual ones for this cluster.
    pub fn new(cluster: Name) -> Self {
        Self {
            cluster,
            status_interval: None,
            seed: 0,
            reanchor: false,
            in_flight: 32,
            plan: false,
        }
    }

    /// Those of a reconciler that is asked for a plan and whose effects are not carried out.
    pub fn for_plan(cluster: Name) -> Self {
        Self {
            in_flight: usize::MAX,
            plan: true,
            ..Self::new(cluster)
        }
    }
}

/// What is fed to a reconciler.
#[derive(Debug, Clone)]
pub enum Input {
    /// A commit of the state repository, validated.
    Snapshot(Arc<Desired>),
    /// A newer commit of it that makes none, for people to know.
    Unusable(Unusable),
    /// Where the tip of the status branch is, as it was looked at beside the work; of a remote it is
    /// not known.
    Tip(Option<CommitId>),
    /// The status branch as it is: at the start, and for every `Reload`.
    Ledger(Result<Ledger, LedgerError>),
    /// Who the cluster is: at the start, and for every `Reload`.
    Identity {
        /// The uid of the namespace kube-system.
        cluster_uid: String,
        /// The anchor, if there is one.
        anchor: Option<Anchor>,
        /// The status branch contains the anchor's commit, as [`Anchor::is_in`] tells.
        anchor_in_branch: bool,
        /// Where there is no anchor: the names of others in its namespace, for this very cluster.
        others: Vec<Name>,
        /// A random instance id, used only if this is the first start ever.
        fresh_instance: String,
    },
    /// What was written into the cluster while Git was away (the `ConfigMap` named by `spill_name`):
    /// at the start, and for every `Reload`. `version` is `None` if there is no such ConfigMap.
    Spill {
        /// Its data.
        data: BTreeMap<String, String>,
        /// Its version.
        version: Option<ResourceVersion>,
    },
    /// A message of a watch.
    Watch(WatchKey, WatchEvent),
    /// What became of an effect.
    Done(EffectId, Outcome),
    /// Who writes.
    Role(Role),
}

/// What was done since the start, for metrics. They only grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counters {
    /// Objects created.
    pub created: u64,
    /// Objects applied.
    pub applied: u64,
    /// Objects deleted.
    pub deleted: u64,
    /// Pods released.
    pub released: u64,
    /// Status commits.
    pub recorded: u64,
    /// Effects given again after a failure.
    pub retried: u64,
    /// Units evaluated.
    pub evaluated: u64,
    /// Objects found drifted.
    pub drifted: u64,
}
