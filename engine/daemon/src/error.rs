//! What a command ends with: an exit code, and on failure the cause apart from the advice.

use std::error::Error;
use std::fmt;
use std::fmt::Write as _;
use std::process::ExitCode;

use berth_core::diagnostic::one_line;

/// How a command that did its work ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Nothing to report: exit code 0.
    Fine,
    /// The answer is a finding (an invalid document, a plan under `--exit-code`): exit code 1.
    Findings,
}

impl Exit {
    /// [`Exit::Findings`] if there are any.
    pub fn findings(any: bool) -> Self {
        if any { Self::Findings } else { Self::Fine }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        match exit {
            Exit::Fine => Self::SUCCESS,
            Exit::Findings => Self::from(1),
        }
    }
}

/// Whose fault it is that a command could not do its work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The question was answered with no: exit code 1.
    Findings,
    /// The command line or the thing it names: exit code 2.
    Usage,
    /// Files, Git, the cluster: exit code 3.
    Environment,
    /// Nobody's: a signal asked for the end. The exit code is 128 and its number, as in a shell.
    Ended(u8),
}

/// Why a command failed. Its causes are printed once, by [`CommandError::report`].
#[derive(Debug)]
pub struct CommandError {
    /// Decides the exit code.
    pub kind: ErrorKind,
    /// What went wrong.
    pub cause: Box<dyn Error + Send + Sync>,
    /// What to do about it, one sentence each.
    pub hints: Vec<String>,
    /// What somebody else says of it, in lines.
    quoted: String,
}

/// What every command gives back.
pub type CommandResult = Result<Exit, CommandError>;

impl CommandError {
    /// An error of the command line.
    pub fn usage(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::new(ErrorKind::Usage, cause)
    }

    /// An error of what the command works on.
    pub fn environment(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::new(ErrorKind::Environment, cause)
    }

    /// A signal asked for the end before the work was done.
    pub fn ended(exit: u8, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::new(ErrorKind::Ended(exit), cause)
    }

    /// The answer is no.
    pub fn findings(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::new(ErrorKind::Findings, cause)
    }

    fn new(kind: ErrorKind, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self {
            kind,
            cause: cause.into(),
            hints: Vec::new(),
            quoted: String::new(),
        }
    }

    /// Says what to do next.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Repeats what somebody else says of it, in lines.
    #[must_use]
    pub fn quoting(mut self, text: impl Into<String>) -> Self {
        self.quoted = text.into();
        self
    }

    /// Says what was being done.
    #[must_use]
    pub fn while_doing(self, doing: impl Into<String>) -> Self {
        let cause = Box::new(Doing {
            doing: doing.into(),
            source: self.cause,
        });
        Self { cause, ..self }
    }

    /// The text for the terminal: the error, each cause below it once, then the hints. Whatever a
    /// line quotes stays on it.
    pub fn report(&self) -> String {
        let error = self.cause.to_string();
        let mut text = format!("{ERROR}error{ERROR:#}: {}\n", one_line(&error));
        let mut last = error;
        let mut below = self.cause.source();
        while let Some(cause) = below {
            let words = cause.to_string();
            if !last.ends_with(&words) {
                let _ = writeln!(text, "  because: {}", one_line(&words));
                last = words;
            }
            below = cause.source();
        }
        for hint in &self.hints {
            let _ = writeln!(text, "{HELP}help{HELP:#}: {}", one_line(hint));
        }
        for line in self.quoted.lines() {
            let _ = writeln!(text, "  {}", one_line(line));
        }
        text
    }
}

const ERROR: anstyle::Style = anstyle::AnsiColor::BrightRed.on_default().bold();
const HELP: anstyle::Style = anstyle::AnsiColor::BrightCyan.on_default().bold();

impl From<ErrorKind> for ExitCode {
    fn from(kind: ErrorKind) -> Self {
        match kind {
            ErrorKind::Findings => Self::from(1),
            ErrorKind::Usage => Self::from(2),
            ErrorKind::Environment => Self::from(3),
            ErrorKind::Ended(exit) => Self::from(exit),
        }
    }
}

impl From<std::io::Error> for CommandError {
    fn from(error: std::io::Error) -> Self {
        Self::environment(error)
    }
}

/// A step, and the error that stopped it.
#[derive(Debug)]
struct Doing {
    doing: String,
    source: Box<dyn Error + Send + Sync>,
}

impl fmt::Display for Doing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot {}", self.doing)
    }
}

impl Error for Doing {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_chain_is_printed_once_and_advice_comes_last() {
        let error = CommandError::environment("no such file")
            .while_doing("read the folder `x`")
            .hint("name another folder");
        let plain = anstream::adapter::strip_str(&error.report()).to_string();
        assert_eq!(
            plain,
            "error: cannot read the folder `x`\n  because: no such file\nhelp: name another folder\n"
        );
    }

    #[test]
    fn what_is_quoted_stays_on_its_line() {
        let error = CommandError::environment("no `a\nerror: b`")
            .while_doing("read `\u{1b}[31mred`")
            .hint("mend `c\n`")
            .quoting("one\n\u{9b}2J");
        let plain = anstream::adapter::strip_str(&error.report()).to_string();
        assert_eq!(
            plain,
            "error: cannot read `\\u001b[31mred`\n  because: no `a\\nerror: b`\nhelp: mend `c\\n`\n  one\n  \\u009b2J\n"
        );
    }
}
