//! What the git program's words (in the C locale) mean.

use crate::error::RemoteError;
use crate::location::redact;

/// Whether a fetch failed only because the reference does not exist.
pub(crate) fn is_missing_reference(words: &str) -> bool {
    has(words, &["couldn't find remote ref", "not our ref"])
}

/// The cause of a failure; the first that fits, as later words often follow from earlier ones.
pub(crate) fn failure(stderr: &str) -> RemoteError {
    let words = excerpt(stderr);
    let said = unquoted(stderr);
    if has(&said, &HOST_KEY) {
        RemoteError::HostKey { words }
    } else if has(&said, &CERTIFICATE) {
        RemoteError::Certificate { words }
    } else if has(&said, &AUTH) {
        RemoteError::Auth { words }
    } else if has(&said, &["died of signal 25", "File too large"]) {
        RemoteError::TooLarge { words }
    } else if has(&said, &[": File exists"]) {
        RemoteError::Busy { words }
    } else if has(&said, &PROGRAM) {
        RemoteError::Program { words }
    } else if has(&said, &NOT_FOUND) {
        RemoteError::NotFound { words }
    } else {
        RemoteError::Unreachable { words }
    }
}

const HOST_KEY: [&str; 2] = [
    "Host key verification failed",
    "REMOTE HOST IDENTIFICATION HAS CHANGED",
];

const CERTIFICATE: [&str; 4] = ["certificate", "ca cert file", "SSL_ERROR", "SSL peer"];

const AUTH: [&str; 9] = [
    "detected dubious ownership",
    "Authentication failed",
    "could not read Username",
    "could not read Password",
    "Permission denied",
    "Access denied",
    "Too many authentication failures",
    "returned error: 401",
    "returned error: 403",
];

const PROGRAM: [&str; 4] = [
    "cannot run ssh",
    "cannot run index-pack",
    "is not a git command",
    "No user exists for uid",
];

const NOT_FOUND: [&str; 5] = [
    "not found",
    "could not be found",
    "does not appear to be a git repository",
    "does not exist",
    "returned error: 404",
];

/// The words without what they quote: a repository's name could spell anything.
fn unquoted(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\'') {
        plain.push_str(before);
        let opens = before.is_empty() || before.ends_with([' ', '(', '\n']);
        let line = after.split('\n').next().unwrap_or_default();
        rest = match closing(line) {
            Some(end) if opens => &after[end + 1..],
            _ => after,
        };
    }
    plain.push_str(rest);
    plain
}

/// The first quotation mark that ends a word.
fn closing(line: &str) -> Option<usize> {
    let ends = |at: usize| {
        line[at + 1..]
            .chars()
            .next()
            .is_none_or(|c| " :.,;)\r".contains(c))
    };
    line.match_indices('\'')
        .map(|(at, _)| at)
        .find(|at| ends(*at))
}

fn has(words: &str, signs: &[&str]) -> bool {
    signs.iter().any(|sign| words.contains(sign))
}

/// A program's words on one line, bounded and without credentials.
pub(crate) fn excerpt(text: &str) -> String {
    let lines: Vec<_> = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    redact(&lines.join("; ")).chars().take(500).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_understood() {
        let table = [
            (
                "fatal: unable to access 'https://h/r/': server certificate verification failed. CAfile: none CRLfile: none",
                "RemoteCertificate",
            ),
            (
                "fatal: unable to access 'https://h/r/': SSL certificate problem: self-signed certificate",
                "RemoteCertificate",
            ),
            (
                "fatal: Authentication failed for 'https://h/r/'",
                "RemoteAuth",
            ),
            (
                "fatal: could not read Username for 'https://h': terminal prompts disabled",
                "RemoteAuth",
            ),
            (
                "fatal: unable to access 'https://h/r/': The requested URL returned error: 403",
                "RemoteAuth",
            ),
            (
                "git@h: Permission denied (publickey).\r\nfatal: Could not read from remote repository.",
                "RemoteAuth",
            ),
            (
                "No ED25519 host key is known for h and you have requested strict checking.\r\nHost key verification failed.\r\nfatal: Could not read from remote repository.",
                "RemoteHostKey",
            ),
            (
                "fatal: detected dubious ownership in repository at '/r'\nfatal: Could not read from remote repository.",
                "RemoteAuth",
            ),
            (
                "fatal: repository 'https://h/r/' not found",
                "RemoteNotFound",
            ),
            (
                "fatal: '/r' does not appear to be a git repository\nfatal: Could not read from remote repository.",
                "RemoteNotFound",
            ),
            (
                "fatal: unable to access 'https://h/r/': Could not resolve host: h",
                "RemoteUnreachable",
            ),
            (
                "ssh: connect to host h port 22: Connection refused\nfatal: Could not read from remote repository.",
                "RemoteUnreachable",
            ),
            (
                "error: cannot run ssh: No such file or directory\nfatal: unable to fork",
                "GitProgram",
            ),
            (
                "git: 'remote-https' is not a git command. See 'git --help'.",
                "GitProgram",
            ),
            (
                "remote: ERROR: The project you were looking for could not be found.\nfatal: Could not read from remote repository.",
                "RemoteNotFound",
            ),
            (
                "fatal: unable to access 'https://h/r/': gnutls_handshake() failed: The TLS connection was non-properly terminated.",
                "RemoteUnreachable",
            ),
            (
                "error: index-pack died of signal 25\nfatal: index-pack failed",
                "RemoteTooLarge",
            ),
            (
                "error: cannot lock ref 'refs/berth/tip': Unable to create '/m/refs/berth/tip.lock': File exists.",
                "MirrorBusy",
            ),
        ];
        for (words, reason) in table {
            assert_eq!(failure(words).reason(), reason, "{words}");
        }
    }

    #[test]
    fn a_name_spells_no_cause() {
        for name in ["certificate", "Permission denied", "it's not found"] {
            let words = format!("fatal: unable to access 'https://h/{name}/': Empty reply");
            assert_eq!(failure(&words).reason(), "RemoteUnreachable", "{name}");
        }
        let words = "fatal: repository 'https://h/certificate/' not found";
        assert_eq!(failure(words).reason(), "RemoteNotFound");
        let words = "it doesn't work: SSL certificate problem, isn't it";
        assert_eq!(failure(words).reason(), "RemoteCertificate");
    }

    #[test]
    fn words_are_bounded_and_redacted() {
        let words = excerpt("fatal: no 'https://ada:hunter2@h/r'\n\n  remote: \u{1b}[31mred\n");
        assert_eq!(words, "fatal: no 'https://***@h/r'; remote: ?[31mred");
        assert_eq!(excerpt(&"x".repeat(5000)).len(), 500);
    }
}
