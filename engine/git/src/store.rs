//! Opening a repository, and reading its objects only after their size is known.

use std::collections::HashSet;
use std::path::Path;
use std::time::Duration;

use gix::ObjectId;
use gix::objs::Kind;
use gix::refs::transaction::{PreviousValue, RefEdit};
use gix::refs::{FullName, Target};

use crate::error::GitError;
use crate::leftovers::Mirror;

/// Bytes of one tree object: about a million entries.
const MAX_TREE: u64 = 64 << 20;
/// Bytes of one commit object.
const MAX_COMMIT: u64 = 1 << 20;

/// The age from which a lock or an unfinished file in a mirror is one that was left behind.
pub(crate) const STALE: Duration = Duration::from_mins(10);

/// The age from which the lock of one reference is one that was left behind: a reference is written
/// in milliseconds.
const LEFT_LOCK: Duration = Duration::from_secs(3);

/// Opens the repository at this path, in place: its own configuration alone is read, and none of it
/// if the folder belongs to somebody else.
pub(crate) fn open(path: &Path) -> Result<gix::Repository, GitError> {
    // As many packs as a repository may ever have: a store that is full fails, and one that lists
    // them when it is opened holds only a few more. A slot is some hundred bytes.
    let slots = gix::odb::store::init::Slots::Given(4096);
    let options = gix::open::Options::isolated().object_store_slots(slots);
    let opened = gix::open_opts(path, options);
    let format = match &opened {
        Ok(repo) => other_format(repo.config_snapshot().plumbing()),
        Err(_) => config_of(path).as_ref().and_then(other_format),
    };
    if let Some(format) = format {
        let path = path.into();
        return Err(GitError::Format { path, format });
    }
    let mut repo = opened.map_err(|source| GitError::NotARepository {
        path: path.into(),
        source: source.into(),
    })?;
    repo.object_cache_size_if_unset(4 << 20);
    Ok(repo)
}

/// The configuration of what could not be opened, if it is there.
fn config_of(path: &Path) -> Option<gix::config::File> {
    let inside = path.join(".git");
    let folder = if inside.exists() { &inside } else { path };
    let source = gix::config::Source::Local;
    gix::config::File::from_path_no_includes(folder.join("config"), source).ok()
}

/// A format that Berth does not read, if the configuration names one.
fn other_format(config: &gix::config::File) -> Option<&'static str> {
    let names = |key: &str, format: &str| {
        let value = config.string(key);
        value.is_some_and(|value| value.eq_ignore_ascii_case(format.as_bytes()))
    };
    if names("extensions.objectFormat", "sha256") {
        Some("SHA-256 object ids")
    } else if names("extensions.refStorage", "reftable") {
        Some("reftables")
    } else {
        None
    }
}

/// Opens the mirror in this folder; makes it first if need be.
pub(crate) fn open_mirror(folder: &Path) -> Result<gix::Repository, GitError> {
    if !folder.join("HEAD").exists() {
        std::fs::create_dir_all(folder).map_err(GitError::store("create the mirror's folder"))?;
        gix::init_bare(folder).map_err(GitError::store("create the mirror"))?;
    }
    remove_stale_locks(folder, 0);
    Mirror::of(folder).clean();
    open(folder)
}

/// Removes locks that a killed program left. A mirror has one user, whose runs are far shorter than
/// this age; what cannot be removed will be reported by who needs it.
fn remove_stale_locks(folder: &Path, depth: usize) {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    for path in entries.map(|entry| entry.path()) {
        let inside = depth > 0 || path.file_name().is_some_and(|name| name == "refs");
        if path.is_dir() && inside && depth < 16 {
            remove_stale_locks(&path, depth + 1);
        } else if path
            .extension()
            .is_some_and(|extension| extension == "lock")
            && is_older(&path, STALE)
        {
            let _ = std::fs::remove_file(&path);
        }
    }
}

pub(crate) fn is_older(lock: &Path, than: Duration) -> bool {
    let modified = lock.metadata().and_then(|data| data.modified()).ok();
    modified
        .and_then(|time| time.elapsed().ok())
        .is_some_and(|age| age > than)
}

/// The size of an object of this kind, from its header.
pub(crate) fn size(repo: &gix::Repository, id: ObjectId, kind: Kind) -> Result<u64, GitError> {
    let header = repo.find_header(id).map_err(GitError::object(id))?;
    if header.kind() != kind {
        return Err(GitError::object(id)(format!(
            "it is a {}, not a {kind}",
            header.kind()
        )));
    }
    Ok(header.size())
}

/// A tree of bounded size.
pub(crate) fn tree(repo: &gix::Repository, id: ObjectId) -> Result<gix::Tree<'_>, GitError> {
    bounded(
        size(repo, id, Kind::Tree)?,
        MAX_TREE,
        "a folder's list of entries",
    )?;
    repo.find_tree(id).map_err(GitError::object(id))
}

/// A commit of bounded size.
pub(crate) fn commit(repo: &gix::Repository, id: ObjectId) -> Result<gix::Commit<'_>, GitError> {
    bounded(
        size(repo, id, Kind::Commit)?,
        MAX_COMMIT,
        "a commit's message",
    )?;
    repo.find_commit(id).map_err(GitError::object(id))
}

/// The commits whose ids begin so, in the order of their ids.
pub(crate) fn commits_with(
    repo: &gix::Repository,
    prefix: gix::hash::Prefix,
) -> Result<Vec<ObjectId>, GitError> {
    let mut found = HashSet::new();
    repo.objects
        .lookup_prefix(prefix, Some(&mut found))
        .map_err(GitError::store("look for a commit"))?;
    let mut commits = Vec::new();
    for id in found {
        let header = repo.find_header(id).map_err(GitError::object(id))?;
        if header.kind() == Kind::Commit {
            commits.push(id);
        }
    }
    commits.sort_unstable();
    Ok(commits)
}

/// The tree of a commit.
pub(crate) fn tree_of(repo: &gix::Repository, id: ObjectId) -> Result<ObjectId, GitError> {
    Ok(commit(repo, id)?
        .tree_id()
        .map_err(GitError::object(id))?
        .detach())
}

/// A blob of at most `max` bytes.
pub(crate) fn blob(repo: &gix::Repository, id: ObjectId, max: u64) -> Result<Vec<u8>, GitError> {
    bounded(size(repo, id, Kind::Blob)?, max, "a file")?;
    Ok(repo
        .find_blob(id)
        .map_err(GitError::object(id))?
        .take_data())
}

/// An error if `value` is more than `limit`.
pub(crate) fn bounded(value: u64, limit: u64, what: &'static str) -> Result<(), GitError> {
    if value > limit {
        Err(GitError::Limit { what, limit })
    } else {
        Ok(())
    }
}

/// The commit that a reference of this full name leads to; tags are followed.
pub(crate) fn resolve(repo: &gix::Repository, name: &str) -> Result<Option<ObjectId>, GitError> {
    let found = repo
        .try_find_reference(name)
        .map_err(GitError::store("read a reference"))?;
    let Some(mut reference) = found.filter(|found| found.name().as_bstr() == name) else {
        return Ok(None);
    };
    if is_unborn(repo, &reference)? {
        return Ok(None);
    }
    match reference.peel_to_commit() {
        Ok(commit) => Ok(Some(commit.id)),
        Err(_) => Err(GitError::NotACommit {
            reference: name.to_owned(),
        }),
    }
}

/// Whether the reference names another one that does not exist, as HEAD does in a new repository.
fn is_unborn(repo: &gix::Repository, found: &gix::Reference<'_>) -> Result<bool, GitError> {
    let gix::refs::TargetRef::Symbolic(target) = found.target() else {
        return Ok(false);
    };
    let target = repo
        .try_find_reference(target)
        .map_err(GitError::store("read a reference"))?;
    Ok(target.is_none())
}

/// Moves a reference from `old` to `new`, if it is still there (compare-and-swap). None is absence.
/// [`GitError::Moved`] only if it is not; the reference must be Berth's own, as a lock of it that a
/// killed daemon left is taken away.
pub(crate) fn swap(
    repo: &gix::Repository,
    name: &str,
    old: Option<ObjectId>,
    new: Option<ObjectId>,
    by: gix::actor::SignatureRef<'_>,
) -> Result<(), GitError> {
    let full = FullName::try_from(name).map_err(GitError::store("name a reference"))?;
    let expected = old.map_or(PreviousValue::MustNotExist, |id| {
        PreviousValue::MustExistAndMatch(Target::Object(id))
    });
    let edit = match (old, new) {
        (None, None) => return Ok(()),
        (_, Some(new)) => RefEdit::update(full, new, expected, "berth"),
        (Some(_), None) => RefEdit::delete(full, expected),
    };
    let swap = || repo.edit_references_as([edit.clone()], Some(by));
    let swapped = match swap() {
        Err(_) if remove_left_lock(repo, name) => swap(),
        swapped => swapped,
    };
    let Err(source) = swapped else { return Ok(()) };
    if resolve(repo, name)? == old {
        return Err(GitError::store("move a reference")(source));
    }
    Err(GitError::Moved {
        reference: name.to_owned(),
        source: source.into(),
    })
}

/// Takes away the lock of a reference that a killed program left; whether there was one.
fn remove_left_lock(repo: &gix::Repository, name: &str) -> bool {
    let lock = repo.common_dir().join(format!("{name}.lock"));
    is_older(&lock, LEFT_LOCK) && std::fs::remove_file(&lock).is_ok()
}
