//! What to read, from where, as whom, and how much of it at most.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::error::GitError;
use crate::location::Location;
use crate::reference::Reference;
use crate::stop::Stop;

/// One repository and the reference of it that is read.
#[derive(Debug, Clone)]
pub struct Source {
    pub(crate) location: Location,
    pub(crate) reference: Reference,
    pub(crate) auth: Auth,
    pub(crate) ca_file: Option<PathBuf>,
    pub(crate) limits: Limits,
    pub(crate) stop: Stop,
}

/// How Berth makes itself known to a remote. Files are read anew for each use, so that they may be
/// rotated.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Auth {
    /// What the user's own git would do, without asking: credential helpers, the ssh agent and the
    /// user's known hosts.
    #[default]
    Default,
    /// An access token for http(s), sent only to the URL's own host.
    Token {
        /// The file that holds the token alone.
        file: PathBuf,
    },
    /// A key for ssh, with the hosts that are trusted; no other key or host is tried.
    SshKey {
        /// The private key, without a passphrase.
        key: PathBuf,
        /// The `known_hosts` file.
        known_hosts: PathBuf,
    },
}

/// The most that is read of a repository, and the longest that a remote is waited for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one document.
    pub max_file: u64,
    /// Documents, and also refused entries, of one snapshot.
    pub max_files: usize,
    /// Bytes of all documents of one snapshot.
    pub max_total: u64,
    /// Folders within folders.
    pub max_depth: usize,
    /// Bytes of what one fetch brings (compressed, as it is sent).
    pub max_fetch: u64,
    /// One fetch or push, from its start to its end.
    pub timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_file: 1 << 20,
            max_files: 50_000,
            max_total: 512 << 20,
            max_depth: 32,
            max_fetch: 2 << 30,
            timeout: Duration::from_mins(1),
        }
    }
}

impl Source {
    /// Parses a location (a path, or a URL of file, ssh, https or http, or `user@host:path`) and a
    /// reference. Nothing is opened or run.
    pub fn new(location: &str, reference: &str) -> Result<Self, GitError> {
        Ok(Self {
            location: Location::parse(location)?,
            reference: reference.parse()?,
            auth: Auth::Default,
            ca_file: None,
            limits: Limits::default(),
            stop: Stop::default(),
        })
    }

    /// The same source, with these credentials.
    #[must_use]
    pub fn with_auth(self, auth: Auth) -> Self {
        Self { auth, ..self }
    }

    /// The same source; only the authorities in this PEM file are trusted for https.
    #[must_use]
    pub fn with_ca_file(self, file: PathBuf) -> Self {
        Self {
            ca_file: Some(file),
            ..self
        }
    }

    /// The same source, with these limits.
    #[must_use]
    pub fn with_limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// The same source; what speaks to its remote is given up when this says so.
    #[must_use]
    pub fn with_stop(self, stop: Stop) -> Self {
        Self { stop, ..self }
    }

    /// How much is read at most, and how long a remote is waited for.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The reference that is read.
    pub fn reference(&self) -> &Reference {
        &self.reference
    }

    /// The path of a repository that is read in place; none for a remote.
    pub fn local_path(&self) -> Option<&std::path::Path> {
        match &self.location {
            Location::Local(path) => Some(path),
            Location::Remote(_) => None,
        }
    }
}

/// The location, without credentials.
impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.location.fmt(f)
    }
}
