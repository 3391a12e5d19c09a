//! Validated names, digests, times and object keys: the small values that everything else is made of.

mod digest;
mod name;
mod object_key;
mod time;
mod unit;

pub use digest::{BlobId, CommitId, Digest, DigestWriter};
pub use name::{InvalidName, Name};
pub use object_key::{InvalidResourceVersion, ObjectKey, ObjectKind, ResourceVersion, Uid};
pub use time::{InvalidTimestamp, Timestamp};
pub use unit::{DocumentKind, InvalidUnit, UnitId};
