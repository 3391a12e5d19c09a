//! The state repository: read in place if it is local, through a bare mirror if it is not.

use std::path::Path;

use berth_core::diagnostic::closest;
use berth_core::ids::{BlobId, CommitId};

use crate::error::GitError;
use crate::history::{self, Ancestors, CommitInfo};
use crate::id;
use crate::location::Location;
use crate::source::Source;
use crate::store;
use crate::tree::{self, Changes, Listing, Take};
use crate::wire::Wire;

/// The mirror's own reference for what was fetched last.
const TIP: &str = "refs/berth/tip";
/// References that an error names at most.
const MAX_KNOWN: usize = 20;

/// A repository that can be read. A clone is an own handle, for another thread.
#[derive(Clone)]
pub struct Repository {
    repo: gix::Repository,
    source: Source,
    wire: Option<Wire>,
    tip: Option<CommitId>,
}

/// What a fetch found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fetched {
    /// The commit that the reference leads to.
    pub tip: CommitId,
    /// Whether it is another one than this handle found last.
    pub moved: bool,
}

impl Repository {
    /// Opens a local repository in place, or the mirror of a remote in `mirror_dir`, which is made
    /// if need be and belongs to this source alone. Nothing is fetched.
    pub fn open(source: Source, mirror_dir: &Path) -> Result<Self, GitError> {
        let (repo, wire) = match &source.location {
            Location::Local(path) => (store::open(path)?, None),
            Location::Remote(remote) => (
                store::open_mirror(mirror_dir)?,
                Some(Wire::new(remote.clone(), &source)),
            ),
        };
        Ok(Self {
            repo,
            source,
            wire,
            tip: None,
        })
    }

    /// Where it is and how it is read.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// Finds the commit of the reference; a remote is asked for what is new.
    ///
    /// On an error the last snapshot stays as it was, see [`Repository::known_tip`].
    pub fn fetch(&mut self) -> Result<Fetched, GitError> {
        let tip = match self.wire.clone() {
            Some(wire) => self.fetch_remote(&wire)?,
            None => self.resolve()?,
        };
        let moved = self.tip.replace(tip) != Some(tip);
        Ok(Fetched { tip, moved })
    }

    /// The commit that was found last, without asking a remote: also after a restart.
    pub fn known_tip(&self) -> Result<Option<CommitId>, GitError> {
        if self.wire.is_none() {
            return Ok(self.tip);
        }
        store::resolve(&self.repo, TIP)?
            .map(|id| id::commit(&id))
            .transpose()
    }

    /// All documents of a commit, in the bounds of [`crate::Limits`]; contents are not read.
    pub fn listing(&self, commit: CommitId) -> Result<Listing, GitError> {
        let tree = store::tree_of(&self.repo, id::of_commit(commit))?;
        tree::list(&self.repo, &self.source.limits, Take::Documents, tree)
    }

    /// What changed between two commits, related or not. The cost follows the change.
    pub fn changed(&self, from: CommitId, to: CommitId) -> Result<Changes, GitError> {
        let old = store::tree_of(&self.repo, id::of_commit(from))?;
        let new = store::tree_of(&self.repo, id::of_commit(to))?;
        tree::diff(
            &self.repo,
            &self.source.limits,
            Take::Documents,
            Some(old),
            Some(new),
        )
    }

    /// A document's content, at most [`crate::Limits::max_file`] bytes.
    pub fn blob(&self, blob: BlobId) -> Result<Vec<u8>, GitError> {
        store::blob(&self.repo, id::of_blob(blob), self.source.limits.max_file)
    }

    /// What a commit says of itself.
    pub fn info(&self, commit: CommitId) -> Result<CommitInfo, GitError> {
        history::info(&self.repo, commit)
    }

    /// The tip and its ancestors, newest first, at most `max`; commits for which `until` holds are
    /// left out, and so is what can only be reached through them.
    pub fn ancestors<'a>(
        &'a self,
        tip: CommitId,
        until: &'a dyn Fn(CommitId) -> bool,
        max: usize,
    ) -> Result<Ancestors, GitError> {
        history::ancestors(&self.repo, tip, until, max)
    }

    /// Whether `old` is `new` or one of its ancestors; false for unrelated histories.
    pub fn is_ancestor(&self, old: CommitId, new: CommitId) -> Result<bool, GitError> {
        history::is_ancestor(&self.repo, old, new)
    }

    /// The commit that last changed, added or removed the path, as seen from `tip`. None if the
    /// path never was there, or nothing touched it in the last 10,000 commits.
    pub fn last_change(&self, tip: CommitId, path: &str) -> Result<Option<CommitId>, GitError> {
        history::last_change(&self.repo, tip, path)
    }

    fn fetch_remote(&self, wire: &Wire) -> Result<CommitId, GitError> {
        for name in self.source.reference.candidates() {
            if wire.fetch(self.repo.git_dir(), &name, TIP)? {
                return self.peeled(TIP)?.ok_or_else(|| self.missing(Vec::new()));
            }
        }
        // No remote can be asked what a commit's id begins with; what was fetched before can.
        let commit = self.abbreviated()?;
        if let Some(commit) = commit
            && wire.fetch(self.repo.git_dir(), &commit.to_string(), TIP)?
        {
            return Ok(commit);
        }
        let known = wire.references(self.repo.git_dir())?;
        Err(match commit {
            // The remote has it no more, or does not give it.
            Some(_) => self.missing(known),
            None => self.missing_of(known),
        })
    }

    fn resolve(&self) -> Result<CommitId, GitError> {
        for name in self.source.reference.candidates() {
            if let Some(found) = self.peeled(&name)? {
                return Ok(found);
            }
        }
        if let Some(commit) = self.abbreviated()? {
            return Ok(commit);
        }
        Err(self.missing_of(self.local_references()?))
    }

    fn peeled(&self, name: &str) -> Result<Option<CommitId>, GitError> {
        if name != TIP && self.source.reference.is_commit() {
            let id: CommitId = name.parse().map_err(|_| GitError::Hash)?;
            let known = self.repo.has_object(id::of_commit(id));
            return known
                .then(|| store::commit(&self.repo, id::of_commit(id)).map(|_| id))
                .transpose();
        }
        match store::resolve(&self.repo, name) {
            Ok(found) => found.map(|id| id::commit(&id)).transpose(),
            Err(GitError::NotACommit { .. }) => Err(GitError::NotACommit {
                reference: self.source.reference.to_string(),
            }),
            Err(error) => Err(error),
        }
    }

    /// The only commit of this store whose id begins as the reference says, if there is one and the
    /// reference may be an abbreviation.
    fn abbreviated(&self) -> Result<Option<CommitId>, GitError> {
        let Some(prefix) = self.source.reference.abbreviation() else {
            return Ok(None);
        };
        let reference = self.source.reference.to_string();
        let commits = store::commits_with(&self.repo, prefix)?;
        match &*commits {
            [] => Ok(None),
            [one] => id::commit(one).map(Some),
            several => Err(GitError::Ambiguous {
                reference,
                commits: several
                    .iter()
                    .take(MAX_KNOWN)
                    .map(ToString::to_string)
                    .collect(),
            }),
        }
    }

    fn local_references(&self) -> Result<Vec<String>, GitError> {
        let doing = "list the references";
        let all = self.repo.references().map_err(GitError::store(doing))?;
        let all = all.all().map_err(GitError::store(doing))?;
        Ok(all
            .flatten()
            .map(|found| found.name().as_bstr().to_string())
            .take(1000)
            .collect())
    }

    /// Why there is neither a name nor a commit that is meant, where these references are.
    fn missing_of(&self, known: Vec<String>) -> GitError {
        if known.is_empty() {
            return GitError::Empty;
        }
        if self.source.reference.abbreviation().is_none() {
            return self.missing(known);
        }
        GitError::MissingCommit {
            reference: self.source.reference.to_string(),
            mirrored: self.wire.is_some(),
            known: self.names(known),
        }
    }

    fn missing(&self, known: Vec<String>) -> GitError {
        GitError::MissingReference {
            reference: self.source.reference.to_string(),
            known: self.names(known),
        }
    }

    /// The branches and tags among these references that may be meant, the closest one first.
    fn names(&self, references: Vec<String>) -> Vec<String> {
        let short = |name: String| {
            let branch = name
                .strip_prefix("refs/heads/")
                .or(name.strip_prefix("refs/tags/"));
            branch
                .filter(|branch| !branch.starts_with("berth/"))
                .map(str::to_owned)
        };
        let mut names: Vec<String> = references.into_iter().filter_map(short).collect();
        let meant = self.source.reference.to_string();
        if let Some(close) = closest(&meant, names.iter().map(String::as_str)).map(str::to_owned) {
            names.sort_by_key(|name| *name != close);
        }
        names.truncate(MAX_KNOWN);
        names
    }
}
