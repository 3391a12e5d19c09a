//! Who committed the files that something is wrong with.

use std::collections::BTreeMap;
use std::sync::Arc;

use berth_core::desired::Desired;
use berth_core::ids::BlobId;

use super::reader::Reader;

/// The history is searched for so many files a snapshot; each search walks back to the last change.
const MOST: usize = 100;

/// What was found for the last snapshot: a file that stays as it is is not searched for again.
#[derive(Debug, Default)]
pub struct Authors(BTreeMap<(Arc<str>, BlobId), Option<Arc<str>>>);

impl Authors {
    /// Tells the snapshot who committed what its findings are about.
    pub fn sign(&mut self, desired: &mut Desired, reader: &Reader) {
        let (tip, known) = (desired.commit().id, std::mem::take(&mut self.0));
        desired.sign(&mut |source| {
            let file = (Arc::clone(&source.path), source.blob);
            let author = match known.get(&file) {
                Some(author) => author.clone(),
                None if self.0.len() < MOST => reader.author(tip, &source.path),
                None => return None,
            };
            self.0.insert(file, author.clone());
            author
        });
    }
}
