//! A status branch in memory.

use std::collections::BTreeMap;

use berth_core::ids::{CommitId, DigestWriter};
use berth_core::ledger::{Ledger, LedgerError};

/// The files of a commit by path.
pub type Files = BTreeMap<String, String>;

/// A branch that is pushed to by compare-and-swap.
#[derive(Debug, Default)]
pub struct Branch {
    tip: Option<CommitId>,
    commits: BTreeMap<CommitId, (u64, Files)>,
    files: Files,
    count: u64,
}

impl Branch {
    /// The tip's files.
    pub fn files(&self) -> &Files {
        &self.files
    }

    /// How many commits were pushed.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Whether the branch contains this commit.
    pub fn contains(&self, commit: CommitId) -> bool {
        self.commits.contains_key(&commit)
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
        for (path, text) in changes {
            match text {
                Some(text) => self.files.insert(path.clone(), text.clone()),
                None => self.files.remove(path),
            };
        }
        self.count += 1;
        let id = commit_id("status", self.count);
        self.commits.insert(id, (self.count, self.files.clone()));
        self.tip = Some(id);
        Some(id)
    }

    /// Back to this commit, as if what came after it had never been pushed. Gives how many commits
    /// were lost.
    pub fn roll_back(&mut self, to: Option<CommitId>) -> usize {
        let before = self.commits.len();
        let at = to.and_then(|to| self.commits.get(&to)).cloned();
        let (number, files) = at.unwrap_or_default();
        self.commits.retain(|_, (known, _)| *known <= number);
        (self.tip, self.files) = (to, files);
        before - self.commits.len()
    }

    /// What Berth reads of it.
    pub fn read(&self) -> Result<Ledger, LedgerError> {
        let files: Vec<(String, Vec<u8>)> = self
            .files
            .iter()
            .map(|(path, text)| (path.clone(), text.clone().into_bytes()))
            .collect();
        Ledger::read(self.tip, &files)
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
