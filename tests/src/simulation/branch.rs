//! A status branch in memory, and what somebody may do to it.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use berth_core::ids::{CommitId, DigestWriter, UnitId};
use berth_core::ledger::{Ledger, LedgerError, RunState, UnitFile, UnitLedger, unit_path};

/// The files of a commit by path.
pub type Files = BTreeMap<String, Rc<str>>;

#[derive(Debug, Clone)]
struct Commit {
    parent: Option<CommitId>,
    files: Rc<Files>,
}

/// What was read of a tip.
type Read = (Option<CommitId>, Result<Ledger, LedgerError>);
/// What was read of a text.
type Parsed = (Rc<str>, Option<Rc<UnitFile>>);

/// A branch that is pushed to by compare-and-swap.
#[derive(Debug, Default)]
pub struct Branch {
    tip: Option<CommitId>,
    commits: BTreeMap<CommitId, Commit>,
    files: Rc<Files>,
    count: u64,
    /// The tip that was, while it is deleted, rewritten or rolled back.
    lost: Option<CommitId>,
    /// Runs that ever were over, by experiment and short digest.
    over: BTreeSet<(UnitId, String)>,
    /// What was read of the tip: it is asked for more often than it changes.
    read: RefCell<Option<Read>>,
    parsed: RefCell<BTreeMap<String, Parsed>>,
}

/// What somebody does to the branch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Damage {
    /// It is gone.
    Deleted,
    /// It says the same, and no commit of it is one of ours.
    Rewritten,
    /// It is as it was some commits ago.
    RolledBack,
}

impl Branch {
    /// How many commits were pushed.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Whether the branch contains this commit.
    pub fn contains(&self, commit: CommitId) -> bool {
        self.history().any(|id| id == commit)
    }

    /// Whether it is not what Berth left.
    pub fn is_damaged(&self) -> bool {
        self.lost.is_some()
    }

    /// Whether a file of it names this uid.
    pub fn tells(&self, uid: &str) -> bool {
        self.files.values().any(|text| text.contains(uid))
    }

    /// Whether the ledger ever said that this run was over.
    pub fn was_over(&self, unit: &UnitId, run: &str) -> bool {
        self.over.contains(&(unit.clone(), run.to_owned()))
    }

    fn history(&self) -> impl Iterator<Item = CommitId> {
        std::iter::successors(self.tip, |id| self.commits.get(id)?.parent)
    }

    /// One commit on top of `base`; `None` if the tip is another one.
    pub fn push(
        &mut self,
        base: Option<CommitId>,
        changes: &BTreeMap<String, Option<String>>,
    ) -> Option<CommitId> {
        if base != self.tip {
            return None;
        }
        let mut files = Files::clone(&self.files);
        for (path, text) in changes {
            match text {
                Some(text) => {
                    let text: Rc<str> = text.as_str().into();
                    self.note_over(path, &text);
                    files.insert(path.clone(), text)
                }
                None => files.remove(path),
            };
        }
        Some(self.commit(self.tip, files.into()))
    }

    fn note_over(&mut self, path: &str, text: &Rc<str>) {
        let Some(file) = self.parse(path, text) else {
            return;
        };
        let over = file.ledger.runs.iter();
        let over = over.filter(|run| run.state != RunState::Open);
        self.over
            .extend(over.map(|run| (file.unit.clone(), run.identity.short())));
    }

    /// A unit's file; each text is parsed once.
    fn parse(&self, path: &str, text: &Rc<str>) -> Option<Rc<UnitFile>> {
        let mut parsed = self.parsed.borrow_mut();
        if let Some((known, file)) = parsed.get(path)
            && Rc::ptr_eq(known, text)
        {
            return file.clone();
        }
        let file = UnitFile::read(path, text.as_bytes()).ok().map(Rc::new);
        parsed.insert(path.to_owned(), (Rc::clone(text), file.clone()));
        file
    }

    fn commit(&mut self, parent: Option<CommitId>, files: Rc<Files>) -> CommitId {
        self.count += 1;
        let id = commit_id("status", self.count);
        let commit = Commit {
            parent,
            files: Rc::clone(&files),
        };
        self.commits.insert(id, commit);
        self.tip = Some(id);
        self.files = files;
        id
    }

    /// Does this to the branch so that it does not contain `anchored` any more; false if it cannot.
    pub fn damage(&mut self, how: Damage, anchored: CommitId) -> bool {
        if self.is_damaged() || !self.contains(anchored) {
            return false;
        }
        let lost = self.tip;
        match how {
            Damage::Deleted => self.go_to(None),
            Damage::Rewritten => {
                let files = Rc::clone(&self.files);
                self.commit(None, files);
            }
            Damage::RolledBack => {
                let before = self.commits.get(&anchored).and_then(|commit| commit.parent);
                if before.is_none() {
                    return false;
                }
                self.go_to(before);
            }
        }
        self.lost = lost;
        true
    }

    /// Somebody pushes again what was there.
    pub fn put_back(&mut self) {
        if let Some(lost) = self.lost.take() {
            self.go_to(Some(lost));
        }
    }

    /// The commits before this one, the newest first.
    pub fn before(&self, commit: CommitId) -> Vec<CommitId> {
        let history = self.history().skip_while(|id| *id != commit);
        history.skip(1).collect()
    }

    /// What came after `kept`, or all there was, is lost for good.
    pub fn lose(&mut self, kept: Option<CommitId>) {
        self.lost = None;
        self.go_to(kept);
    }

    /// Of the runs that it does not tell of, only these can be held: their end must be known still.
    pub fn forget_all_but(&mut self, asked: &BTreeSet<(UnitId, String)>) {
        let told = self.over_now();
        self.over
            .retain(|run| asked.contains(run) || told.contains(run));
    }

    fn go_to(&mut self, tip: Option<CommitId>) {
        let files = tip.and_then(|tip| self.commits.get(&tip));
        self.files = files.map_or_else(Rc::default, |commit| Rc::clone(&commit.files));
        self.tip = tip;
    }

    /// Back to this commit, as if what came after it had never been pushed. Gives how many commits
    /// were lost.
    pub fn roll_back(&mut self, to: Option<CommitId>) -> usize {
        let lost = self.history().take_while(|id| Some(*id) != to).count();
        let told = self.over_now();
        self.go_to(to);
        let kept = self.over_now();
        self.over
            .retain(|run| kept.contains(run) || !told.contains(run));
        lost
    }

    /// Runs that the files at the tip say to be over.
    fn over_now(&self) -> BTreeSet<(UnitId, String)> {
        let mut all = BTreeSet::new();
        for (path, text) in self.files.iter() {
            if let Some(file) = self.parse(path, text) {
                let over = file.ledger.runs.iter();
                let over = over.filter(|run| run.state != RunState::Open);
                all.extend(over.map(|run| (file.unit.clone(), run.identity.short())));
            }
        }
        all
    }

    /// What Berth reads of it.
    pub fn read(&self) -> Result<Ledger, LedgerError> {
        let mut read = self.read.borrow_mut();
        if let Some((tip, ledger)) = &*read
            && *tip == self.tip
        {
            return ledger.clone();
        }
        let files: Vec<(String, Vec<u8>)> = self
            .files
            .iter()
            .map(|(path, text)| (path.clone(), text.as_bytes().to_vec()))
            .collect();
        let ledger = Ledger::read(self.tip, &files);
        *read = Some((self.tip, ledger.clone()));
        ledger
    }

    /// What it says of one unit.
    pub fn ledger(&self, unit: &UnitId) -> Option<UnitLedger> {
        let path = unit_path(unit);
        // What somebody took away can be put back: it is not lost.
        let lost = self.lost.and_then(|lost| self.commits.get(&lost));
        let files = lost.map_or(&self.files, |commit| &commit.files);
        let file = self.parse(&path, files.get(&path)?)?;
        Some(file.ledger.clone())
    }
}

/// The nth id of a sort.
pub fn commit_id(sort: &str, number: u64) -> CommitId {
    let mut writer = DigestWriter::new(sort);
    writer.field(&number.to_le_bytes());
    let mut bytes = [0; 20];
    bytes.copy_from_slice(&writer.finish().as_bytes()[..20]);
    CommitId::from_bytes(bytes)
}
