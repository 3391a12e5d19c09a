//! A state repository in memory, and what people do to it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use berth_core::desired::{Desired, ListedFile, Loader};
use berth_core::ids::{BlobId, CommitId, DigestWriter, UnitId};
use berth_core::ledger::Applied;
use berth_core::reconciler::CommitFacts;

use super::branch::commit_id;
use super::random::Random;

/// What the programs of experiments do; their kind is decided by a hyperparameter, so that one run
/// always has one script.
pub const SCRIPTS: u32 = 5;

/// One experiment as its document says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Experiment {
    /// Decides the script and the size.
    pub parameter: u32,
    /// `run`
    pub run: u32,
    /// `state`
    pub state: &'static str,
    /// The document is broken.
    pub broken: bool,
}

impl Experiment {
    /// Which script: 0 ends well, 1 fails always, 2 fails once, 3 goes on for ever, 4 ends well
    /// and says 0 when it is stopped, too.
    pub const fn script(&self) -> u32 {
        self.parameter % SCRIPTS
    }

    /// Its slots.
    pub const fn slots(&self) -> u32 {
        [1, 16, 8, 2, 0][((self.parameter / SCRIPTS + self.parameter) % 5) as usize]
    }

    /// Its pods.
    pub const fn pods(&self) -> usize {
        if self.slots() > 8 { 2 } else { 1 }
    }

    fn text(&self, name: &str) -> String {
        let script = match self.script() {
            0 => "sandbox.berth.dev/run: 5s",
            1 => "sandbox.berth.dev/run: 3s, sandbox.berth.dev/exit: \"1\"",
            2 => "sandbox.berth.dev/run: 4s, sandbox.berth.dev/exit: \"attempt=1,rank=0:1;0\"",
            3 => "sandbox.berth.dev/on-term: \"exit=0,after=1s\"",
            _ => "sandbox.berth.dev/run: 20s, sandbox.berth.dev/on-term: \"exit=0,after=2s\"",
        };
        let broken = if self.broken { "  nonsense: 1\n" } else { "" };
        format!(
            "apiVersion: berth.dev/v1alpha1\nkind: Experiment\n\
             metadata: {{name: {name}, annotations: {{{script}}}}}\nspec:\n  queue: vision\n  \
             entrypoint: [python, train.py]\n  maxRestarts: 1\n  \
             resources: {{slotsPerTrial: {}}}\n  hyperparameters: {{p: {}}}\n  run: {}\n  \
             state: {}\n{broken}",
            self.slots(),
            self.parameter,
            self.run,
            self.state
        )
    }
}

#[derive(Debug, Clone)]
struct Commit {
    parent: Option<CommitId>,
    files: Arc<BTreeMap<String, String>>,
    trailers: Vec<(String, String)>,
    experiments: BTreeMap<String, Experiment>,
    layer: u32,
}

/// The repository: every commit that ever was, and the experiments at the tip.
#[derive(Debug)]
pub struct Repository {
    /// By name.
    pub experiments: BTreeMap<String, Experiment>,
    layer: u32,
    commits: BTreeMap<CommitId, Commit>,
    tip: CommitId,
    count: u64,
}

impl Repository {
    /// A cluster, its defaults, a queue and one experiment.
    pub fn new() -> Self {
        let mut new = Self {
            experiments: BTreeMap::new(),
            layer: 0,
            commits: BTreeMap::new(),
            tip: commit_id("state", 0),
            count: 0,
        };
        new.experiments.insert("e0".into(), experiment(0));
        new.commit(Vec::new());
        new
    }

    /// The tip.
    pub fn tip(&self) -> CommitId {
        self.tip
    }

    /// Somebody changes something.
    pub fn change(&mut self, random: &mut Random) -> String {
        let name = format!("e{}", random.below(5));
        let said = self.change_one(&name, random);
        self.commit(Vec::new());
        said
    }

    fn change_one(&mut self, name: &str, random: &mut Random) -> String {
        let parameter = u32::try_from(random.below(25)).unwrap_or(0);
        let Some(one) = self.experiments.get_mut(name) else {
            self.experiments.insert(name.into(), experiment(parameter));
            return format!("add {name} with {parameter}");
        };
        match random.below(9) {
            0 | 1 => {
                one.parameter = parameter;
                return format!("give {name} {parameter}");
            }
            2 => one.state = "paused",
            3 => one.state = "active",
            4 if random.chance(300) => one.state = "canceled",
            5 => {
                self.experiments.remove(name);
                return format!("remove {name}");
            }
            6 => one.run += 1,
            7 => one.broken = !one.broken,
            _ => {
                self.layer += 1;
                return format!("layer {}", self.layer);
            }
        }
        format!("{name}: {one:?}")
    }

    /// The last commit of a story: nothing is broken or paused, everything is allowed.
    pub fn settle(&mut self) {
        for one in self.experiments.values_mut() {
            one.broken = false;
        }
        let allow = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        self.commit(vec![
            allow("Berth-Allow-Prune", "all"),
            allow("Berth-Allow-Rewrite", "yes"),
        ]);
    }

    /// The tip goes back to the commit before.
    pub fn roll_back(&mut self) {
        let parent = self.commits.get(&self.tip).and_then(|commit| commit.parent);
        let before = parent.and_then(|parent| Some((parent, self.commits.get(&parent)?)));
        if let Some((parent, commit)) = before {
            self.experiments.clone_from(&commit.experiments);
            self.layer = commit.layer;
            self.tip = parent;
        }
    }

    fn commit(&mut self, trailers: Vec<(String, String)>) {
        let mut files: BTreeMap<String, String> = self
            .experiments
            .iter()
            .map(|(name, one)| (format!("experiments/{name}.yaml"), one.text(name)))
            .collect();
        files.insert("cluster.yaml".into(), CLUSTER.into());
        files.insert("queue.yaml".into(), QUEUE.into());
        files.insert("defaults.yaml".into(), defaults(self.layer));
        let parent = self.commits.contains_key(&self.tip).then_some(self.tip);
        self.count += 1;
        self.tip = commit_id("state", self.count);
        let commit = Commit {
            parent,
            files: Arc::new(files),
            trailers,
            experiments: self.experiments.clone(),
            layer: self.layer,
        };
        self.commits.insert(self.tip, commit);
    }

    fn ancestors(&self, of: CommitId) -> Vec<CommitId> {
        std::iter::successors(Some(of), |id| self.commits.get(id)?.parent).collect()
    }

    /// The tip, loaded as a daemon does that was told `told` before.
    pub fn load(
        &self,
        loader: &mut Loader,
        told: Option<CommitId>,
        forms: &BTreeMap<UnitId, Applied>,
    ) -> Result<Desired, String> {
        let commit = self.commits.get(&self.tip).ok_or("no commit")?;
        let ancestors = self.ancestors(self.tip);
        let after = told.filter(|told| ancestors.contains(told));
        let known: BTreeSet<CommitId> = after
            .map(|id| self.ancestors(id))
            .into_iter()
            .flatten()
            .collect();
        let facts = CommitFacts {
            id: self.tip,
            author: "Ada <ada@example.com>".into(),
            subject: "a change".into(),
            trailers: commit.trailers.clone(),
            after,
            new_ancestors: ancestors
                .into_iter()
                .filter(|id| !known.contains(id))
                .collect(),
        };
        let listing: Vec<ListedFile> = commit
            .files
            .iter()
            .map(|(path, text)| ListedFile {
                path: path.as_str().into(),
                blob: blob(text),
                size: text.len() as u64,
            })
            .collect();
        let all: BTreeMap<BlobId, &String> = self
            .commits
            .values()
            .flat_map(|commit| commit.files.values())
            .map(|text| (blob(text), text))
            .collect();
        let blobs: BTreeMap<BlobId, Arc<[u8]>> = loader
            .missing(&listing, forms)
            .into_iter()
            .filter_map(|id| Some((id, all.get(&id)?.as_bytes().into())))
            .collect();
        loader
            .load(&facts, None, &listing, &[], &blobs, forms)
            .map_err(|findings| format!("{findings:?}"))
    }
}

impl Default for Repository {
    fn default() -> Self {
        Self::new()
    }
}

fn experiment(parameter: u32) -> Experiment {
    Experiment {
        parameter,
        run: 1,
        state: "active",
        broken: false,
    }
}

fn blob(text: &str) -> BlobId {
    let mut writer = DigestWriter::new("blob");
    writer.field(text.as_bytes());
    let mut bytes = [0; 20];
    bytes.copy_from_slice(&writer.finish().as_bytes()[..20]);
    BlobId::from_bytes(bytes)
}

fn defaults(layer: u32) -> String {
    format!(
        "apiVersion: berth.dev/v1alpha1\nkind: PodDefaults\nmetadata: {{name: standard}}\nspec:\n  \
         gpu: {{metadata: {{labels: {{layer: l{layer}}}}}}}\n  \
         cpu: {{metadata: {{labels: {{layer: l{layer}}}}}}}\n"
    )
}

const CLUSTER: &str = "apiVersion: berth.dev/v1alpha1
kind: Cluster
metadata: {name: lab}
spec:
  namespace: berth
  maxSlotsPerPod: 8
  podDefaults: standard
  images: {cpu: train:cpu, gpu: train:gpu}
  keepFinishedPods: 1m
  prune: {maxDeletions: 2}
";
const QUEUE: &str = "apiVersion: berth.dev/v1alpha1
kind: Queue
metadata: {name: vision}
spec: {cluster: lab, namespace: vision, quota: 96}
";
