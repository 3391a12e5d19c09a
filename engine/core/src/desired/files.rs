//! The files of a snapshot, parsed once a (path, blob).

use std::collections::BTreeMap;
use std::sync::Arc;

use berth_openapi::Shape;

use super::index::name_place;
use crate::diagnostic::{Code, Diagnostic, Source, SourceTable};
use crate::ids::{BlobId, Digest, UnitId};
use crate::kinds::{Document, Invalid, read};
use crate::object::{Node, Place, SourceId, Span, digest};
use crate::yaml::{self, Faulty};

/// One file of a snapshot, not read yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedFile {
    /// Its path, `/` between folders.
    pub path: Arc<str>,
    /// Its blob.
    pub blob: BlobId,
    /// Its size in bytes.
    pub size: u64,
}

/// A path of a snapshot that is not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedFile {
    /// Its path, `/` between folders.
    pub path: Arc<str>,
    /// The code of the finding.
    pub code: Code,
    /// Why, as the end of a sentence about it.
    pub why: String,
    /// What to do.
    pub help: String,
    /// Documents may be in it, whatever it is called: it is neither a link nor another repository.
    pub hides: bool,
}

/// One file, read.
pub(super) struct File {
    pub blob: BlobId,
    /// Its documents in their order, or why it cannot be parsed.
    pub parsed: Parsed,
    /// Its content was given; if not, it is asked for again.
    given: bool,
    /// Its content, as long as it cannot be told what all of its documents are.
    unclear: Option<Arc<[u8]>>,
}

/// A path whose file is new, another one or gone, and what stood there before.
pub(super) type Changed = (Arc<str>, Option<File>);

/// The documents of a file in their order, or why it cannot be parsed.
pub(super) type Parsed = Result<Vec<Result<Valid, Invalid>>, Vec<Diagnostic>>;

/// A document that is valid alone.
pub(super) struct Valid {
    pub document: Document,
    /// Digest of what it says, wherever it stands.
    pub form: Digest,
    /// What the last check said, for which input.
    pub checked: Option<(Digest, Arc<[Diagnostic]>)>,
}

/// Where a document stands: the file, and the how manieth of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct At {
    pub path: Arc<str>,
    pub number: usize,
}

/// All files that may hold documents, by path.
#[derive(Default)]
pub(super) struct Files {
    pub by_path: BTreeMap<Arc<str>, File>,
    pub sources: SourceTable,
}

impl Files {
    /// The files that are not parsed yet, and the paths that are no longer listed. Both are walked
    /// side by side: a look at all, but no search for each.
    pub fn compare<'a>(&self, listing: &'a [ListedFile]) -> (Vec<&'a ListedFile>, Vec<Arc<str>>) {
        let mut listed: Vec<&ListedFile> = listing.iter().collect();
        if !listed.is_sorted_by(|one, next| one.path <= next.path) {
            listed.sort_by(|one, other| one.path.cmp(&other.path));
        }
        let (mut unread, mut gone) = (Vec::new(), Vec::new());
        let mut known = self.by_path.iter().peekable();
        for file in listed {
            let same = |path: &Arc<str>| Arc::ptr_eq(path, &file.path) || *path == file.path;
            while let Some((path, _)) =
                known.next_if(|(path, _)| !same(path) && ***path < *file.path)
            {
                gone.push(Arc::clone(path));
            }
            match known.next_if(|(path, _)| same(path)) {
                Some((_, read)) if read.is(file) => {}
                Some(_) => unread.push(file),
                None if holds_document(&file.path) => unread.push(file),
                None => {}
            }
        }
        gone.extend(known.map(|(path, _)| Arc::clone(path)));
        (unread, gone)
    }

    /// Takes in a snapshot: parses what is new, forgets what is gone. Gives what changed.
    pub fn refresh(
        &mut self,
        listing: &[ListedFile],
        blobs: &BTreeMap<BlobId, Arc<[u8]>>,
    ) -> Vec<Changed> {
        let (unread, gone) = self.compare(listing);
        let mut changed = Vec::new();
        for path in gone {
            let before = self.by_path.remove(&path);
            changed.push((path, before));
        }
        for file in unread {
            let read = self.read(file, blobs.get(&file.blob));
            let before = self.by_path.insert(Arc::clone(&file.path), read);
            changed.push((Arc::clone(&file.path), before));
        }
        changed
    }

    fn read(&mut self, file: &ListedFile, bytes: Option<&Arc<[u8]>>) -> File {
        let source = self.sources.add(Source {
            path: Arc::clone(&file.path),
            blob: file.blob,
        });
        let parsed = match bytes {
            _ if file.size > yaml::MAX_BYTES as u64 => Err(too_large(file, source)),
            Some(bytes) => parse(bytes, source),
            None => Err(unreadable(source)),
        };
        let is_nameless =
            |document: &Result<Valid, Invalid>| matches!(document, Err(it) if it.unit.is_none());
        let is_clear = |documents: &Vec<_>| !documents.iter().any(is_nameless);
        let unclear = bytes.filter(|_| !parsed.as_ref().is_ok_and(is_clear));
        File {
            blob: file.blob,
            unclear: unclear.cloned(),
            parsed,
            given: bytes.is_some() || file.size > yaml::MAX_BYTES as u64,
        }
    }

    /// The document that stands there, if it is valid alone.
    pub fn valid(&self, at: &At) -> Option<&Valid> {
        let documents = self.by_path.get(&at.path)?.parsed.as_ref().ok()?;
        documents.get(at.number)?.as_ref().ok()
    }

    /// As [`Files::valid`].
    pub fn valid_mut(&mut self, at: &At) -> Option<&mut Valid> {
        let documents = self.by_path.get_mut(&at.path)?.parsed.as_mut().ok()?;
        documents.get_mut(at.number)?.as_mut().ok()
    }

    /// The document that stands there, as far as it is sound, if it is not valid alone.
    pub fn sound(&self, at: &At) -> Option<(&Document, &Invalid)> {
        let documents = self.by_path.get(&at.path)?.parsed.as_ref().ok()?;
        let invalid = documents.get(at.number)?.as_ref().err()?;
        Some((invalid.sound.as_ref()?, invalid))
    }

    /// What may be judged by the document that stands there, if it is not valid alone.
    pub fn basis(&self, at: &At) -> Option<&Document> {
        let documents = self.by_path.get(&at.path)?.parsed.as_ref().ok()?;
        documents.get(at.number)?.as_ref().err()?.basis.as_ref()
    }

    /// How many documents there are; a file that cannot be parsed counts as one.
    pub fn count(&self) -> usize {
        let of = |file: &File| file.parsed.as_ref().map_or(1, Vec::len);
        self.by_path.values().map(of).sum()
    }
}

impl File {
    /// Whether this is that file, read.
    fn is(&self, file: &ListedFile) -> bool {
        self.given && self.blob == file.blob
    }

    /// Its content, if it was given and not all of it is clear.
    pub fn text(&self) -> Option<&[u8]> {
        self.unclear.as_deref()
    }
}

/// Bytes -> documents, each as far as it can be told alone.
pub(super) fn parse(bytes: &[u8], source: SourceId) -> Parsed {
    let documents = yaml::parse(bytes, source).map_err(|broken| {
        let before = broken.before.into_iter().map(valid);
        let before = before.filter_map(Result::err);
        let before = before.flat_map(|invalid| invalid.findings);
        before.chain(broken.findings).collect::<Vec<_>>()
    })?;
    Ok(documents.into_iter().map(valid).collect())
}

fn valid(document: Result<Node, Faulty>) -> Result<Valid, Invalid> {
    let document = read(document)?;
    Ok(Valid {
        form: form(&document),
        document,
        checked: None,
    })
}

/// Digest of what a document says: comments, layout and its place in the file do not count.
pub(super) fn form(document: &Document) -> Digest {
    digest("form/v1", document.source(), &Shape::Any)
}

/// Where the text of a file says the name of a document, if the file holds it in a valid form.
pub fn place_of(bytes: &[u8], id: &UnitId) -> Option<Place> {
    documents_in(bytes, SourceId(0)).get(id).map(name_place)
}

/// The documents that the text of a file holds in a valid form; none if it cannot be parsed.
pub fn documents_in(bytes: &[u8], source: SourceId) -> BTreeMap<UnitId, Document> {
    let documents = parse(bytes, source).unwrap_or_default();
    let valid = documents.into_iter().filter_map(Result::ok);
    valid.map(|it| (it.document.id(), it.document)).collect()
}

/// The first character of a text.
pub(super) const fn top(source: SourceId) -> Place {
    Place {
        source,
        span: Span {
            start: 0,
            end: 0,
            line: 1,
            column: 1,
        },
    }
}

/// Documents are YAML files outside of hidden folders (`.github` holds other people's YAML).
pub(super) fn holds_document(path: &str) -> bool {
    let hidden = path.split('/').any(|part| part.starts_with('.'));
    let extension = path.rsplit_once('.').map(|(_, extension)| extension);
    !hidden
        && extension
            .is_some_and(|it| it.eq_ignore_ascii_case("yaml") || it.eq_ignore_ascii_case("yml"))
}

fn too_large(file: &ListedFile, source: SourceId) -> Vec<Diagnostic> {
    let cause = format!(
        "the file has {} bytes, a file at most {}",
        file.size,
        yaml::MAX_BYTES
    );
    let finding = Diagnostic::error(Code::TooLarge, top(source), cause);
    let help = "keep data out of documents: name an image, a claim or a URI instead";
    vec![finding.help(help)]
}

fn unreadable(source: SourceId) -> Vec<Diagnostic> {
    let cause = "Git has no content for this file";
    let finding = Diagnostic::error(Code::Refused, top(source), cause);
    let help = "fetch the repository again; a shallow or partial clone may lack it";
    vec![finding.help(help)]
}
