//! Snapshots for tests: texts by path.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Desired, ListedFile, Loader, RefusedFile, Validation};
use crate::diagnostic::Diagnostic;
use crate::ids::{BlobId, CommitId, DigestWriter};
use crate::ledger::Forms;
use crate::reconciler::CommitFacts;

pub(crate) const CLUSTER: &str = "apiVersion: berth.dev/v1alpha1
kind: Cluster
metadata: {name: lab}
spec:
  namespace: berth
  maxSlotsPerPod: 8
  podDefaults: standard
  images: {cpu: train:cpu, gpu: train:gpu}
";
pub(crate) const DEFAULTS: &str = "apiVersion: berth.dev/v1alpha1
kind: PodDefaults
metadata: {name: standard}
spec:
  gpu: {spec: {containers: [{name: task, resources: {limits: {memory: 64Gi}}}]}}
";
pub(crate) const QUEUE: &str = "apiVersion: berth.dev/v1alpha1
kind: Queue
metadata: {name: vision}
spec: {cluster: lab, namespace: vision, quota: 64}
";

/// An experiment of the queue `vision`; `rest` are more lines of its spec, indented by two.
pub(crate) fn experiment(name: &str, rest: &str) -> String {
    format!(
        "apiVersion: berth.dev/v1alpha1\nkind: Experiment\nmetadata: {{name: {name}}}\nspec:\n  \
         queue: vision\n  entrypoint: [python, train.py]\n{rest}"
    )
}

/// A repository in memory, its loader, and what the ledger says.
#[derive(Default)]
pub(crate) struct Repository {
    pub files: BTreeMap<String, String>,
    pub loader: Loader,
    /// What is not read.
    pub refused: Vec<RefusedFile>,
    pub ledger: Arc<Forms>,
    /// Every text that ever was there.
    pub objects: BTreeMap<BlobId, Arc<[u8]>>,
    pub commits: u8,
    /// The trailers of the next commits.
    pub trailers: Vec<(String, String)>,
    /// The history was rewritten: commits descend from those since this one alone.
    pub rewritten: Option<u8>,
}

impl Repository {
    /// A cluster, its defaults and its queue.
    pub fn new() -> Self {
        let mut new = Self::default();
        new.put("cluster.yaml", CLUSTER);
        new.put("defaults.yaml", DEFAULTS);
        new.put("queue.yaml", QUEUE);
        new
    }

    pub fn put(&mut self, path: &str, text: &str) -> &mut Self {
        self.objects.insert(blob(text), text.as_bytes().into());
        self.files.insert(path.to_owned(), text.to_owned());
        self
    }

    pub fn listing(&self) -> Vec<ListedFile> {
        let file = |(path, text): (&String, &String)| ListedFile {
            path: path.as_str().into(),
            blob: blob(text),
            size: text.len() as u64,
        };
        self.files.iter().map(file).collect()
    }

    /// Commits and loads.
    pub fn load(&mut self) -> Result<Desired, Vec<Diagnostic>> {
        self.commits += 1;
        self.again()
    }

    /// Loads what was committed.
    pub fn again(&mut self) -> Result<Desired, Vec<Diagnostic>> {
        let listing = self.listing();
        let wanted = self.loader.missing(&listing, &self.ledger);
        let given = wanted
            .into_iter()
            .filter_map(|id| Some((id, Arc::clone(self.objects.get(&id)?))))
            .collect();
        let first = self.rewritten.unwrap_or(1);
        let commit = CommitFacts {
            trailers: self.trailers.clone(),
            new_ancestors: (first..=self.commits).map(|it| commit(it).id).collect(),
            ..commit(self.commits)
        };
        self.loader
            .load(&commit, None, &listing, &self.refused, &given, &self.ledger)
    }

    /// Writes what is in force into the ledger, and starts anew.
    pub fn restart(&mut self, desired: &Desired) {
        let before = Forms::clone(&self.ledger);
        let units = desired.units();
        let left = before.left.into_iter().chain(before.in_force);
        let left = left.filter(|(id, _)| !id.kind.has_queue() && desired.unit(id).is_none());
        self.ledger = Arc::new(Forms {
            commit: Some(desired.commit().id),
            in_force: units
                .map(|it| (it.id.clone(), it.applied.clone()))
                .collect(),
            left: left.collect(),
        });
        self.loader = Loader::new();
    }

    pub fn validate(&self) -> Validation {
        Loader::new().validate(&self.listing(), &[], &self.objects)
    }
}

pub(crate) fn commit(number: u8) -> CommitFacts {
    CommitFacts {
        id: CommitId::from_bytes([number; 20]),
        subject: format!("change {number}"),
        trailers: Vec::new(),
        after: None,
        // One line of commits.
        new_ancestors: (1..=number)
            .map(|it| CommitId::from_bytes([it; 20]))
            .collect(),
        older_left_out: false,
    }
}

pub(crate) fn blob(text: &str) -> BlobId {
    let mut digest = DigestWriter::new("test");
    digest.field(text.as_bytes());
    let digest = digest.finish();
    let mut bytes = [0; 20];
    bytes.copy_from_slice(&digest.as_bytes()[..20]);
    BlobId::from_bytes(bytes)
}
