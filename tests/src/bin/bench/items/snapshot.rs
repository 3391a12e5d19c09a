//! Snapshots in memory, as Git would give them.

use std::collections::BTreeMap;
use std::sync::Arc;

use berth_core::desired::{Desired, ListedFile, Loader};
use berth_core::ids::{BlobId, CommitId};
use berth_core::ledger::Forms;
use berth_core::reconciler::CommitFacts;

use crate::Fallible;

/// Files of one commit.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    listing: BTreeMap<String, (BlobId, Arc<[u8]>)>,
    blobs: u32,
    commits: u8,
}

impl Snapshot {
    /// Of these files.
    pub fn of(files: &[(String, String)]) -> Self {
        let mut this = Self::default();
        for (path, text) in files {
            this.put(path, text);
        }
        this
    }

    /// Writes a file.
    pub fn put(&mut self, path: &str, text: &str) {
        self.blobs += 1;
        let mut id = [0; 20];
        id[..4].copy_from_slice(&self.blobs.to_be_bytes());
        let file = (BlobId::from_bytes(id), text.as_bytes().into());
        self.listing.insert(path.to_owned(), file);
    }

    /// All bytes.
    pub fn size(&self) -> usize {
        self.listing.values().map(|(_, bytes)| bytes.len()).sum()
    }

    /// Commits and loads: lists, gives the blobs that are missing, parses, checks.
    pub fn load(&mut self, loader: &mut Loader) -> Fallible<Desired> {
        let listing = self.listed();
        let missing = loader.missing(&listing, &Forms::default());
        let blobs = self.listing.values();
        let wanted = |(id, _): &&(BlobId, Arc<[u8]>)| missing.binary_search(id).is_ok();
        let blobs = blobs
            .filter(wanted)
            .map(|(id, bytes)| (*id, Arc::clone(bytes)))
            .collect();
        let before = self.commits.checked_sub(1).map(|_| commit(self.commits));
        self.commits += 1;
        let facts = CommitFacts {
            id: commit(self.commits),
            subject: "Change".to_owned(),
            trailers: Vec::new(),
            after: before,
            new_ancestors: vec![commit(self.commits)],
            older_left_out: false,
        };
        let nothing = Arc::<Forms>::default();
        let made = loader.load(&facts, None, &listing, &[], &blobs, &nothing);
        let desired = made.map_err(|findings| format!("not usable: {findings:?}"))?;
        match desired.findings() {
            [] => Ok(desired),
            [first, ..] => Err(format!("a document is not valid: {first:?}").into()),
        }
    }

    fn listed(&self) -> Vec<ListedFile> {
        let file = |(path, (blob, bytes)): (&String, &(BlobId, Arc<[u8]>))| ListedFile {
            path: path.as_str().into(),
            blob: *blob,
            size: bytes.len() as u64,
        };
        self.listing.iter().map(file).collect()
    }
}

fn commit(number: u8) -> CommitId {
    CommitId::from_bytes([number; 20])
}
