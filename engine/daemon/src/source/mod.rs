//! Where documents come from: a folder, or a reference of a Git repository.

pub mod authors;
pub mod folder;
pub mod follow;
pub mod reader;

use std::collections::BTreeMap;
use std::sync::Arc;

use berth_core::desired::{ListedFile, RefusedFile};
use berth_core::diagnostic::{Code, Diagnostic, Source, SourceTable};
use berth_core::ids::BlobId;
use berth_git::{Limits, Listing, Refusal, Refused};

use crate::output::Finding;

/// Contents by blob.
pub type Blobs = BTreeMap<BlobId, Arc<[u8]>>;

/// The files of one snapshot as the loader takes them.
#[derive(Debug, Default)]
pub struct Files {
    /// Documents.
    pub listed: Vec<ListedFile>,
    /// Paths that are not read, and why.
    pub refused: Vec<RefusedFile>,
}

impl Files {
    /// Of a commit.
    pub fn of_listing(listing: &Listing) -> Self {
        let listed = listing.files.iter().map(|file| ListedFile {
            path: Arc::clone(&file.path),
            blob: file.blob,
            size: file.size,
        });
        Self {
            listed: listed.collect(),
            refused: refusals(&listing.refused),
        }
    }

    /// Of a folder, with its contents.
    pub fn of_folder(folder: folder::Folder) -> (Self, Blobs) {
        let listed = folder.texts.iter().map(|text| ListedFile {
            path: text.path.as_str().into(),
            blob: text.blob,
            size: text.bytes.len() as u64,
        });
        let files = Self {
            listed: listed.collect(),
            refused: refusals(&folder.refused),
        };
        let blobs = folder
            .texts
            .into_iter()
            .map(|text| (text.blob, Arc::from(text.bytes)));
        (files, blobs.collect())
    }
}

/// Findings with their places looked up in these contents.
pub fn resolve(findings: &[Diagnostic], sources: &SourceTable, blobs: &Blobs) -> Vec<Finding> {
    let text = |source: &Source| std::str::from_utf8(blobs.get(&source.blob)?).ok();
    findings
        .iter()
        .map(|finding| Finding::resolve(finding, sources, &text))
        .collect()
}

fn refusals(refused: &[Refused]) -> Vec<RefusedFile> {
    let words = |entry: &Refused| {
        let (why, help) = words(entry.why);
        RefusedFile {
            path: entry.path.as_str().into(),
            code: match entry.why {
                Refusal::TooLarge | Refusal::TooDeep => Code::TooLarge,
                _ => Code::Refused,
            },
            why,
            help: help.to_owned(),
            hides: !matches!(entry.why, Refusal::Symlink | Refusal::Submodule),
        }
    };
    refused.iter().map(words).collect()
}

/// Why a path is not read, and what to do.
fn words(why: Refusal) -> (String, &'static str) {
    let limits = Limits::default();
    match why {
        Refusal::Symlink => (
            "it is a symbolic link, which could lead out of the repository".into(),
            "put the file itself there, or remove the link",
        ),
        Refusal::Submodule => (
            "it is a submodule, another repository".into(),
            "copy its documents into this repository, or remove the submodule",
        ),
        Refusal::TooLarge => (
            format!("it is larger than {} bytes", limits.max_file),
            "keep data out of documents: name an image, a claim or a URI instead",
        ),
        Refusal::NotUtf8Path => (
            "its name is not UTF-8".into(),
            "rename it; `git ls-files -z | cat -v` shows such names",
        ),
        Refusal::BadName => (
            "its name or type is not that of a document".into(),
            "take control characters, `.git` and the like out of its path; only plain files are read",
        ),
        Refusal::TooDeep => (
            format!("it is deeper than {} folders", limits.max_depth),
            "move it up: folders are up to you, and names tell documents apart",
        ),
    }
}
