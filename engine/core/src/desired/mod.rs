//! The validated model of a snapshot.
//!
//! A file is parsed once a (path, blob), and each of its documents is checked once an input: what
//! it and all that it refers to say. A change of its neighbours in the file changes nothing of it.
//! What is invalid keeps its last applied form and says so; only it and what refers to it stands
//! still. A fault hides no other: what is sound of a faulty document is checked further.

mod files;
#[cfg(test)]
pub(crate) mod fixture;
mod gone;
mod hold;
mod index;
mod judge;
mod loader;
mod model;
mod past;
mod provisional;
mod refer;
#[cfg(test)]
mod tests;
mod units;

pub use files::{ListedFile, RefusedFile, documents_in, place_of};
pub use loader::{Loader, Validation};
pub use model::{Desired, Scope, Unit};
