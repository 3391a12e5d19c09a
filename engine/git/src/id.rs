//! The core's object ids, and their conversion from and to gix.

use berth_core::ids::{BlobId, CommitId};
use gix::ObjectId;

use crate::error::GitError;

/// The commit's id as gix has it.
pub(crate) fn of_commit(id: CommitId) -> ObjectId {
    ObjectId::Sha1(*id.as_bytes())
}

/// The blob's id as gix has it.
pub(crate) fn of_blob(id: BlobId) -> ObjectId {
    ObjectId::Sha1(*id.as_bytes())
}

/// Our id of a commit that gix named.
pub(crate) fn commit(id: &gix::oid) -> Result<CommitId, GitError> {
    bytes(id).map(CommitId::from_bytes)
}

/// Our id of a blob that gix named.
pub(crate) fn blob(id: &gix::oid) -> Result<BlobId, GitError> {
    bytes(id).map(BlobId::from_bytes)
}

fn bytes(id: &gix::oid) -> Result<[u8; 20], GitError> {
    id.as_bytes().try_into().map_err(|_| GitError::Hash)
}
