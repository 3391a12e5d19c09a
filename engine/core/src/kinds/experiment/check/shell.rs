//! An entrypoint that is one line for a shell.

use crate::diagnostic::{Code, Diagnostic, cut};
use crate::kinds::experiment::hyperparameters::{self, Part, lookup, parts, text_of};
use crate::kinds::experiment::{Entrypoint, Experiment};

/// Warns of each value that the shell would not read as one word where the line names it. (It may
/// be meant, as with a value that holds several flags.)
pub(super) fn line(document: &Experiment) -> Vec<Diagnostic> {
    let Entrypoint::Shell(line) = &document.spec.entrypoint else {
        return Vec::new();
    };
    let mut quotes = Quotes::None;
    let mut found = Vec::new();
    for part in parts(line) {
        match part {
            Part::Text(text) | Part::Open(text) => quotes = quotes.after(text),
            Part::Reference(path) => {
                let value = lookup(&document.spec.hyperparameters, path).map(text_of);
                if value.is_some_and(|value| !quotes.keep(&value)) {
                    found.push(taken_apart(document, path));
                }
            }
        }
    }
    found
}

fn taken_apart(document: &Experiment, path: &str) -> Diagnostic {
    let cause = format!(
        "the shell does not read the value of `$(hp.{})` as one word",
        cut(path)
    );
    let place = document.place(&["spec", "entrypoint"]);
    let leaves = document
        .at(&["spec", "hyperparameters"])
        .map(hyperparameters::leaves);
    let leaf = leaves
        .into_iter()
        .flatten()
        .find(|leaf| leaf.path() == path);
    let variable = leaf
        .and_then(|leaf| leaf.variable())
        .filter(|name| is_shell_name(name));
    let help = match variable {
        Some(name) => format!("write the entrypoint as a list, or `\"${name}\"` in the line"),
        None => "write the entrypoint as a list".to_owned(),
    };
    Diagnostic::warning(Code::ShellWord, place, cause).help(help)
}

fn is_shell_name(name: &str) -> bool {
    name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// The quotes around a place in a line
/// (<https://pubs.opengroup.org/onlinepubs/9799919799/utilities/V3_chap02.html#tag_19_02>).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Quotes {
    None,
    Single,
    Double,
}

impl Quotes {
    /// The quotes around what follows this text.
    fn after(self, text: &str) -> Self {
        let mut chars = text.chars();
        let mut quotes = self;
        while let Some(c) = chars.next() {
            quotes = match (quotes, c) {
                (Self::None, '\'') => Self::Single,
                (Self::None, '"') => Self::Double,
                (Self::Single, '\'') | (Self::Double, '"') => Self::None,
                (Self::None | Self::Double, '\\') => {
                    chars.next();
                    quotes
                }
                _ => quotes,
            };
        }
        quotes
    }

    /// Whether a value between them stays as it is, and one word.
    fn keep(self, value: &str) -> bool {
        let plain = |c: char| c.is_alphanumeric() || "_@%+:,./=-".contains(c);
        match self {
            Self::None => !value.is_empty() && value.chars().all(plain),
            Self::Single => !value.contains('\''),
            Self::Double => !value.contains(['"', '$', '`', '\\']),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::diagnostic::{Code, Severity};
    use crate::kinds::experiment::testing::{Repository, with};

    /// The help of each warning about such a line.
    fn helps(line: &str) -> Vec<String> {
        let base = Repository::default();
        let own = json!({"entrypoint": line, "hyperparameters": {
            "lr": 0.1, "name": "two words", "none": "", "money": "5$", "list": ["a"],
            "quote": "it's", "path": "s3://a/b-c_d.x", "deep": {"a": "b c", "x.y": "b c"}}});
        let repository = Repository {
            experiment: with(&base.experiment, &own),
            ..base
        };
        let found = super::line(&repository.document());
        let all = found.into_iter().map(|finding| {
            assert_eq!(
                (finding.code, finding.severity),
                (Code::ShellWord, Severity::Warning)
            );
            finding.help.unwrap_or_default()
        });
        all.collect()
    }

    #[test]
    fn what_a_shell_takes_apart_is_told() {
        const LIST: &str = "write the entrypoint as a list";
        for line in [
            "train --lr $(hp.lr) --to=$(hp.path)",
            "train \"$(hp.name)\" '$(hp.name)' '$(hp.list)' '$(hp.none)'",
            "train \"$(hp.quote)\" '$(hp.money)' \"\\\"$(hp.name)\" $$(hp.name)",
        ] {
            assert_eq!(helps(line), [""; 0], "{line}");
        }
        for (line, names) in [
            ("train $(hp.name)", &["name"][..]),
            ("train $(hp.none)", &["none"]),
            ("train \"$(hp.money)\" $(hp.list)", &["money", "list"]),
            (
                "train '$(hp.quote)' \"it's\" $(hp.deep.a)",
                &["quote", "deep_a"],
            ),
            ("train \\\"$(hp.name)\\\"", &["name"]),
        ] {
            let expected = names
                .iter()
                .map(|name| format!("{LIST}, or `\"$BERTH_HP_{name}\"` in the line"));
            assert_eq!(helps(line), expected.collect::<Vec<_>>(), "{line}");
        }
        assert_eq!(helps("train $(hp.deep.x.y)"), [LIST]);
    }
}
