//! Commits: who, when, why, and what came before.

use berth_core::ids::CommitId;
use gix::ObjectId;
use gix::bstr::ByteSlice;
use gix::revision::walk::Sorting;
use gix::traverse::commit::simple::CommitTimeOrder;

use crate::error::GitError;
use crate::id;
use crate::location::printable;
use crate::store;

/// Trailers of one message.
const MAX_TRAILERS: usize = 100;
/// Commits that a search for the last change of a path looks at.
const MAX_STEPS: usize = 10_000;

/// What a commit says of itself. Its texts are what somebody wrote: bounded, without control
/// characters, and not to be trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitInfo {
    /// The author's name.
    pub author_name: String,
    /// The author's address.
    pub author_email: String,
    /// When it was committed, in milliseconds since 1970.
    pub time_ms: i64,
    /// The first line of the message.
    pub subject: String,
    /// The trailers of the last paragraph, in their order; at most 100.
    pub trailers: Vec<(String, String)>,
    /// The parents, the first one first.
    pub parents: Vec<CommitId>,
}

/// A part of a history, newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ancestors {
    /// The commits, each once, by commit time.
    pub commits: Vec<CommitId>,
    /// Whether these are all; false if the walk stopped at its maximum.
    pub complete: bool,
}

/// Reads a commit.
pub(crate) fn info(repo: &gix::Repository, id: CommitId) -> Result<CommitInfo, GitError> {
    let commit = store::commit(repo, id::of_commit(id))?;
    let decoded = commit.decode().map_err(GitError::object(id))?;
    let author = decoded.author().map_err(GitError::object(id))?.trim();
    let time = decoded.time().map_err(GitError::object(id))?;
    let trailers = decoded.message_trailers().take(MAX_TRAILERS);
    Ok(CommitInfo {
        author_name: line(author.name),
        author_email: line(author.email),
        time_ms: time.seconds.saturating_mul(1000),
        subject: line(&decoded.message_summary()),
        trailers: trailers
            .map(|trailer| (line(trailer.token), line(&trailer.value)))
            .collect(),
        parents: decoded
            .parents()
            .map(|parent| id::commit(&parent))
            .collect::<Result<_, _>>()?,
    })
}

/// The tip and its ancestors, without those for which `until` holds and what is only behind them.
pub(crate) fn ancestors<'a>(
    repo: &'a gix::Repository,
    tip: CommitId,
    until: &'a dyn Fn(CommitId) -> bool,
    max: usize,
) -> Result<Ancestors, GitError> {
    let walk = repo
        .rev_walk([id::of_commit(tip)])
        .sorting(Sorting::ByCommitTime(CommitTimeOrder::NewestFirst))
        .selected(|found| id::commit(found).is_ok_and(|found| !until(found)))
        .map_err(GitError::store("walk the history"))?;
    let mut found = Ancestors {
        commits: Vec::new(),
        complete: true,
    };
    for commit in walk {
        let commit = commit.map_err(GitError::store("walk the history"))?;
        if found.commits.len() == max {
            found.complete = false;
            break;
        }
        found.commits.push(id::commit(&commit.id)?);
    }
    Ok(found)
}

/// Whether `old` is `new` or one of its ancestors.
pub(crate) fn is_ancestor(
    repo: &gix::Repository,
    old: CommitId,
    new: CommitId,
) -> Result<bool, GitError> {
    let (old, new) = (id::of_commit(old), id::of_commit(new));
    if old == new {
        return Ok(true);
    }
    let base = repo
        .merge_base(old, new)
        .map_err(GitError::store("compare two histories"))?;
    Ok(base.is_some_and(|base| base == old))
}

/// The commit that gave the path its present entry, or took it away: the newest one that differs
/// from all its parents there. A merge is passed on the side that it agrees with.
pub(crate) fn last_change(
    repo: &gix::Repository,
    tip: CommitId,
    path: &str,
) -> Result<Option<CommitId>, GitError> {
    let mut at = id::of_commit(tip);
    let present = entry(repo, at, path)?;
    for _ in 0..MAX_STEPS {
        match parent_with(repo, at, path, present)? {
            Parent::Same(parent) => at = parent,
            Parent::NoneLeft if present.is_none() => return Ok(None),
            Parent::NoneLeft | Parent::AllDiffer => return id::commit(&at).map(Some),
        }
    }
    Ok(None)
}

enum Parent {
    Same(ObjectId),
    AllDiffer,
    NoneLeft,
}

fn parent_with(
    repo: &gix::Repository,
    commit: ObjectId,
    path: &str,
    present: Option<ObjectId>,
) -> Result<Parent, GitError> {
    let mut answer = Parent::NoneLeft;
    for parent in store::commit(repo, commit)?.parent_ids() {
        if entry(repo, parent.detach(), path)? == present {
            return Ok(Parent::Same(parent.detach()));
        }
        answer = Parent::AllDiffer;
    }
    Ok(answer)
}

fn entry(
    repo: &gix::Repository,
    commit: ObjectId,
    path: &str,
) -> Result<Option<ObjectId>, GitError> {
    let mut at = store::tree_of(repo, commit)?;
    for name in path.split('/') {
        if store::size(repo, at, gix::objs::Kind::Tree).is_err() {
            return Ok(None);
        }
        let tree = store::tree(repo, at)?;
        let Some(found) = tree.find_entry(name) else {
            return Ok(None);
        };
        at = found.object_id();
    }
    Ok(Some(at))
}

fn line(text: &gix::bstr::BStr) -> String {
    let text = text.to_str_lossy();
    printable(&text.chars().take(500).collect::<String>()).replace('\n', " ")
}
