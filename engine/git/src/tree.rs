//! What a commit holds, and what changed between two: one walk over one or two trees.

use berth_core::ids::BlobId;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use gix::ObjectId;
use gix::objs::Kind;
use gix::objs::tree::EntryKind;

use crate::error::GitError;
use crate::id;
use crate::source::Limits;
use crate::store;

/// Bytes of a path.
const MAX_PATH: usize = 4096;

/// A file of a snapshot that was not read yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeFile {
    /// From the root, with `/`; without control characters. Copies of a listing share it.
    pub path: Arc<str>,
    /// Its content.
    pub blob: BlobId,
    /// Bytes, at most [`Limits::max_file`].
    pub size: u64,
}

/// An entry that Berth does not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// From the root; what is not UTF-8 or a control character is replaced.
    pub path: String,
    /// Why it is not read.
    pub why: Refusal,
}

/// Why an entry is not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// A symbolic link: it could lead out of the repository.
    Symlink,
    /// Another repository.
    Submodule,
    /// A document of more than [`Limits::max_file`] bytes.
    TooLarge,
    /// A name that is not UTF-8.
    NotUtf8Path,
    /// A name with a control character or `/`, or a path of more than 4096 bytes.
    BadName,
    /// A folder deeper than [`Limits::max_depth`].
    TooDeep,
}

impl Refusal {
    /// A stable word for metrics and status.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Symlink => "Symlink",
            Self::Submodule => "Submodule",
            Self::TooLarge => "TooLarge",
            Self::NotUtf8Path => "NotUtf8Path",
            Self::BadName => "BadName",
            Self::TooDeep => "TooDeep",
        }
    }
}

/// All documents of a commit, by path.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listing {
    /// The documents, sorted by path.
    pub files: Vec<TreeFile>,
    /// What is not read, sorted by path.
    pub refused: Vec<Refused>,
}

impl Listing {
    /// Brings this listing of `from` to that of `to`, by what [`crate::Repository::changed`] said.
    pub fn apply(&mut self, changes: Changes) {
        let gone: BTreeSet<&str> = changes.gone.iter().map(String::as_str).collect();
        self.files.retain(|file| !gone.contains(&*file.path));
        self.refused.retain(|entry| !gone.contains(&*entry.path));
        self.files.extend(changes.written);
        self.refused.extend(changes.refused);
        self.sort();
    }

    fn sort(&mut self) {
        self.files.sort_by(|a, b| a.path.cmp(&b.path));
        self.refused.sort_by(|a, b| a.path.cmp(&b.path));
    }
}

/// What differs between two commits.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// Documents that are new or have another content.
    pub written: Vec<TreeFile>,
    /// Entries that are refused, and are new or have another content.
    pub refused: Vec<Refused>,
    /// Paths whose former entry (document or refused) is no longer as it was; those of `written`
    /// and `refused` among them, if they existed before.
    pub gone: Vec<String>,
}

/// Whether a file of this name holds documents: it ends with `.yaml` or `.yml`, in any case, as
/// file systems that know no case write it.
pub fn is_document(name: &[u8]) -> bool {
    let dot = name.iter().rposition(|byte| *byte == b'.');
    let end = dot.and_then(|dot| name.get(dot + 1..)).unwrap_or_default();
    end.eq_ignore_ascii_case(b"yaml") || end.eq_ignore_ascii_case(b"yml")
}

/// Which files of a tree count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Take {
    /// Those that [`is_document`] names.
    Documents,
    /// Every one.
    All,
}

/// All files of a tree.
pub(crate) fn list(
    repo: &gix::Repository,
    limits: &Limits,
    take: Take,
    tree: ObjectId,
) -> Result<Listing, GitError> {
    let changes = diff(repo, limits, take, None, Some(tree))?;
    let mut listing = Listing {
        files: changes.written,
        refused: changes.refused,
    };
    listing.sort();
    Ok(listing)
}

/// What changes from one tree to the other; equal folders are not opened.
pub(crate) fn diff(
    repo: &gix::Repository,
    limits: &Limits,
    take: Take,
    old: Option<ObjectId>,
    new: Option<ObjectId>,
) -> Result<Changes, GitError> {
    let mut walk = Walk {
        repo,
        limits,
        take,
        visited: 0,
        total: 0,
        changes: Changes::default(),
    };
    walk.folder("", 0, old, new)?;
    Ok(walk.changes)
}

type Entries = BTreeMap<Vec<u8>, (EntryKind, ObjectId)>;

/// What an entry is to Berth.
enum Class {
    Ignored,
    Folder,
    File,
    Refused(Refusal),
}

struct Walk<'a> {
    repo: &'a gix::Repository,
    limits: &'a Limits,
    take: Take,
    visited: u64,
    total: u64,
    changes: Changes,
}

impl Walk<'_> {
    fn folder(
        &mut self,
        path: &str,
        depth: usize,
        old: Option<ObjectId>,
        new: Option<ObjectId>,
    ) -> Result<(), GitError> {
        if old == new {
            return Ok(());
        }
        let mut before = self.entries(old)?;
        for (name, entry) in self.entries(new)? {
            let former = before.remove(&name);
            if former != Some(entry) {
                self.entry(path, depth, &name, former, Some(entry))?;
            }
        }
        for (name, entry) in before {
            self.entry(path, depth, &name, Some(entry), None)?;
        }
        Ok(())
    }

    /// The entries of a folder. They are counted: a tree may name one subtree a million times.
    fn entries(&mut self, tree: Option<ObjectId>) -> Result<Entries, GitError> {
        let Some(id) = tree else {
            return Ok(Entries::new());
        };
        let limit = (self.limits.max_files as u64).saturating_mul(16);
        let mut entries = Entries::new();
        for entry in store::tree(self.repo, id)?.iter() {
            let entry = entry.map_err(GitError::object(id))?;
            self.visited += 1;
            store::bounded(self.visited, limit, "the number of entries")?;
            let kind = entry.mode().kind();
            entries.insert(entry.filename().to_vec(), (kind, entry.object_id()));
        }
        Ok(entries)
    }

    fn entry(
        &mut self,
        folder: &str,
        depth: usize,
        name: &[u8],
        old: Option<(EntryKind, ObjectId)>,
        new: Option<(EntryKind, ObjectId)>,
    ) -> Result<(), GitError> {
        let path = join(folder, name);
        let class = |(kind, _): (EntryKind, ObjectId)| self.class(&path, depth, name, kind);
        let (was, is) = (
            old.map_or(Class::Ignored, class),
            new.map_or(Class::Ignored, class),
        );
        if matches!(was, Class::File | Class::Refused(_)) {
            self.changes.gone.push(path.clone());
        }
        match is {
            Class::File => self.file(&path, new)?,
            Class::Refused(why) => self.refuse(&path, why)?,
            Class::Folder | Class::Ignored => {}
        }
        let tree = |class: &Class, entry: Option<(EntryKind, ObjectId)>| match class {
            Class::Folder => entry.map(|(_, id)| id),
            _ => None,
        };
        self.folder(&path, depth + 1, tree(&was, old), tree(&is, new))
    }

    fn class(&self, path: &str, depth: usize, name: &[u8], kind: EntryKind) -> Class {
        if name.starts_with(b".") {
            return Class::Ignored;
        }
        let wanted = match kind {
            EntryKind::Tree | EntryKind::Link | EntryKind::Commit => true,
            EntryKind::Blob | EntryKind::BlobExecutable => self.takes(name),
        };
        if !wanted {
            return Class::Ignored;
        }
        match kind {
            EntryKind::Link => Class::Refused(Refusal::Symlink),
            EntryKind::Commit => Class::Refused(Refusal::Submodule),
            _ if std::str::from_utf8(name).is_err() => Class::Refused(Refusal::NotUtf8Path),
            _ if is_bad(name) || path.len() > MAX_PATH => Class::Refused(Refusal::BadName),
            EntryKind::Tree if depth >= self.limits.max_depth => Class::Refused(Refusal::TooDeep),
            EntryKind::Tree => Class::Folder,
            EntryKind::Blob | EntryKind::BlobExecutable => Class::File,
        }
    }

    fn takes(&self, name: &[u8]) -> bool {
        self.take == Take::All || is_document(name)
    }

    fn file(&mut self, path: &str, entry: Option<(EntryKind, ObjectId)>) -> Result<(), GitError> {
        let Some((_, id)) = entry else { return Ok(()) };
        let size = store::size(self.repo, id, Kind::Blob)?;
        if size > self.limits.max_file {
            return self.refuse(path, Refusal::TooLarge);
        }
        self.total = self.total.saturating_add(size);
        store::bounded(
            self.total,
            self.limits.max_total,
            "the size of all documents",
        )?;
        self.changes.written.push(TreeFile {
            path: path.into(),
            blob: id::blob(&id)?,
            size,
        });
        self.count(self.changes.written.len(), "the number of documents")
    }

    fn refuse(&mut self, path: &str, why: Refusal) -> Result<(), GitError> {
        self.changes.refused.push(Refused {
            path: path.to_owned(),
            why,
        });
        self.count(self.changes.refused.len(), "the number of refused entries")
    }

    fn count(&self, number: usize, what: &'static str) -> Result<(), GitError> {
        store::bounded(number as u64, self.limits.max_files as u64, what)
    }
}

fn is_bad(name: &[u8]) -> bool {
    name.is_empty() || name.contains(&b'/') || name.iter().any(u8::is_ascii_control)
}

/// The path of an entry, for people if it is not a good one.
fn join(folder: &str, name: &[u8]) -> String {
    let name = String::from_utf8_lossy(name);
    let name: String = name
        .chars()
        .map(|c| if c.is_control() { '?' } else { c })
        .collect();
    if folder.is_empty() {
        name
    } else {
        format!("{folder}/{name}")
    }
}
