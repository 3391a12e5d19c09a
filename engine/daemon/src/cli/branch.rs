//! The status branch, for commands that read what happened.

use std::collections::BTreeMap;

use berth_core::ids::Name;
use berth_git::{Repository, Source, StatusBranch, StatusFiles};

use super::cluster::NameArgs;
use super::documents::Documents;
use super::repository::{AccessArgs, RepositoryArgs, git_failed};
use crate::error::{CommandError, ErrorKind};

/// The arguments of commands that read the status branch.
#[derive(Debug, Clone, clap::Args)]
pub struct BranchArgs {
    #[command(flatten)]
    pub repository: RepositoryArgs,
    #[command(flatten)]
    pub name: NameArgs,
    #[command(flatten)]
    pub status: StatusArgs,
}

/// Which repository holds the status branch.
#[derive(Debug, Clone, clap::Args)]
pub struct StatusArgs {
    /// Where the status branch is, if it is not in the state repository
    #[arg(long, env = "BERTH_STATUS_REMOTE", value_name = "URL")]
    status_remote: Option<String>,
}

impl StatusArgs {
    /// The other repository, if one is named; it is reached as the state repository is.
    pub fn source(&self, access: &AccessArgs) -> Result<Option<Source>, CommandError> {
        let location = self.status_remote.as_deref();
        location
            .map(|location| access.source(location, "HEAD"))
            .transpose()
    }
}

impl BranchArgs {
    /// The cluster that is meant.
    pub fn cluster(&self) -> Result<Name, CommandError> {
        if let Some(name) = self.name.name()? {
            return Ok(name);
        }
        let only = Documents::of_repository(&self.repository)?.only_cluster();
        only.map_err(|error| match error.kind {
            ErrorKind::Findings => {
                error.hint("--cluster NAME shows what is in force instead of these documents")
            }
            _ => error,
        })
    }

    /// The branch.
    pub fn open(&self, cluster: &Name) -> Result<StatusBranch, CommandError> {
        let access = &self.repository.access;
        let source = match self.status.source(access)? {
            Some(other) => other,
            None => self.repository.source()?,
        };
        StatusBranch::open(&source, &access.mirror(&source), cluster.as_str()).map_err(git_failed)
    }

    /// What the branch holds; that there is none is an error that says what to do, and that no Cluster
    /// has this name one of its own.
    pub fn files(&self, cluster: &Name) -> Result<StatusFiles, CommandError> {
        let read = self.open(cluster)?.load().map_err(git_failed)?;
        read.ok_or_else(|| {
            let documents = Documents::of_repository(&self.repository);
            if let Some(error) = documents.ok().and_then(|mut it| it.lack(cluster)) {
                return error;
            }
            CommandError::environment(format!("there is no branch `berth/status/{cluster}`"))
                .hint("it begins when `berth run` works on the cluster; is it kept in another repository (--status-remote)?")
        })
    }

    /// The state repository.
    pub fn repository(&self) -> Result<Repository, CommandError> {
        let source = self.repository.source()?;
        let mirror = self.repository.access.mirror(&source);
        Repository::open(source, &mirror).map_err(git_failed)
    }
}

/// The files that are YAML, by path; what is not is left out.
pub fn parsed(files: &StatusFiles) -> BTreeMap<&str, serde_json::Value> {
    let yaml = files
        .files
        .iter()
        .filter(|(path, _)| path.strip_suffix(".yaml").is_some());
    yaml.filter_map(|(path, bytes)| {
        let text = std::str::from_utf8(bytes).ok()?;
        Some((path.as_str(), serde_saphyr::from_str(text).ok()?))
    })
    .collect()
}
