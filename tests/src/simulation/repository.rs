//! A state repository in memory, and what people do to it.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;

use berth_core::desired::{Desired, ListedFile, Loader};
use berth_core::ids::{BlobId, CommitId, DigestWriter};
use berth_core::ledger::Forms;
use berth_core::reconciler::CommitFacts;

use super::branch::commit_id;
use super::experiment::Experiment;
use super::random::Random;
use super::rules::Rules;

/// Which file holds which experiment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Layout {
    /// Each has its own.
    Apart,
    /// All are documents of one.
    Together,
    /// Two files, by whether the name's number is even.
    Pairs,
}

/// What the documents say.
#[derive(Debug, Clone)]
struct State {
    experiments: BTreeMap<String, Experiment>,
    rules: Rules,
    layout: Layout,
    /// This file cannot be parsed.
    torn: Option<String>,
}

#[derive(Debug)]
struct Commit {
    parent: Option<CommitId>,
    listing: Vec<ListedFile>,
    trailers: Vec<(String, String)>,
    state: Rc<State>,
}

/// The repository: every commit that ever was, and what the tip says.
#[derive(Debug)]
pub struct Repository {
    state: State,
    commits: BTreeMap<CommitId, Commit>,
    blobs: BTreeMap<BlobId, Arc<[u8]>>,
    tip: CommitId,
    count: u64,
}

impl Repository {
    /// A cluster, its defaults, a queue and one experiment.
    pub fn new() -> Self {
        let mut new = Self {
            state: State {
                experiments: BTreeMap::from([("e0".into(), Experiment::new(0))]),
                rules: Rules::default(),
                layout: Layout::Apart,
                torn: None,
            },
            commits: BTreeMap::new(),
            blobs: BTreeMap::new(),
            tip: commit_id("state", 0),
            count: 0,
        };
        new.commit(Vec::new());
        new
    }

    /// The tip.
    pub fn tip(&self) -> CommitId {
        self.tip
    }

    /// What the documents beside the experiments say at the tip.
    pub fn rules(&self) -> &Rules {
        &self.state.rules
    }

    /// The same at a commit.
    pub fn rules_at(&self, commit: CommitId) -> Option<Rules> {
        Some(self.commits.get(&commit)?.state.rules.clone())
    }

    /// The experiments at the tip, by name; those that cannot be judged count as broken.
    pub fn experiments(&self) -> BTreeMap<String, Experiment> {
        self.state.experiments()
    }

    /// The same at a commit and at those before it, the newest first.
    pub fn history(&self, of: CommitId) -> Vec<(CommitId, BTreeMap<String, Experiment>)> {
        let ancestors = self.ancestors(of).into_iter();
        let at = |id| Some((id, self.commits.get(&id)?.state.experiments()));
        ancestors.filter_map(at).collect()
    }

    /// The runs that are asked for at the tip, by experiment and identity.
    pub fn asked(&self) -> BTreeSet<(String, (u32, u32))> {
        let all = self.state.experiments.iter();
        all.map(|(name, one)| (name.clone(), one.identity()))
            .collect()
    }

    /// Somebody changes something.
    pub fn change(&mut self, random: &mut Random) -> String {
        let name = format!("e{}", random.below(5));
        let said = match random.below(13) {
            0 => self.move_documents(random),
            1 => self.tear(&name),
            2 | 3 => {
                self.state.rules.change(random);
                self.state.rules.to_string()
            }
            _ => self.change_one(&name, random),
        };
        self.commit(Vec::new());
        said
    }

    /// Somebody asks for another run of an experiment, one that stays, of one pod or two.
    pub fn run_anew(&mut self, name: &str, pods: usize) {
        let parameter = if pods == 1 { 3 } else { 10 };
        let experiments = &mut self.state.experiments;
        let one = experiments.entry(name.to_owned());
        let one = one.or_insert_with(|| Experiment::new(parameter));
        (one.parameter, one.run) = (parameter, one.run + 1);
        (one.state, one.broken) = ("active", false);
        self.commit(Vec::new());
    }

    /// Somebody breaks the document of an experiment.
    pub fn break_one(&mut self, name: &str) {
        if let Some(one) = self.state.experiments.get_mut(name) {
            one.broken = true;
        }
        self.commit(Vec::new());
    }

    fn change_one(&mut self, name: &str, random: &mut Random) -> String {
        let parameter = u32::try_from(random.below(35)).unwrap_or(0);
        let Some(one) = self.state.experiments.get_mut(name) else {
            let new = Experiment::new(parameter);
            let said = format!("add {name}: {new}");
            self.state.experiments.insert(name.into(), new);
            return said;
        };
        match random.below(8) {
            0 | 1 => one.parameter = parameter,
            2 => one.state = "paused",
            3 => one.state = "active",
            4 if random.chance(300) => one.state = "canceled",
            5 => {
                self.state.experiments.remove(name);
                return format!("remove {name}");
            }
            6 => one.run += 1,
            7 => one.broken = !one.broken,
            _ => {}
        }
        format!("{name}: {one}")
    }

    /// The same documents in other files.
    fn move_documents(&mut self, random: &mut Random) -> String {
        let layouts = [Layout::Apart, Layout::Together, Layout::Pairs];
        self.state.layout = layouts[random.below(3)];
        self.state.torn = None;
        format!("the documents stand {:?}", self.state.layout)
    }

    fn tear(&mut self, name: &str) -> String {
        self.state.torn = match self.state.torn {
            Some(_) => None,
            None => Some(self.state.layout.path(name)),
        };
        format!("torn: {:?}", self.state.torn)
    }

    /// The last commit of a story: nothing is broken, everything is allowed.
    pub fn settle(&mut self) {
        self.state.torn = None;
        self.state.rules.settle();
        for one in self.state.experiments.values_mut() {
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
            self.state = State::clone(&commit.state);
            self.tip = parent;
        }
    }

    fn commit(&mut self, trailers: Vec<(String, String)>) {
        let mut listing = Vec::new();
        for (path, text) in self.state.files() {
            let bytes: Arc<[u8]> = text.as_bytes().into();
            let blob = blob(&bytes);
            listing.push(ListedFile {
                path: path.into(),
                blob,
                size: bytes.len() as u64,
            });
            self.blobs.insert(blob, bytes);
        }
        let parent = self.commits.contains_key(&self.tip).then_some(self.tip);
        self.count += 1;
        self.tip = commit_id("state", self.count);
        let commit = Commit {
            parent,
            listing,
            trailers,
            state: Rc::new(self.state.clone()),
        };
        self.commits.insert(self.tip, commit);
    }

    fn ancestors(&self, of: CommitId) -> Vec<CommitId> {
        std::iter::successors(Some(of), |id| self.commits.get(id)?.parent).collect()
    }

    /// A commit, loaded as a daemon does that was told `told` before.
    pub fn load(
        &self,
        id: CommitId,
        loader: &mut Loader,
        told: Option<CommitId>,
        forms: &Arc<Forms>,
    ) -> Result<Desired, String> {
        let commit = self.commits.get(&id).ok_or("no commit")?;
        let ancestors = self.ancestors(id);
        let after = told.filter(|told| ancestors.contains(told));
        let known: BTreeSet<CommitId> = after
            .map(|id| self.ancestors(id))
            .into_iter()
            .flatten()
            .collect();
        let facts = CommitFacts {
            id,
            subject: "a change".into(),
            trailers: commit.trailers.clone(),
            after,
            new_ancestors: ancestors
                .into_iter()
                .filter(|id| !known.contains(id))
                .collect(),
            older_left_out: false,
        };
        let blobs: BTreeMap<BlobId, Arc<[u8]>> = loader
            .missing(&commit.listing, forms)
            .into_iter()
            .filter_map(|id| Some((id, Arc::clone(self.blobs.get(&id)?))))
            .collect();
        loader
            .load(&facts, None, &commit.listing, &[], &blobs, forms)
            .map_err(|findings| format!("{findings:?}"))
    }
}

impl Default for Repository {
    fn default() -> Self {
        Self::new()
    }
}

impl Layout {
    fn path(self, name: &str) -> String {
        match self {
            Self::Apart => format!("experiments/{name}.yaml"),
            Self::Together => "experiments.yaml".into(),
            Self::Pairs => {
                let even = name.ends_with(['0', '2', '4']);
                let file = if even { "even" } else { "odd" };
                format!("experiments/{file}.yaml")
            }
        }
    }
}

impl State {
    fn experiments(&self) -> BTreeMap<String, Experiment> {
        let mut all = self.experiments.clone();
        for (name, one) in &mut all {
            one.broken |= self.torn.as_ref() == Some(&self.layout.path(name));
            one.broken |= !self.rules.are_sound();
        }
        all
    }

    fn files(&self) -> BTreeMap<String, String> {
        let mut files: BTreeMap<String, String> = BTreeMap::new();
        for (name, one) in &self.experiments {
            let file = files.entry(self.layout.path(name)).or_default();
            if !file.is_empty() {
                file.push_str("---\n");
            }
            file.push_str(&one.document(name));
        }
        if let Some(file) = self.torn.as_ref().and_then(|path| files.get_mut(path)) {
            file.push_str("spec: [torn\n");
        }
        files.extend(self.rules.files());
        files
    }
}

fn blob(bytes: &[u8]) -> BlobId {
    let mut writer = DigestWriter::new("blob");
    writer.field(bytes);
    let mut id = [0; 20];
    id.copy_from_slice(&writer.finish().as_bytes()[..20]);
    BlobId::from_bytes(id)
}
