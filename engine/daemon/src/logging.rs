//! What the daemon says while it runs: to the standard error, as text or as JSON, filtered by
//! `RUST_LOG`.

use std::io::{self, IsTerminal, Write};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

use crate::output;

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Sets up logging for the whole process; a second call changes nothing.
pub fn start(format: LogFormat, level: LevelFilter) {
    let filter = EnvFilter::builder()
        .with_default_directive(level.into())
        .from_env_lossy();
    let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        // It would tell of them on the standard error, which is what failed, and panic.
        .log_internal_errors(false)
        .with_writer(|| Lines(io::stderr()));
    let started = match format {
        LogFormat::Text => lines.with_ansi(colour).with_target(false).try_init(),
        LogFormat::Json => lines
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .try_init(),
    };
    if let Err(error) = started {
        output::complain(&format!("warning: logging is not set up: {error}\n"));
    }
}

/// Each event is one write and one line, whatever the words of others hold that it quotes.
struct Lines<W: Write>(W);

impl<W: Write> Write for Lines<W> {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(event);
        let line = text.strip_suffix('\n').unwrap_or(&text);
        let shown = output::safe(line).replace('\n', "\\n");
        self.0.write_all((shown + "\n").as_bytes())?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_one_line() {
        let mut lines = Lines(Vec::new());
        let events = [
            "\u{1b}[32m INFO\u{1b}[0m one\n",
            "WARN no `a\nERROR b\u{9b}2J\u{1b}]0;c\u{7}`\n",
            "{\"message\":\"a\\nb\u{85}\"}\n",
        ];
        for event in events {
            lines.write_all(event.as_bytes()).unwrap();
        }
        let wanted = "\u{1b}[32m INFO\u{1b}[0m one\n\
            WARN no `a\\nERROR b\\u009b2J\\u001b]0;c\\u0007`\n\
            {\"message\":\"a\\nb\\u0085\"}\n";
        assert_eq!(String::from_utf8(lines.0).unwrap(), wanted);
    }
}
