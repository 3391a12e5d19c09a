//! What the API server does with a body, as pure functions driven by the types' shapes:
//! server-side apply, ownership of fields, patches, strict decoding and defaults.

mod compare;
mod conflict;
mod custom;
mod default;
mod fields;
mod go;
#[cfg(test)]
mod golden;
mod managed;
mod merge;
mod mismatch;
mod mistyped;
mod normal;
mod patch;
mod server_side;
mod strategic;
mod strict;
mod typed;

pub use conflict::ApplyError;
pub use custom::invalid;
pub use default::default;
pub use go::{json_name, plain as go_text};
pub use mismatch::mismatch;
pub use normal::normalize;
pub use patch::{PatchError, PatchKind, patch};
pub use server_side::{Write, apply, is_noop, update};
pub use strict::{decode, strict_error, unknown_fields};
