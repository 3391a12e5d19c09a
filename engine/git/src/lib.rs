//! Berth's Git: snapshots of a state repository, tree diffs, history, status commits and their push.
//!
//! Objects are read and written by gix, without a work tree. The git program speaks to remotes, in
//! both directions (`docs/decisions`), under one hardened runner: an argument vector, a scrubbed
//! environment, its own process group and a deadline. Everything here blocks.
//!
//! What a repository holds is hostile until shown otherwise: sizes are read from object headers
//! before contents, and every walk is bounded by [`Limits`].

mod credentials;
mod error;
mod history;
mod id;
mod leftovers;
mod location;
mod objects;
mod program;
mod push;
mod reference;
mod repository;
mod secret;
mod source;
mod status;
mod stop;
mod store;
mod tree;
mod watch;
mod wire;
mod words;

pub use error::{GitError, RemoteError};
pub use history::{Ancestors, CommitInfo};
pub use push::PushError;
pub use reference::Reference;
pub use repository::{Fetched, Repository};
pub use source::{Auth, Limits, Source};
pub use status::{Person, StatusBranch, StatusFiles};
pub use stop::Stop;
pub use tree::{Changes, Listing, Refusal, Refused, TreeFile, is_document};
pub use watch::LocalWatch;
