//! `-o`: one set of formats for all commands that print data.

use clap::ValueEnum;
use clap::builder::{PossibleValuesParser, TypedValueParser};

use super::{json, print, print_as_is, print_data, yaml};
use crate::error::CommandError;

/// How data is written. A command takes those that make sense for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people
    Text,
    /// One JSON value
    Json,
    /// The same as YAML
    Yaml,
    /// For a pull request
    Markdown,
    /// SARIF 2.1.0, which forges show on the lines of a pull request
    Sarif,
}

/// The formats of all data.
pub const DATA: &[Format] = &[Format::Text, Format::Json, Format::Yaml];
/// Those of what is a table.
pub const TABLES: &[Format] = &[Format::Text, Format::Json, Format::Yaml, Format::Markdown];
/// All of them, for findings with a table.
pub const ALL: &[Format] = &[
    Format::Text,
    Format::Json,
    Format::Yaml,
    Format::Markdown,
    Format::Sarif,
];
/// Those of findings.
pub const FINDINGS: &[Format] = &[Format::Text, Format::Json, Format::Yaml, Format::Sarif];

/// Takes these formats and refuses others, with the ones that there are.
pub fn among(formats: &'static [Format]) -> impl TypedValueParser<Value = Format> {
    let values = formats.iter().filter_map(Format::to_possible_value);
    PossibleValuesParser::new(values)
        .map(|name| Format::from_str(&name, false).unwrap_or(Format::Text))
}

impl Format {
    /// Prints a value for programs, or in the words that `words` has for any other format.
    pub fn print(
        self,
        value: &impl serde::Serialize,
        words: impl FnOnce(Self) -> Result<String, CommandError>,
    ) -> Result<(), CommandError> {
        match self {
            Self::Json => print_as_is(&json(value)?),
            Self::Yaml => print_data(&yaml(value)?),
            Self::Text => print(&words(self)?),
            other => print_as_is(&words(other)?),
        }
    }
}
