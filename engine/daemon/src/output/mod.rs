//! What people and programs read: text with colour on a terminal only, JSON, YAML, Markdown, SARIF.

mod finding;
mod format;
mod safe;
mod sarif;
mod text;
mod wrap;

use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;

pub use finding::Finding;
pub use format::{ALL, DATA, FINDINGS, Format, TABLES, among};
pub use safe::safe;
pub use sarif::{Remark, sarif};
pub use text::{count, summary};

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

/// The columns of a stream that people look at: `COLUMNS`, or those of its terminal. `None` for a
/// file or a pipe, whose lines are as long as they are.
fn columns(stream: &(impl AsFd + IsTerminal)) -> Option<usize> {
    const USUAL: usize = 80;
    let told = std::env::var("COLUMNS")
        .ok()
        .and_then(|text| text.parse().ok());
    let terminal = || {
        let size = rustix::termios::tcgetwinsize(stream);
        let columns = size.map_or(0, |size| usize::from(size.ws_col));
        // Some terminals do not know how wide they are.
        if columns == 0 { USUAL } else { columns }
    };
    let columns = told.or_else(|| stream.is_terminal().then(terminal));
    columns.map(|columns| columns.clamp(40, 200))
}

/// Findings for the standard output, each followed by a blank line.
pub fn findings_text(findings: &[Finding]) -> String {
    text::findings(findings, columns(&io::stdout()))
}

/// Findings to the standard error.
pub fn complain_of(findings: &[Finding]) {
    let text = text::findings(findings, columns(&io::stderr()));
    let _ = anstream::stderr().lock().write_all(safe(&text).as_bytes());
}

/// Text for people to the standard output, its lines as long as the terminal is wide.
pub fn print(text: &str) -> Result<(), CommandError> {
    print_as_is(&wrap::lines(text, columns(&io::stdout())))
}

/// As [`print`], its lines as long as they are. JSON stays the same JSON: its own escapes are used.
pub fn print_as_is(text: &str) -> Result<(), CommandError> {
    print_data(&safe(text))
}

/// Data whose every letter counts to the standard output: colours are stripped unless it is a terminal.
/// A reader that went away (`berth ... | head`) is no error.
pub fn print_data(text: &str) -> Result<(), CommandError> {
    let mut out = anstream::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other.map_err(CommandError::from),
    }
}

/// Writes to the standard error; what fails there has nowhere to be told.
pub fn complain(text: &str) {
    let text = wrap::lines(text, columns(&io::stderr()));
    let _ = anstream::stderr().lock().write_all(safe(&text).as_bytes());
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
