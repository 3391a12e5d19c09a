//! What can go wrong, and what to do about it.

use std::path::PathBuf;
use std::time::Duration;

/// The error below ours. It is never part of a `Display`: the binary prints the chain once.
pub(crate) type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Why a repository could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// The path or URL is none that Berth opens; no program was run.
    #[error("`{shown}` cannot be opened: {why}")]
    Location {
        /// The location, without credentials and control characters.
        shown: String,
        /// The rule that it breaks.
        why: &'static str,
    },
    /// The name is no reference; no program was run.
    #[error("`{shown}` is not a reference: {why}")]
    Reference {
        /// The name, without control characters.
        shown: String,
        /// The rule that it breaks.
        why: &'static str,
    },
    /// A token or key file is missing, unreadable or unusable.
    #[error("{what} cannot be used: {why}")]
    Credentials {
        /// The setting, with its path.
        what: String,
        /// What is wrong with it.
        why: String,
    },
    /// The local path holds no repository that can be opened.
    #[error("{} is not a Git repository", path.display())]
    NotARepository {
        /// The path as given.
        path: PathBuf,
        /// What gix said.
        source: Cause,
    },
    /// The repository is in a format that Berth does not read.
    #[error("{} is a Git repository of {format}, which Berth does not read", path.display())]
    Format {
        /// The path as given.
        path: PathBuf,
        /// What it is made of.
        format: &'static str,
    },
    /// The repository has no commit at all.
    #[error("the repository is empty")]
    Empty,
    /// The repository has commits, but not this reference.
    #[error("the repository has no `{reference}`")]
    MissingReference {
        /// The reference as given.
        reference: String,
        /// Some references that it has.
        known: Vec<String>,
    },
    /// The reference could be the beginning of a commit's id, but is neither that nor a name.
    #[error("{} `{reference}`", if *mirrored {
        "the remote has no such branch or tag, and its mirror here no commit that begins with"
    } else {
        "the repository has no branch or tag, and no commit that begins with"
    })]
    MissingCommit {
        /// The reference as given.
        reference: String,
        /// Whether only the mirror of a remote could be asked.
        mirrored: bool,
        /// Some references that it has.
        known: Vec<String>,
    },
    /// The ids of several commits begin with the reference.
    #[error("`{reference}` begins the ids of several commits")]
    Ambiguous {
        /// The reference as given.
        reference: String,
        /// Some of them.
        commits: Vec<String>,
    },
    /// The reference leads to a tree or a blob.
    #[error("`{reference}` does not lead to a commit")]
    NotACommit {
        /// The reference as given.
        reference: String,
    },
    /// The repository is larger than [`crate::Limits`] allow.
    #[error("{what} passes the limit of {limit}")]
    Limit {
        /// What was counted or measured.
        what: &'static str,
        /// The limit that it passes.
        limit: u64,
    },
    /// An object is missing, damaged or not of the expected kind.
    #[error("object {id} cannot be read")]
    Object {
        /// Its id in hex.
        id: String,
        /// What gix said.
        source: Cause,
    },
    /// A path that no status branch may hold: absolute, empty, with `..`, `.git` and so on.
    #[error("`{path}` cannot be a path in a tree")]
    TreePath {
        /// The path as given.
        path: String,
    },
    /// The status branch holds an entry that Berth never writes.
    #[error("the status branch holds `{path}`, which Berth did not write ({why})")]
    Foreign {
        /// The path, without control characters.
        path: String,
        /// The reason of the refusal.
        why: &'static str,
    },
    /// The compare-and-swap of a reference failed: another writer was faster.
    #[error("`{reference}` is no longer where it was")]
    Moved {
        /// The full name.
        reference: String,
        /// What gix said.
        source: Cause,
    },
    /// An object id that is not SHA-1 in hex.
    #[error("not a SHA-1 object id")]
    Hash,
    /// The references cannot be watched.
    #[error("cannot watch the repository")]
    Watch {
        /// What the system said.
        source: Cause,
    },
    /// The repository's store failed while it was read or written.
    #[error("cannot {doing}")]
    Store {
        /// The step that failed.
        doing: &'static str,
        /// The error below.
        source: Cause,
    },
    /// The remote could not be used.
    #[error(transparent)]
    Remote(#[from] RemoteError),
}

impl GitError {
    /// A stable word for metrics and status.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Location { .. } => "BadLocation",
            Self::Reference { .. } => "BadReference",
            Self::Credentials { .. } => "BadCredentials",
            Self::NotARepository { .. } => "NotARepository",
            Self::Format { .. } => "OtherFormat",
            Self::Empty => "EmptyRepository",
            Self::MissingReference { .. } => "MissingReference",
            Self::MissingCommit { .. } => "MissingCommit",
            Self::Ambiguous { .. } => "AmbiguousCommit",
            Self::NotACommit { .. } => "NotACommit",
            Self::Limit { .. } => "TooLarge",
            Self::Object { .. } => "BadObject",
            Self::TreePath { .. } => "BadTreePath",
            Self::Foreign { .. } => "ForeignEntry",
            Self::Moved { .. } => "Moved",
            Self::Hash => "BadHash",
            Self::Watch { .. } => "WatchFailed",
            Self::Store { .. } => "StoreFailed",
            Self::Remote(error) => error.reason(),
        }
    }

    /// The next thing to do, as one sentence.
    pub fn help(&self) -> String {
        match self {
            Self::Location { .. } => {
                "give a local path, or a URL of file, ssh, https or http".into()
            }
            Self::Reference { .. } => {
                "give a branch, a tag, a full name such as refs/heads/main, or a commit id or its first 7 digits or more".into()
            }
            Self::Credentials { .. } => "check the file and that the daemon may read it".into(),
            Self::NotARepository { .. } => {
                "give the folder that holds .git, or a bare repository; `git init` makes one".into()
            }
            Self::Format { .. } => "export its branch into a repository of SHA-1 object ids and references in files: `git fast-export --all | git -C NEW fast-import`, where `git init --object-format=sha1 NEW` made it".into(),
            Self::Empty => {
                "commit the first documents; state-example/ shows a whole repository".into()
            }
            Self::MissingReference { known, .. } if known.is_empty() => {
                "push the branch, or name another one".into()
            }
            Self::MissingReference { known, .. } => {
                format!("push it, or name one that is there: {}", known.join(", "))
            }
            Self::MissingCommit { reference, mirrored: true, known } => format!(
                "a remote cannot be asked for an abbreviated commit: give all 40 digits (`git rev-parse {reference}` where you have it), or {}",
                a_name("the branch that holds it", known)
            ),
            Self::MissingCommit { known, .. } => format!(
                "check its digits (`git log` shows them), fetch it into this repository first, or name {}",
                a_name("a branch or a tag", known)
            ),
            Self::Ambiguous { commits, .. } => {
                format!("give more digits: {}", commits.join(", "))
            }
            Self::NotACommit { .. } => "name a branch, or a tag of a commit".into(),
            Self::Limit { .. } => {
                "keep data out of the state repository, or raise the limit".into()
            }
            Self::Object { .. } => {
                "run `git fsck` there; a mirror may be deleted, it is fetched again".into()
            }
            Self::TreePath { .. } => "use a relative path without `..`".into(),
            Self::Foreign { .. } => "look who pushed it, and remove it from the branch".into(),
            Self::Moved { .. } => "load the branch again and plan anew".into(),
            Self::Hash => "Berth reads repositories of SHA-1 object ids".into(),
            Self::Watch { .. } => {
                "raise fs.inotify.max_user_watches; it is polled until then".into()
            }
            Self::Store { .. } => {
                "check free space and permissions of the repository's folder".into()
            }
            Self::Remote(error) => error.help().into(),
        }
    }

    /// Makes a [`GitError::Store`] of the error below.
    pub(crate) fn store<E: Into<Cause>>(doing: &'static str) -> impl FnOnce(E) -> Self {
        move |source| Self::Store {
            doing,
            source: source.into(),
        }
    }

    /// Makes a [`GitError::Object`] of the error below.
    pub(crate) fn object<E: Into<Cause>>(id: impl ToString) -> impl FnOnce(E) -> Self {
        move |source| Self::Object {
            id: id.to_string(),
            source: source.into(),
        }
    }
}

/// What to name instead, with what there is.
fn a_name(what: &str, known: &[String]) -> String {
    match known {
        [] => what.to_owned(),
        known => format!("{what}; there is {}", known.join(", ")),
    }
}

/// Why a remote could not be used. `words` are its own, bounded and without credentials.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RemoteError {
    /// The remote wants other credentials, or these may not do this.
    #[error("the remote did not accept the credentials: {words}")]
    Auth {
        /// What was said.
        words: String,
    },
    /// The host's ssh key is not among the known ones, or has changed.
    #[error("the host's ssh key is not known: {words}")]
    HostKey {
        /// What was said.
        words: String,
    },
    /// The TLS certificate of the remote is not trusted.
    #[error("the remote's certificate is not trusted: {words}")]
    Certificate {
        /// What was said.
        words: String,
    },
    /// The host answers, but has no such repository, or hides it.
    #[error("the remote has no such repository: {words}")]
    NotFound {
        /// What was said.
        words: String,
    },
    /// The remote did not answer as a Git server does.
    #[error("the remote cannot be reached: {words}")]
    Unreachable {
        /// What was said.
        words: String,
    },
    /// The remote did not finish in time, and was given up.
    #[error("the remote did not answer within {} s", after.as_secs_f32())]
    Timeout {
        /// The time that it was given.
        after: Duration,
    },
    /// The remote sends more than [`crate::Limits::max_fetch`].
    #[error("the remote sends more than the limit: {words}")]
    TooLarge {
        /// What was said.
        words: String,
    },
    /// Another program is at work in the mirror, or was stopped in the middle of it.
    #[error("the mirror is locked: {words}")]
    Busy {
        /// What was said.
        words: String,
    },
    /// It was given up, as [`crate::Stop`] said.
    #[error("given up, as this program ends")]
    Stopped,
    /// The git program, or one that it needs, cannot be run.
    #[error("the git program cannot be run: {words}")]
    Program {
        /// The system's words, or git's.
        words: String,
    },
}

impl RemoteError {
    /// A stable word for metrics and status.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Auth { .. } => "RemoteAuth",
            Self::HostKey { .. } => "RemoteHostKey",
            Self::Certificate { .. } => "RemoteCertificate",
            Self::NotFound { .. } => "RemoteNotFound",
            Self::Unreachable { .. } => "RemoteUnreachable",
            Self::Timeout { .. } => "RemoteTimeout",
            Self::TooLarge { .. } => "RemoteTooLarge",
            Self::Busy { .. } => "MirrorBusy",
            Self::Stopped => "Stopped",
            Self::Program { .. } => "GitProgram",
        }
    }

    /// The next thing to do, as one sentence.
    pub const fn help(&self) -> &'static str {
        match self {
            Self::Auth { .. } => {
                "check the token file, key or credential helper, and what its account may do in this repository"
            }
            Self::HostKey { .. } => {
                "verify the host's key and add it to the known_hosts file; if it changed, ask why first"
            }
            Self::Certificate { .. } => {
                "name the file of its authority with --ca-file; have it replaced if it has expired or is for another host"
            }
            Self::NotFound { .. } => {
                "check the URL, and that these credentials may see the repository"
            }
            Self::Unreachable { .. } => {
                "check the URL and the network; the daemon tries again by itself"
            }
            Self::Timeout { .. } => {
                "check the network and the server, or raise --git-timeout; the daemon tries again by itself"
            }
            Self::TooLarge { .. } => {
                "keep data out of the state repository, or raise --git-max-fetch"
            }
            Self::Busy { .. } => {
                "let one daemon use a mirror; a lock left behind goes at a start after ten minutes"
            }
            Self::Stopped => "start it again",
            Self::Program { .. } => {
                "install git, and for ssh an OpenSSH client, on the PATH; ssh wants its user in /etc/passwd"
            }
        }
    }
}
