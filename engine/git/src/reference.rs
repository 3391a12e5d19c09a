//! The name of what to read: a branch, a tag, a full reference or a commit.

use std::fmt;
use std::str::FromStr;

use crate::error::GitError;
use crate::location::printable;

/// Digits of an abbreviated commit, as git itself shows them at least.
const SHORTEST: usize = 7;

/// A validated reference: a branch or tag (`main`), a full name (`refs/heads/main`), `HEAD`, a
/// commit id of 40 hex digits, or its first digits, from 7 on. It never begins with `-`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference(String);

impl Reference {
    /// The text as given.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The full names to look for, best first. A branch comes before a tag of the same name: who
    /// may push tags must not be able to stand in for a protected branch.
    pub(crate) fn candidates(&self) -> Vec<String> {
        if self.0 == "HEAD" || self.0.starts_with("refs/") || self.is_commit() {
            return vec![self.0.clone()];
        }
        vec![
            format!("refs/heads/{}", self.0),
            format!("refs/tags/{}", self.0),
        ]
    }

    /// Whether it names a commit by its id.
    pub(crate) fn is_commit(&self) -> bool {
        self.0.len() == 40 && self.is_hex()
    }

    /// What the ids of the commits begin with that it may name, if nothing has it for its name.
    pub(crate) fn abbreviation(&self) -> Option<gix::hash::Prefix> {
        let short = (SHORTEST..40).contains(&self.0.len()) && self.is_hex();
        let digits = short.then(|| self.0.to_ascii_lowercase())?;
        gix::hash::Prefix::from_hex(&digits).ok()
    }

    fn is_hex(&self) -> bool {
        self.0.bytes().all(|byte| byte.is_ascii_hexdigit())
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Reference {
    type Err = GitError;

    fn from_str(text: &str) -> Result<Self, GitError> {
        fault(text).map_or_else(
            || Ok(Self(text.to_owned())),
            |why| {
                Err(GitError::Reference {
                    shown: printable(text),
                    why,
                })
            },
        )
    }
}

fn fault(text: &str) -> Option<&'static str> {
    if text.is_empty() {
        return Some("it is empty");
    }
    if text.len() > 255 {
        return Some("it is longer than 255 bytes");
    }
    if text.starts_with('-') {
        return Some("it begins with `-`, as an option of a program does");
    }
    if text.chars().any(char::is_control) {
        return Some("it holds a control character");
    }
    let valid = gix::validate::reference::name_partial(text.into()).is_ok();
    (!valid).then_some("git allows no such name")
}
