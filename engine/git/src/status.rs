//! The status branch: read whole, committed without a work tree, published by compare-and-swap.

use berth_core::ids::CommitId;
use std::path::Path;

use gix::ObjectId;
use gix::objs::tree::EntryKind;
use gix::odb::memory::Storage;

use crate::error::GitError;
use crate::id;
use crate::location::Location;
use crate::objects::{self, Written};
use crate::push::{self, PushError};
use crate::reference::Reference;
use crate::source::{Limits, Source};
use crate::store;
use crate::tree::{self, Take};
use crate::wire::Wire;

/// Bytes of one status file, unless the limits allow more.
const MAX_FILE: u64 = 16 << 20;

/// The branch `berth/status/<cluster>`, of the state repository or of another one.
///
/// One writer is expected, and a second one is noticed: [`StatusBranch::commit`] and
/// [`StatusBranch::push`] move the branch only from where the caller says that it is.
#[derive(Clone)]
pub struct StatusBranch {
    repo: gix::Repository,
    reference: String,
    wire: Option<Wire>,
    limits: Limits,
}

/// Who commits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// A name, without `<`, `>` and line breaks.
    pub name: String,
    /// An address, likewise.
    pub email: String,
}

/// The branch as it was published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusFiles {
    /// The commit that it is at.
    pub tip: CommitId,
    /// All files but hidden ones, sorted by path.
    pub files: Vec<(String, Vec<u8>)>,
}

impl StatusBranch {
    /// Opens the branch of a cluster. Of the source its reference is not used; a remote is kept in
    /// `mirror_dir`, which may be the one of [`crate::Repository::open`] for the same remote.
    pub fn open(source: &Source, mirror_dir: &Path, cluster: &str) -> Result<Self, GitError> {
        let reference = format!("refs/heads/berth/status/{cluster}");
        let reference: Reference = reference.parse()?;
        let (repo, wire) = match &source.location {
            Location::Local(path) => (store::open(path)?, None),
            Location::Remote(remote) => (
                store::open_mirror(mirror_dir)?,
                Some(Wire::new(remote.clone(), source)),
            ),
        };
        let max_file = source.limits.max_file.max(MAX_FILE);
        let limits = Limits {
            max_file,
            ..source.limits.clone()
        };
        Ok(Self {
            repo,
            reference: reference.as_str().to_owned(),
            wire,
            limits,
        })
    }

    /// The full name of the branch.
    pub fn reference(&self) -> &str {
        &self.reference
    }

    /// Whether a commit is published only by a push.
    pub fn is_remote(&self) -> bool {
        self.wire.is_some()
    }

    /// Reads the published branch; none if there is none. Commits of the mirror that were never
    /// pushed are forgotten: what is published is what happened.
    pub fn load(&self) -> Result<Option<StatusFiles>, GitError> {
        if let Some(wire) = &self.wire
            && !wire.fetch(self.repo.git_dir(), &self.reference, &self.reference)?
        {
            self.forget()?;
        }
        self.tip()?.map(|tip| self.read(tip)).transpose()
    }

    /// Where the branch is here, without asking a remote.
    pub fn tip(&self) -> Result<Option<CommitId>, GitError> {
        store::resolve(&self.repo, &self.reference)?
            .map(|id| id::commit(&id))
            .transpose()
    }

    /// Whether `old` is `new` or one of its ancestors, as far as this repository knows both.
    pub fn is_ancestor(&self, old: CommitId, new: CommitId) -> Result<bool, GitError> {
        crate::history::is_ancestor(&self.repo, old, new)
    }

    /// Commits changes (none as content removes a path) on top of `base`, the branch's present tip
    /// (none: there is no branch yet), and returns the new tip: `base` itself if nothing differs.
    ///
    /// In a local repository this publishes it, and a loss of power does not undo it:
    /// [`GitError::Moved`] if the branch is not at `base`. Of a remote, what was committed here and not pushed is forgotten.
    pub fn commit(
        &self,
        base: Option<CommitId>,
        changes: &[(String, Option<Vec<u8>>)],
        message: &str,
        when_ms: i64,
        who: &Person,
    ) -> Result<CommitId, GitError> {
        let base_id = base.map(id::of_commit);
        let before = match base_id {
            Some(base) => store::tree_of(&self.repo, base)?,
            None => self.repo.empty_tree().id,
        };
        let memory = self.repo.clone().with_object_memory();
        let tree = self.edit(&memory, before, changes)?;
        if let Some(base) = base.filter(|_| tree == before) {
            return Ok(base);
        }
        let signature = signature(who, when_ms);
        let mut time = gix::date::parse::TimeBuf::default();
        let by = signature.to_ref(&mut time);
        let commit = memory
            .new_commit_as(by, by, message, tree, base_id)
            .map_err(GitError::store("write the status commit"))?
            .id;
        let _written = self.store(&memory.objects.reset_object_memory().unwrap_or_default())?;
        self.stand_at(self.stands(base_id)?, commit, by)?;
        id::commit(&commit)
    }

    /// Writes these objects. In a local repository they outlast a loss of power once this returns, as
    /// does the branch after [`StatusBranch::stand_at`]; of a remote it is the push that counts.
    fn store(&self, objects: &Storage) -> Result<Written, GitError> {
        let written = objects::write(&self.repo, objects)?;
        if self.syncs() {
            written.sync()?;
        }
        Ok(written)
    }

    /// As git does unless the repository's `core.fsync` says `none`.
    fn syncs(&self) -> bool {
        let said = self.repo.config_snapshot().string("core.fsync");
        self.wire.is_none() && said.is_none_or(|words| names_a_part(&words.to_string()))
    }

    /// Moves the branch here from `old` to `new`.
    fn stand_at(
        &self,
        old: Option<ObjectId>,
        new: ObjectId,
        by: gix::actor::SignatureRef<'_>,
    ) -> Result<(), GitError> {
        store::swap(&self.repo, &self.reference, old, Some(new), by)?;
        if self.syncs() {
            objects::sync(&self.repo.common_dir().join(&self.reference))?;
        }
        Ok(())
    }

    /// Where the branch must be here for it to be moved. Of a remote, the mirror may hold a commit
    /// whose push failed, and the push itself is the compare-and-swap; in a local repository this is.
    fn stands(&self, base: Option<ObjectId>) -> Result<Option<ObjectId>, GitError> {
        match self.wire {
            Some(_) => Ok(self.tip()?.map(id::of_commit)),
            None => Ok(base),
        }
    }

    /// Makes a root commit with the files of `base`, to be published by
    /// [`StatusBranch::replace`]; until then nothing refers to it. The message should say
    /// `Compacts: <base>`.
    pub fn root(
        &self,
        base: CommitId,
        message: &str,
        when_ms: i64,
        who: &Person,
    ) -> Result<CommitId, GitError> {
        let tree = store::tree_of(&self.repo, id::of_commit(base))?;
        let signature = signature(who, when_ms);
        let mut time = gix::date::parse::TimeBuf::default();
        let by = signature.to_ref(&mut time);
        let memory = self.repo.clone().with_object_memory();
        let root = memory
            .new_commit_as(by, by, message, tree, None::<ObjectId>)
            .map_err(GitError::store("write the root commit"))?
            .id;
        self.store(&memory.objects.reset_object_memory().unwrap_or_default())?;
        id::commit(&root)
    }

    /// Puts `new` in the place of `old`, whether or not it descends from it, by compare-and-swap.
    pub fn replace(&self, old: CommitId, new: CommitId, who: &Person) -> Result<(), PushError> {
        if self.wire.is_some() {
            return self.push(Some(old), new);
        }
        let signature = signature(who, 0);
        let mut time = gix::date::parse::TimeBuf::default();
        let (old, new) = (id::of_commit(old), id::of_commit(new));
        let by = signature.to_ref(&mut time);
        match self.stand_at(Some(old), new, by) {
            Err(GitError::Moved { .. }) => Err(PushError::Rejected),
            swapped => Ok(swapped?),
        }
    }

    /// How many commits lead to this one, itself included.
    pub fn length(&self, tip: CommitId) -> Result<usize, GitError> {
        let all = crate::history::ancestors(&self.repo, tip, &|_| false, usize::MAX)?;
        Ok(all.commits.len())
    }

    /// Publishes `new` where the remote's branch is still at `old` (none: it has no branch), or is at
    /// `new` already, so a push whose answer was lost may be repeated. In a local repository the
    /// commit was the publication; this only checks that it stands.
    pub fn push(&self, old: Option<CommitId>, new: CommitId) -> Result<(), PushError> {
        match &self.wire {
            Some(wire) => push::push(wire, self.repo.git_dir(), &self.reference, old, new),
            None if self.tip()? == Some(new) => Ok(()),
            None => Err(PushError::Rejected),
        }
    }

    fn read(&self, tip: CommitId) -> Result<StatusFiles, GitError> {
        let root = store::tree_of(&self.repo, id::of_commit(tip))?;
        let listing = tree::list(&self.repo, &self.limits, Take::All, root)?;
        if let Some(entry) = listing.refused.into_iter().next() {
            return Err(GitError::Foreign {
                path: entry.path,
                why: entry.why.reason(),
            });
        }
        let read = |file: tree::TreeFile| {
            let bytes = store::blob(&self.repo, id::of_blob(file.blob), self.limits.max_file)?;
            Ok((file.path.to_string(), bytes))
        };
        let files = listing
            .files
            .into_iter()
            .map(read)
            .collect::<Result<_, GitError>>()?;
        Ok(StatusFiles { tip, files })
    }

    fn edit(
        &self,
        repo: &gix::Repository,
        tree: ObjectId,
        changes: &[(String, Option<Vec<u8>>)],
    ) -> Result<ObjectId, GitError> {
        let doing = "write the status files";
        let mut editor = repo.edit_tree(tree).map_err(GitError::object(tree))?;
        for (path, content) in changes {
            self.check(path, content.as_deref())?;
            match content {
                Some(bytes) => {
                    let blob = repo.write_blob(bytes).map_err(GitError::store(doing))?;
                    editor.upsert(path.as_str(), EntryKind::Blob, blob)
                }
                None => editor.remove(path.as_str()),
            }
            .map_err(GitError::store(doing))?;
        }
        Ok(editor.write().map_err(GitError::store(doing))?.detach())
    }

    /// Only what [`StatusBranch::load`] would read back is written.
    fn check(&self, path: &str, content: Option<&[u8]>) -> Result<(), GitError> {
        let good = |name: &str| !name.is_empty() && !name.starts_with('.');
        let deep = path.split('/').count() > self.limits.max_depth;
        let bad = deep || path.len() > 4096 || path.chars().any(char::is_control);
        if bad || !path.split('/').all(good) {
            return Err(GitError::TreePath {
                path: crate::location::printable(path),
            });
        }
        let size = content.map_or(0, <[u8]>::len) as u64;
        store::bounded(size, self.limits.max_file, "a status file")
    }

    /// Drops the mirror's branch after the remote's is gone.
    fn forget(&self) -> Result<(), GitError> {
        let tip = self.tip()?.map(id::of_commit);
        let who = Person {
            name: "berth".into(),
            email: "berth@localhost".into(),
        };
        let mut time = gix::date::parse::TimeBuf::default();
        store::swap(
            &self.repo,
            &self.reference,
            tip,
            None,
            signature(&who, 0).to_ref(&mut time),
        )
    }
}

/// Whether git's list of what outlasts a loss of power names anything: after `none` only what follows.
fn names_a_part(list: &str) -> bool {
    let words = list.split(',').map(str::trim);
    words.fold(true, |named, word| match word {
        "none" => false,
        _ => named || !(word.is_empty() || word.starts_with('-')),
    })
}

fn signature(who: &Person, when_ms: i64) -> gix::actor::Signature {
    gix::actor::Signature {
        name: who.name.as_str().into(),
        email: who.email.as_str().into(),
        time: gix::date::Time::new(when_ms.div_euclid(1000), 0),
    }
}

#[cfg(test)]
mod tests {
    use super::names_a_part;

    #[test]
    fn nothing_outlasts_only_if_the_repository_says_so() {
        for list in [
            "committed",
            "-reference",
            "",
            "none,committed",
            "all, -index",
        ] {
            assert!(names_a_part(list), "{list}");
        }
        for list in ["none", "all,none", "none,-loose-object", " none "] {
            assert!(!names_a_part(list), "{list}");
        }
    }
}
