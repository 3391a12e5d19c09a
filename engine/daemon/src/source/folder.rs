//! A plain folder or a work tree, read from disk within the same bounds as a commit.

use std::fs::{self, DirEntry, FileType};
use std::io;
use std::path::{Path, PathBuf};

use berth_core::ids::{BlobId, DigestWriter};
use berth_git::{Limits, Refusal, Refused, is_document};

/// One text and the id that stands for its content. Outside of Git the id is ours: it only tells
/// equal texts.
#[derive(Debug, Clone)]
pub struct Text {
    /// From the root, `/` between folders.
    pub path: String,
    /// Equal for equal contents.
    pub blob: BlobId,
    /// The content.
    pub bytes: Vec<u8>,
}

/// What a folder holds.
#[derive(Debug, Default)]
pub struct Folder {
    /// The documents, sorted by path.
    pub texts: Vec<Text>,
    /// What is not read, sorted by path.
    pub refused: Vec<Refused>,
}

/// Why a folder cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// The system refuses.
    #[error("cannot read `{}`", path.display())]
    Io {
        /// What was read.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// It is larger than the bounds allow.
    #[error("{what} passes the limit of {limit}")]
    Limit {
        /// What was counted.
        what: &'static str,
        /// How much of it is read at most.
        limit: u64,
    },
}

/// Reads all `*.yaml` and `*.yml` below `root`; hidden files and folders are left out. Links are
/// refused, but for `root` itself.
pub fn read(root: &Path, limits: &Limits) -> Result<Folder, FolderError> {
    let mut walk = Walk {
        limits,
        total: 0,
        entries: 0,
        folder: Folder::default(),
    };
    walk.folder(root, "", 0)?;
    Ok(walk.folder)
}

struct Walk<'a> {
    limits: &'a Limits,
    total: u64,
    entries: u64,
    folder: Folder,
}

impl Walk<'_> {
    fn folder(&mut self, folder: &Path, prefix: &str, depth: usize) -> Result<(), FolderError> {
        let failed = |source| FolderError::Io {
            path: folder.to_owned(),
            source,
        };
        let listed = fs::read_dir(folder).map_err(failed)?;
        let mut entries: Vec<DirEntry> = listed.collect::<Result<_, _>>().map_err(failed)?;
        self.entries += entries.len() as u64;
        let most = (self.limits.max_files as u64).saturating_mul(16);
        bounded("the number of entries", self.entries, most)?;
        entries.sort_by_key(DirEntry::file_name);
        for entry in entries {
            self.entry(&entry, prefix, depth)?;
        }
        Ok(())
    }

    fn entry(&mut self, entry: &DirEntry, prefix: &str, depth: usize) -> Result<(), FolderError> {
        let raw = entry.file_name();
        let name = printable(&raw.to_string_lossy());
        let path = if prefix.is_empty() {
            name.clone()
        } else {
            format!("{prefix}/{name}")
        };
        let failed = |source| FolderError::Io {
            path: entry.path(),
            source,
        };
        let kind = entry.file_type().map_err(failed)?;
        if name.starts_with('.')
            || !(kind.is_dir() || kind.is_symlink() || is_document(name.as_bytes()))
        {
            return Ok(());
        }
        match refusal(&raw, kind, depth, self.limits) {
            Some(why) => self.refuse(path, why),
            None if kind.is_dir() => self.folder(&entry.path(), &path, depth + 1),
            None => self.file(&entry.path(), path),
        }
    }

    fn file(&mut self, file: &Path, path: String) -> Result<(), FolderError> {
        let failed = |source| FolderError::Io {
            path: file.to_owned(),
            source,
        };
        let Some(bytes) = read_bounded(file, self.limits.max_file).map_err(failed)? else {
            return self.refuse(path, Refusal::TooLarge);
        };
        self.total += bytes.len() as u64;
        bounded(
            "the size of all documents",
            self.total,
            self.limits.max_total,
        )?;
        self.folder.texts.push(Text {
            path,
            blob: content_id(&bytes),
            bytes,
        });
        let count = self.folder.texts.len() as u64;
        bounded(
            "the number of documents",
            count,
            self.limits.max_files as u64,
        )
    }

    fn refuse(&mut self, path: String, why: Refusal) -> Result<(), FolderError> {
        self.folder.refused.push(Refused { path, why });
        let count = self.folder.refused.len() as u64;
        bounded(
            "the number of refused entries",
            count,
            self.limits.max_files as u64,
        )
    }
}

fn refusal(
    raw: &std::ffi::OsStr,
    kind: FileType,
    depth: usize,
    limits: &Limits,
) -> Option<Refusal> {
    match raw.to_str() {
        _ if kind.is_symlink() => Some(Refusal::Symlink),
        None => Some(Refusal::NotUtf8Path),
        Some(name) if name.chars().any(char::is_control) => Some(Refusal::BadName),
        Some(_) if kind.is_dir() && depth >= limits.max_depth => Some(Refusal::TooDeep),
        // A pipe or a device could be read for ever.
        Some(_) if !kind.is_dir() && !kind.is_file() => Some(Refusal::BadName),
        Some(_) => None,
    }
}

/// The content, `None` if it is more than `most` bytes, however large the file says it is.
fn read_bounded(file: &Path, most: u64) -> io::Result<Option<Vec<u8>>> {
    use std::io::Read;
    let mut bytes = Vec::new();
    fs::File::open(file)?
        .take(most + 1)
        .read_to_end(&mut bytes)?;
    Ok((bytes.len() as u64 <= most).then_some(bytes))
}

fn content_id(bytes: &[u8]) -> BlobId {
    let mut digest = DigestWriter::new("folder/v1");
    digest.field(bytes);
    let mut id = [0; 20];
    id.copy_from_slice(&digest.finish().as_bytes()[..20]);
    BlobId::from_bytes(id)
}

fn printable(name: &str) -> String {
    name.chars()
        .map(|c| if c.is_control() { '?' } else { c })
        .collect()
}

fn bounded(what: &'static str, count: u64, limit: u64) -> Result<(), FolderError> {
    if count > limit {
        Err(FolderError::Limit { what, limit })
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_large_files_and_deep_folders_are_refused_and_the_rest_is_read() {
        let root = tempfile::tempdir().unwrap();
        let at = |path: &str| root.path().join(path);
        fs::create_dir_all(at("a/b/c")).unwrap();
        fs::create_dir_all(at(".git")).unwrap();
        for (path, text) in [
            ("a/x.yaml", "x"),
            ("a/b/y.YML", "y"),
            ("a/b/c/z.yaml", "z"),
            ("big.yaml", "123456"),
            ("notes.txt", "n"),
            ("yaml", "n"),
            (".git/w.yaml", "w"),
            (".hidden.yaml", "h"),
        ] {
            fs::write(at(path), text).unwrap();
        }
        std::os::unix::fs::symlink("/etc", at("etc")).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", at("p.yaml")).unwrap();
        let limits = Limits {
            max_file: 5,
            max_depth: 2,
            ..Limits::default()
        };
        let folder = read(root.path(), &limits).unwrap();
        let paths: Vec<_> = folder.texts.iter().map(|text| text.path.as_str()).collect();
        assert_eq!(paths, ["a/b/y.YML", "a/x.yaml"]);
        let refused: Vec<_> = folder
            .refused
            .iter()
            .map(|it| (it.path.as_str(), it.why))
            .collect();
        assert_eq!(
            refused,
            [
                ("a/b/c", Refusal::TooDeep),
                ("big.yaml", Refusal::TooLarge),
                ("etc", Refusal::Symlink),
                ("p.yaml", Refusal::Symlink),
            ]
        );
    }

    #[test]
    fn counts_are_bounded() {
        let root = tempfile::tempdir().unwrap();
        for number in 0..3 {
            fs::write(root.path().join(format!("{number}.yaml")), "x").unwrap();
        }
        let limits = Limits {
            max_files: 2,
            ..Limits::default()
        };
        assert!(matches!(
            read(root.path(), &limits),
            Err(FolderError::Limit { limit: 2, .. })
        ));
    }
}
