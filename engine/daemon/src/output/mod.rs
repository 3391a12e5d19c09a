//! What people and programs read: text with colour on a terminal only, JSON, YAML, Markdown, SARIF.

mod finding;
mod sarif;
mod text;

use std::io::{self, Write};

pub use finding::Finding;
pub use sarif::sarif;
pub use text::{findings as findings_text, summary};

use crate::error::CommandError;

/// Headings.
pub const BOLD: anstyle::Style = anstyle::Style::new().bold();
/// What is beside the point.
pub const DIM: anstyle::Style = anstyle::Style::new().dimmed();
/// What went well.
pub const GREEN: anstyle::Style = anstyle::AnsiColor::Green.on_default();
/// What changes or waits.
pub const YELLOW: anstyle::Style = anstyle::AnsiColor::Yellow.on_default();
/// What went wrong, or goes.
pub const RED: anstyle::Style = anstyle::AnsiColor::Red.on_default();
/// Names of commits and runs.
pub const CYAN: anstyle::Style = anstyle::AnsiColor::Cyan.on_default();

/// Columns of the text that Berth prints, unless `COLUMNS` says less or more.
pub fn columns() -> usize {
    let told = std::env::var("COLUMNS")
        .ok()
        .and_then(|text| text.parse().ok());
    told.unwrap_or(80).clamp(40, 200)
}

/// Writes to the standard output: colours are stripped unless it is a terminal. A reader that went
/// away (`berth ... | head`) is no error.
pub fn print(text: &str) -> Result<(), CommandError> {
    let mut out = anstream::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other.map_err(CommandError::from),
    }
}

/// Writes to the standard error; what fails there has nowhere to be told.
pub fn complain(text: &str) {
    let _ = anstream::stderr().lock().write_all(text.as_bytes());
}

/// A value as JSON, indented, with a newline at its end.
pub fn json(value: &impl serde::Serialize) -> Result<String, CommandError> {
    let text = serde_json::to_string_pretty(value).map_err(CommandError::environment)?;
    Ok(text + "\n")
}

/// A value as YAML.
pub fn yaml(value: &impl serde::Serialize) -> Result<String, CommandError> {
    serde_saphyr::to_string(value).map_err(CommandError::environment)
}
