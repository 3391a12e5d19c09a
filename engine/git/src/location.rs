//! Where a repository is: a local path, or a URL of one of four schemes.

use std::fmt;
use std::path::PathBuf;

use crate::error::GitError;
use crate::secret::Secret;

/// A location that was parsed, and refused if a program could take it for anything else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Location {
    /// A work tree or bare repository of this machine, used in place.
    Local(PathBuf),
    /// A repository behind a transport, kept as a mirror.
    Remote(Remote),
}

/// A remote, in the parts that the git program is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Remote {
    /// The URL without a password.
    pub(crate) url: String,
    pub(crate) scheme: Scheme,
    /// Host and port; empty for `file`.
    pub(crate) host: String,
    pub(crate) user: Option<String>,
    /// The password that stood in an http(s) URL.
    pub(crate) password: Option<Secret>,
}

/// The transports that Berth uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scheme {
    File,
    Ssh,
    Https,
    Http,
}

impl Location {
    /// Parses a path, a URL, or the scp-like `user@host:path`.
    pub(crate) fn parse(text: &str) -> Result<Self, GitError> {
        let refuse = |why| GitError::Location {
            shown: redact(text),
            why,
        };
        if text.is_empty() {
            return Err(refuse("it is empty"));
        }
        if text.len() > 4096 {
            return Err(refuse("it is longer than 4096 bytes"));
        }
        if text.chars().any(char::is_control) {
            return Err(refuse("it holds a control character"));
        }
        if text.starts_with('-') {
            return Err(refuse("it begins with `-`, as an option of a program does"));
        }
        if names_helper(text) {
            return Err(refuse("transport helpers (`ext::` and others) are not run"));
        }
        let parsed = match text.split_once("://") {
            Some((scheme, rest)) if !scheme.contains('/') => url(text, scheme, rest),
            _ if is_scp_like(text) => scp_like(text),
            _ => return Ok(Self::Local(PathBuf::from(text))),
        };
        parsed.map(Self::Remote).map_err(refuse)
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local(path) => path.display().fmt(f),
            Self::Remote(remote) => f.write_str(&redact(&remote.url)),
        }
    }
}

impl Remote {
    /// Whether what is sent there stays on this machine.
    pub(crate) fn is_loopback(&self) -> bool {
        let name = self
            .host
            .rsplit_once(':')
            .map_or(self.host.as_str(), |(name, _)| name);
        matches!(name, "localhost" | "127.0.0.1" | "[::1]")
    }
}

fn names_helper(text: &str) -> bool {
    text.split_once("::").is_some_and(|(name, _)| {
        !name.is_empty()
            && name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"+-._".contains(&byte))
    })
}

fn is_scp_like(text: &str) -> bool {
    let slash = text.find('/').unwrap_or(text.len());
    text.find(':').is_some_and(|colon| colon < slash)
}

fn scp_like(text: &str) -> Result<Remote, &'static str> {
    let (authority, path) = text.split_once(':').unwrap_or((text, ""));
    let (user, host) = split_user(authority);
    check_words(user, host)?;
    if path.is_empty() || path.starts_with('-') {
        return Err("the path after the host is empty or begins with `-`");
    }
    let (user, host) = (user.map(str::to_owned), host.to_owned());
    Ok(Remote {
        url: text.to_owned(),
        scheme: Scheme::Ssh,
        host,
        user,
        password: None,
    })
}

fn url(text: &str, scheme: &str, rest: &str) -> Result<Remote, &'static str> {
    let scheme = match scheme {
        "file" => Scheme::File,
        "ssh" => Scheme::Ssh,
        "https" => Scheme::Https,
        "http" => Scheme::Http,
        _ => return Err("the scheme is not file, ssh, https or http"),
    };
    if scheme == Scheme::File {
        return file(text, rest);
    }
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let (info, host) = split_user(authority);
    let (user, password) = match info.and_then(|info| info.split_once(':')) {
        Some((user, password)) => (Some(user), Some(password)),
        None => (info, None),
    };
    check_words(user, host)?;
    if password.is_some() && scheme == Scheme::Ssh {
        return Err("ssh takes a key, not a password in the URL");
    }
    let name = text.split_once("://").map_or("", |(name, _)| name);
    // With a password, both go to git by its `store` helper, where no list of processes shows them.
    let at = user
        .filter(|_| password.is_none())
        .map(|user| format!("{user}@"))
        .unwrap_or_default();
    Ok(Remote {
        url: format!("{name}://{at}{host}{path}"),
        scheme,
        host: host.to_owned(),
        user: user.map(str::to_owned),
        password: password.map(Secret::of_url),
    })
}

fn file(text: &str, path: &str) -> Result<Remote, &'static str> {
    if !path.starts_with('/') {
        return Err("a file URL has an absolute path and no host: file:///path");
    }
    let url = text.to_owned();
    Ok(Remote {
        url,
        scheme: Scheme::File,
        host: String::new(),
        user: None,
        password: None,
    })
}

fn split_user(authority: &str) -> (Option<&str>, &str) {
    match authority.rsplit_once('@') {
        Some((user, host)) => (Some(user), host),
        None => (None, authority),
    }
}

fn check_words(user: Option<&str>, host: &str) -> Result<(), &'static str> {
    if host.is_empty() {
        return Err("it names no host");
    }
    if host.starts_with('-') || user.is_some_and(|user| user.starts_with('-')) {
        return Err("its host or user begins with `-`, as an option of a program does");
    }
    if host
        .chars()
        .any(|c| c.is_whitespace() || "'\"`$\\;&|<>(){}".contains(c))
    {
        return Err("its host holds a character that no host name has");
    }
    let port = host
        .rsplit_once(':')
        .map(|(_, port)| port)
        .filter(|port| !port.ends_with(']'));
    if port.is_some_and(|port| port.is_empty() || !port.bytes().all(|byte| byte.is_ascii_digit())) {
        return Err(
            "its port is not a number; write `/`, `:` and `@` of a password as %2F, %3A, %40",
        );
    }
    Ok(())
}

/// The text without credentials: what stands between `://` and the last `@` of the word is replaced
/// (rather too much than too little: a password may hold a `/`), in every URL of it. Control characters are replaced too, and the length is bounded.
pub(crate) fn redact(text: &str) -> String {
    let mut shown = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("://") {
        shown.push_str(before);
        shown.push_str("://");
        let end = after.find(char::is_whitespace).unwrap_or(after.len());
        let (word, tail) = after.split_at(end);
        let (user, host) = split_user(word);
        match user {
            Some(user) if before.ends_with("ssh") && !user.contains(':') => {
                shown.push_str(user);
                shown.push('@');
            }
            Some(_) => shown.push_str("***@"),
            None => {}
        }
        shown.push_str(host);
        rest = tail;
    }
    shown.push_str(rest);
    printable(&shown)
}

/// The text with control characters replaced, bounded.
pub(crate) fn printable(text: &str) -> String {
    text.chars()
        .take(2000)
        .map(|c| if c.is_control() && c != '\n' { '?' } else { c })
        .collect()
}
