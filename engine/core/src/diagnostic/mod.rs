//! What is wrong with a document, said so that its author can mend it.

mod closest;
mod code;
mod counted;
mod line;
mod reference;

use std::sync::Arc;

pub use closest::closest;
pub use code::Code;
pub use counted::counted;
pub use line::{lines, one_line};
pub use reference::reference;

use crate::ids::{BlobId, UnitId};
use crate::object::{Place, SourceId};

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The document is not applied.
    Error,
    /// The document is applied, but this is worth a look.
    Warning,
}

/// What a finding shows of a text of a document: its first 80 characters.
pub(crate) fn cut(text: &str) -> String {
    text.chars().take(80).collect()
}

/// One finding.
#[derive(Debug, Clone, PartialEq)]
pub struct Diagnostic {
    /// Its stable code; `docs/` explains each.
    pub code: Code,
    /// Error or warning.
    pub severity: Severity,
    /// The document, if it could be told.
    pub unit: Option<UnitId>,
    /// Where; `None` for what concerns the repository as a whole.
    pub place: Option<Place>,
    /// What is wrong, one line, without a full stop.
    pub cause: String,
    /// Other places that matter, each with a few words (`first defined here`).
    pub related: Vec<(Place, String)>,
    /// The next thing to do.
    pub help: Option<String>,
}

impl Diagnostic {
    /// An error of this code at this place. Whatever the words quote stays on their line, here and
    /// below.
    pub fn error(code: Code, place: Place, cause: impl Into<String>) -> Self {
        Self {
            code,
            severity: Severity::Error,
            unit: None,
            place: Some(place),
            cause: one_line(&cause.into()).into_owned(),
            related: Vec::new(),
            help: None,
        }
    }

    /// A warning of this code at this place.
    pub fn warning(code: Code, place: Place, cause: impl Into<String>) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(code, place, cause)
        }
    }

    /// Whether it keeps its document out of force.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }

    /// Says what to do next.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(one_line(&help.into()).into_owned());
        self
    }

    /// Points at another place that matters.
    #[must_use]
    pub fn related(mut self, place: Place, words: impl Into<String>) -> Self {
        self.related
            .push((place, one_line(&words.into()).into_owned()));
        self
    }
}

/// One text that documents were read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Its path in the repository, `/` between folders.
    pub path: Arc<str>,
    /// The blob that was read.
    pub blob: BlobId,
}

/// The texts of a snapshot; a [`SourceId`] is an index into it. A copy costs nothing until a text
/// is added.
#[derive(Debug, Clone, Default)]
pub struct SourceTable(Arc<Vec<Source>>);

impl SourceTable {
    /// Adds a text and gives its id.
    pub fn add(&mut self, source: Source) -> SourceId {
        let id = SourceId(u32::try_from(self.0.len()).unwrap_or(u32::MAX - 1));
        Arc::make_mut(&mut self.0).push(source);
        id
    }

    /// `path:line` of a place; `None` for the engine's.
    pub fn line(&self, place: Place) -> Option<String> {
        let source = self.get(place.source)?;
        Some(format!("{}:{}", source.path, place.span.line))
    }

    /// The text of this id; `None` for the engine.
    pub fn get(&self, id: SourceId) -> Option<&Source> {
        self.0.get(id.0 as usize)
    }
}
