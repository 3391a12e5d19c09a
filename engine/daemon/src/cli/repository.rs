//! Which repository, which reference of it, and as whom.

use std::path::{Path, PathBuf};
use std::time::Duration;

use berth_core::ids::DigestWriter;
use berth_git::{Auth, GitError, Limits, Source};

use crate::error::CommandError;

/// The arguments of commands that read a repository.
#[derive(Debug, Clone, clap::Args)]
pub struct RepositoryArgs {
    /// The state repository: a path, or a URL of ssh, https, http or file
    #[arg(long, env = "BERTH_REPO", value_name = "URL")]
    pub repo: Option<String>,
    /// The branch, tag or commit that is read; a commit also by its first digits, from 7 on
    #[arg(
        long = "ref",
        alias = "rev",
        env = "BERTH_REF",
        default_value = "HEAD",
        value_name = "REF"
    )]
    pub reference: String,
    #[command(flatten)]
    pub access: AccessArgs,
}

/// As whom, and where a remote is mirrored.
#[derive(Debug, Clone, clap::Args)]
pub struct AccessArgs {
    /// A file that holds an access token for https
    #[arg(
        long,
        env = "BERTH_TOKEN_FILE",
        value_name = "FILE",
        conflicts_with = "ssh_key"
    )]
    token_file: Option<PathBuf>,
    /// A private key for ssh
    #[arg(
        long,
        env = "BERTH_SSH_KEY",
        value_name = "FILE",
        requires = "known_hosts"
    )]
    ssh_key: Option<PathBuf>,
    /// The hosts that ssh trusts
    #[arg(long, env = "BERTH_KNOWN_HOSTS", value_name = "FILE")]
    known_hosts: Option<PathBuf>,
    /// The authorities that https trusts, as PEM
    #[arg(long, env = "BERTH_CA_FILE", value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// How long a fetch or a push may take, in seconds
    #[arg(long, env = "BERTH_GIT_TIMEOUT", value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=3600))]
    git_timeout: u32,
    /// How much a fetch may bring, in MiB
    #[arg(long, env = "BERTH_GIT_MAX_FETCH", value_name = "MIB", default_value_t = 2048, value_parser = clap::value_parser!(u32).range(1..))]
    git_max_fetch: u32,
    /// Where remotes are mirrored [default: ~/.cache/berth]
    #[arg(long, env = "BERTH_MIRRORS", value_name = "DIR")]
    mirrors: Option<PathBuf>,
}

impl RepositoryArgs {
    /// Whether somebody typed which commit is meant. (What the environment says is for whoever names
    /// a repository, too.)
    pub fn names_commit(&self) -> bool {
        let from_environment = std::env::var("BERTH_REF").is_ok_and(|it| it == self.reference);
        self.reference != "HEAD" && !from_environment
    }

    /// The source that the arguments name; the present folder if they name none.
    pub fn source(&self) -> Result<Source, CommandError> {
        self.access
            .source(self.repo.as_deref().unwrap_or("."), &self.reference)
    }
}

impl AccessArgs {
    /// A source at this location, with these credentials.
    pub fn source(&self, location: &str, reference: &str) -> Result<Source, CommandError> {
        let source = Source::new(location, reference).map_err(bad_argument)?;
        let source = source.with_auth(self.auth()).with_limits(self.limits());
        Ok(match &self.ca_file {
            Some(file) => source.with_ca_file(file.clone()),
            None => source,
        })
    }

    /// The folder of this source's mirror. Only remotes use it.
    pub fn mirror(&self, source: &Source) -> PathBuf {
        let mut digest = DigestWriter::new("mirror/v1");
        digest.field(source.to_string().as_bytes());
        let all = self.mirrors.clone().unwrap_or_else(default_mirrors);
        all.join(digest.finish().short())
    }

    fn limits(&self) -> Limits {
        Limits {
            timeout: Duration::from_secs(self.git_timeout.into()),
            max_fetch: u64::from(self.git_max_fetch) << 20,
            ..Limits::default()
        }
    }

    /// Where daemons of this machine tell each other that they live: beside the mirrors.
    pub fn lifelines(&self) -> PathBuf {
        let all = self.mirrors.clone().unwrap_or_else(default_mirrors);
        all.join("alive")
    }

    fn auth(&self) -> Auth {
        match (&self.token_file, &self.ssh_key, &self.known_hosts) {
            (Some(file), _, _) => Auth::Token { file: file.clone() },
            (None, Some(key), Some(known_hosts)) => Auth::SshKey {
                key: key.clone(),
                known_hosts: known_hosts.clone(),
            },
            _ => Auth::Default,
        }
    }
}

fn default_mirrors() -> PathBuf {
    let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let cache = variable("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.or_else(|| Some(Path::new(&variable("HOME")?).join(".cache")));
    cache.unwrap_or_else(std::env::temp_dir).join("berth")
}

/// An error of Git that the command line caused.
fn bad_argument(error: GitError) -> CommandError {
    let help = error.help();
    CommandError::usage(error).hint(help)
}

/// An error of Git while a repository was read or written.
pub fn git_failed(error: GitError) -> CommandError {
    let help = error.help();
    CommandError::environment(error).hint(help)
}
