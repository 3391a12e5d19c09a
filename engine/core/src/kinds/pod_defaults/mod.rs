//! `PodDefaults`: what every pod starts from.

mod document;

pub use document::{PodDefaults, PodDefaultsSpec};
