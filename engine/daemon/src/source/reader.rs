//! One reference of a state repository, read commit by commit.

use std::collections::BTreeMap;
use std::sync::Arc;

use berth_core::ids::{BlobId, CommitId};
use berth_core::reconciler::CommitFacts;
use berth_git::{GitError, Listing, Repository};

/// Ancestors that are told of a commit that descends from none told before.
const MAX_ANCESTORS: usize = 10_000;

/// Reads commits; each is told relative to the last one that could be used.
pub struct Reader {
    repository: Repository,
    /// The last one that was told.
    told: Option<(CommitId, Listing)>,
    /// The last one that could be used: whoever follows knows of no other.
    used: Option<CommitId>,
}

/// One commit with the list of its files.
#[derive(Debug)]
pub struct Commit {
    /// What the reconciler wants to know of it.
    pub facts: CommitFacts,
    /// Its documents, and what is refused.
    pub listing: Listing,
}

impl Reader {
    /// Reads what this repository's source names.
    pub fn new(repository: Repository) -> Self {
        Self {
            repository,
            told: None,
            used: None,
        }
    }

    /// The repository.
    pub fn repository(&self) -> &Repository {
        &self.repository
    }

    /// The commit of the reference, if it is another one than the last time. Call
    /// [`Reader::told`] once it is taken in, so that a failure in between loses nothing.
    pub fn next(&mut self) -> Result<Option<Commit>, GitError> {
        let tip = self.repository.fetch()?.tip;
        if self.told.as_ref().is_some_and(|(told, _)| *told == tip) {
            return Ok(None);
        }
        let listing = self.listing(tip)?;
        Ok(Some(Commit {
            facts: self.facts(tip)?,
            listing,
        }))
    }

    /// Whether the commit that was told last is this one or comes after it.
    pub fn has(&self, commit: CommitId) -> bool {
        let told = self.told.as_ref();
        let after = |told| self.repository.is_ancestor(commit, told).unwrap_or(false);
        told.is_some_and(|(told, _)| after(*told))
    }

    /// The commit that was told last, once more; a remote is not asked.
    pub fn again(&self) -> Result<Option<Commit>, GitError> {
        let Some((told, listing)) = &self.told else {
            return Ok(None);
        };
        Ok(Some(Commit {
            facts: self.facts(*told)?,
            listing: listing.clone(),
        }))
    }

    /// The commit was taken in, and is not told again by [`Reader::next`]. If it could be `used`, the next one is told
    /// relative to it.
    pub fn told(&mut self, commit: Commit, used: bool) {
        if used {
            self.used = Some(commit.facts.id);
        }
        self.told = Some((commit.facts.id, commit.listing));
    }

    /// The contents of these blobs; those that cannot be read are left out, whoever needs them
    /// says so.
    pub fn blobs(&self, wanted: impl IntoIterator<Item = BlobId>) -> BTreeMap<BlobId, Arc<[u8]>> {
        let read = |blob| Some((blob, Arc::from(self.repository.blob(blob).ok()?)));
        wanted.into_iter().filter_map(read).collect()
    }

    /// The cost follows the change, as equal folders are not opened.
    fn listing(&self, tip: CommitId) -> Result<Listing, GitError> {
        match &self.told {
            Some((before, listing)) => {
                let mut listing = listing.clone();
                listing.apply(self.repository.changed(*before, tip)?);
                Ok(listing)
            }
            None => self.repository.listing(tip),
        }
    }

    /// Who gave the file its present content, `Name <address>`; `None` if the history does not tell.
    pub fn author(&self, tip: CommitId, path: &str) -> Option<Arc<str>> {
        let commit = self.repository.last_change(tip, path).ok()??;
        let info = self.repository.info(commit).ok()?;
        Some(format!("{} <{}>", info.author_name, info.author_email).into())
    }

    fn facts(&self, tip: CommitId) -> Result<CommitFacts, GitError> {
        let info = self.repository.info(tip)?;
        let after = self.after(tip);
        let until = |commit| Some(commit) == after;
        let ancestors = self.repository.ancestors(tip, &until, MAX_ANCESTORS)?;
        Ok(CommitFacts {
            id: tip,
            subject: info.subject,
            trailers: info.trailers,
            after,
            new_ancestors: ancestors.commits,
            older_left_out: !ancestors.complete,
        })
    }

    /// The commit used before, if this one descends from it.
    fn after(&self, tip: CommitId) -> Option<CommitId> {
        let before = self.used?;
        // A pruned mirror may not know the old commit any more: then the branch was rewritten.
        let descends = self.repository.is_ancestor(before, tip);
        descends.unwrap_or(false).then_some(before)
    }
}
