//! Which documents a command works on: a folder, or a commit of a repository.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use berth_core::desired::{Desired, Loader, Validation, documents_in};
use berth_core::diagnostic::{Code, Diagnostic, SourceTable};
use berth_core::ids::{CommitId, DocumentKind, Name, UnitId};
use berth_core::kinds::Document;
use berth_core::ledger::{Applied, Forms};
use berth_core::object::SourceId;
use berth_core::reconciler::CommitFacts;
use berth_git::{GitError, Limits, Repository, Source, StatusBranch};

use super::branch::StatusArgs;
use super::repository::{AccessArgs, RepositoryArgs, git_failed};
use crate::error::{CommandError, ErrorKind};
use crate::look::{Past, Spill};
use crate::output::{self, Finding};
use crate::run::status;
use crate::source::reader::Reader;
use crate::source::{self, Blobs, Files, folder};

/// The arguments of commands that read documents.
#[derive(Debug, Clone, clap::Args)]
pub struct DocumentArgs {
    /// The folder of the documents; the present one if left out
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
    #[command(flatten)]
    pub repository: RepositoryArgs,
}

/// One snapshot, read but not checked.
pub struct Documents {
    loader: Loader,
    files: Files,
    blobs: Blobs,
    commit: CommitFacts,
    /// Where their commit is, with its mirror; none for a plain folder.
    repository: Option<(Source, PathBuf)>,
    /// Where the status branch is, with its mirror; none: nothing has happened yet.
    status: Option<(Source, PathBuf)>,
}

/// The arguments of commands that compare documents with what happened.
#[derive(Debug, Clone, clap::Args)]
pub struct PastArgs {
    #[command(flatten)]
    documents: DocumentArgs,
    #[command(flatten)]
    status: StatusArgs,
}

impl PastArgs {
    /// Reads the documents, and remembers where their past is.
    pub fn read(&self) -> Result<Documents, CommandError> {
        let mut documents = self.documents.read()?;
        let access = self.access();
        if let Some(source) = self.status.source(access)? {
            let mirror = access.mirror(&source);
            documents.status = Some((source, mirror));
        }
        Ok(documents)
    }

    /// Reads the documents anew, and takes them as the daemon does.
    pub fn read_with_past(
        &self,
        cluster: Option<&Name>,
        spill: &Spill,
    ) -> Result<(Desired, Past), CommandError> {
        self.read()?.load_with_past(cluster, spill)
    }

    /// As whom repositories are read.
    pub fn access(&self) -> &AccessArgs {
        &self.documents.repository.access
    }
}

impl DocumentArgs {
    /// Reads what the arguments name.
    pub fn read(&self) -> Result<Documents, CommandError> {
        match (&self.dir, &self.repository.repo) {
            (None, Some(_)) => Documents::of_repository(&self.repository),
            (Some(dir), Some(repo)) if !from_environment(repo) => {
                let cause = format!(
                    "both the folder `{}` and a repository are named",
                    dir.display()
                );
                Err(CommandError::usage(cause)
                    .hint("name the folder, or the repository with --repo"))
            }
            (None, None) if self.repository.names_commit() => {
                Documents::of_repository(&self.repository)
            }
            (Some(dir), None) if self.repository.names_commit() => {
                let cause = format!(
                    "`{}` is a commit of a repository, and the folder `{}` is read as it lies there",
                    self.repository.reference,
                    dir.display()
                );
                Err(CommandError::usage(cause)
                    .hint("leave --ref out, or name the repository with --repo"))
            }
            (dir, _) => Documents::of_folder(dir.as_deref().unwrap_or(Path::new("."))),
        }
    }
}

/// A folder that is named goes before the repository of the environment.
fn from_environment(repo: &str) -> bool {
    std::env::var("BERTH_REPO").is_ok_and(|value| value == repo)
}

impl Documents {
    /// As they lie in a folder.
    pub fn of_folder(dir: &Path) -> Result<Self, CommandError> {
        if !dir.is_dir() {
            let cause = format!("`{}` is not a folder", dir.display());
            return Err(CommandError::usage(cause)
                .hint("name the folder of a state repository, or a repository with --repo"));
        }
        let folder = folder::read(dir, &Limits::default()).map_err(CommandError::environment)?;
        let (files, blobs) = Files::of_folder(folder);
        let (commit, repository) = match work_tree(dir) {
            Some((commit, source)) => (commit, Some((source, dir.to_owned()))),
            None => (no_commit(), None),
        };
        Ok(Self {
            loader: Loader::new(),
            files,
            blobs,
            commit,
            status: repository.clone(),
            repository,
        })
    }

    /// As a commit has them.
    pub fn of_repository(args: &RepositoryArgs) -> Result<Self, CommandError> {
        let source = args.source()?;
        let mirror = args.access.mirror(&source);
        let repository = Repository::open(source, &mirror).map_err(git_failed)?;
        Self::fetched(repository, mirror).map_err(git_failed)
    }

    /// As the newest commit of a repository with this mirror has them.
    pub fn fetched(repository: Repository, mirror: PathBuf) -> Result<Self, GitError> {
        let source = repository.source().clone();
        let mut reader = Reader::new(repository);
        let commit = reader.next()?.ok_or(GitError::Empty)?;
        let files = Files::of_listing(&commit.listing);
        let loader = Loader::new();
        let blobs = reader.blobs(loader.missing(&files.listed, &Forms::default()));
        let repository = Some((source, mirror));
        Ok(Self {
            loader,
            files,
            blobs,
            commit: commit.facts,
            status: repository.clone(),
            repository,
        })
    }

    /// All that is wrong with them.
    pub fn validate(&mut self) -> Validation {
        self.loader
            .validate(&self.files.listed, &self.files.refused, &self.blobs)
    }

    /// The model of one cluster, by these documents alone; the only cluster if none is named. A
    /// snapshot that makes no model is told with all its findings.
    pub fn load(&mut self, cluster: Option<&Name>) -> Result<Desired, CommandError> {
        self.load_after(cluster, &Arc::default())
    }

    /// As the daemon takes them: what is invalid keeps the form that the status branch names, or the
    /// spill, where that is newer.
    pub fn load_with_past(
        &mut self,
        cluster: Option<&Name>,
        spill: &Spill,
    ) -> Result<(Desired, Past), CommandError> {
        let name = match cluster {
            Some(name) => Some(name.clone()),
            None => match self.only_cluster() {
                Err(error) if error.kind == ErrorKind::Usage => return Err(error),
                // Loading tells what is wrong.
                only => only.ok(),
            },
        };
        let past = match &name {
            Some(name) => self.past(name)?,
            None => Past::default(),
        };
        let desired = self.load_after(name.as_ref(), &Arc::new(past.forms(spill)))?;
        Ok((desired, past))
    }

    fn load_after(
        &mut self,
        cluster: Option<&Name>,
        forms: &Arc<Forms>,
    ) -> Result<Desired, CommandError> {
        if cluster.is_none()
            && let Err(error) = self.only_cluster()
            && error.kind == ErrorKind::Usage
        {
            return Err(error);
        }
        let mut blobs = self.blobs.clone();
        let mut missing = self.loader.missing(&self.files.listed, forms);
        missing.retain(|id| !self.blobs.contains_key(id));
        if !forms.is_empty()
            && let Some((source, mirror)) = &self.repository
        {
            let repository = Repository::open(source.clone(), mirror).map_err(git_failed)?;
            blobs.extend(Reader::new(repository).blobs(missing));
        }
        let (listed, refused) = (&self.files.listed, &self.files.refused);
        let loaded = self
            .loader
            .load(&self.commit, cluster, listed, refused, &blobs, forms);
        self.blobs = blobs;
        loaded.map_err(|findings| {
            if let Some(error) = unnamed(cluster, &findings) {
                return error;
            }
            let sources = self.validate().sources;
            output::complain_of(&self.resolve(&findings, &sources));
            no_cluster(&findings, &sources)
        })
    }

    /// The documents of a file that the status branch names, if it was read.
    pub fn earlier(&self, applied: &Applied) -> BTreeMap<UnitId, Document> {
        let bytes = self.blobs.get(&applied.blob);
        bytes.map_or_else(BTreeMap::new, |bytes| documents_in(bytes, SourceId(0)))
    }

    /// The only cluster that there is, whether its document is valid or not.
    pub fn only_cluster(&mut self) -> Result<Name, CommandError> {
        let chosen = self.loader.only_cluster(&self.files.listed, &self.blobs);
        chosen.map_err(|finding| {
            let help = finding.help.unwrap_or_default();
            match finding.code {
                Code::SeveralClusters => CommandError::usage(finding.cause).hint(help),
                _ => CommandError::findings(finding.cause).hint(help),
            }
        })
    }

    /// The error that they hold no such cluster; `None` if they do, or if it may stand in what cannot be
    /// read.
    pub fn lack(&mut self, cluster: &Name) -> Option<CommandError> {
        let (listed, refused) = (&self.files.listed, &self.files.refused);
        let (blobs, forms) = (&self.blobs, Arc::default());
        let (loader, named) = (&mut self.loader, Some(cluster));
        let desired = loader.load(&self.commit, named, listed, refused, blobs, &forms);
        unnamed(named, &desired.err()?)
    }

    /// What the status branch says of a cluster; nothing for a plain folder, unless another
    /// repository is named for it.
    pub fn past(&self, cluster: &Name) -> Result<Past, CommandError> {
        let Some((source, mirror)) = &self.status else {
            return Ok(Past::default());
        };
        let branch = StatusBranch::open(source, mirror, cluster.as_str()).map_err(git_failed)?;
        let ledger = status::load(&branch).map_err(git_failed)?;
        let ledger = ledger.map_err(CommandError::environment)?;
        let tip = ledger.tip;
        let contains =
            move |commit| tip.is_some_and(|tip| branch.is_ancestor(commit, tip).unwrap_or(false));
        Ok(Past {
            ledger,
            contains: Box::new(contains),
        })
    }

    /// Findings with their places looked up.
    pub fn resolve(&self, findings: &[Diagnostic], sources: &SourceTable) -> Vec<Finding> {
        source::resolve(findings, sources, &self.blobs)
    }
}

/// The error of a name that no Cluster document has. What cannot be read may be that document: then it
/// is no fault of the name.
fn unnamed(cluster: Option<&Name>, findings: &[Diagnostic]) -> Option<CommandError> {
    cluster?;
    let is_it = |finding: &&Diagnostic| finding.code == Code::NoCluster;
    let finding = findings.iter().find(is_it)?;
    let errors = findings.iter().filter(|it| it.is_error() && !is_it(it));
    let mut errors = errors.map(|it| it.unit.is_some());
    let error = CommandError::usage(finding.cause.clone());
    errors
        .all(|is_read| is_read)
        .then(|| error.hint(finding.help.clone().unwrap_or_default()))
}

/// Why documents make no cluster to work on, when all findings were told.
fn no_cluster(findings: &[Diagnostic], sources: &SourceTable) -> CommandError {
    let error = |finding: &&Diagnostic| finding.is_error();
    let of_cluster = |finding: &&Diagnostic| {
        let unit = finding.unit.as_ref();
        unit.is_some_and(|unit| unit.kind == DocumentKind::Cluster)
    };
    let broken = findings.iter().filter(error).find(of_cluster);
    let said = broken.and_then(|finding| {
        let path = &sources.get(finding.place?.source)?.path;
        Some((finding.unit.as_ref()?, path))
    });
    match said {
        Some((unit, path)) => CommandError::findings(format!(
            "{unit} is not valid, and no earlier form of it was ever applied"
        ))
        .hint(format!("mend {path} as said above")),
        None => CommandError::findings("the documents make no cluster to work on")
            .hint("mend what is said above; a repository holds a valid `Cluster` document"),
    }
}

/// The commit that a folder's documents are on top of, if the folder is a work tree.
fn work_tree(dir: &Path) -> Option<(CommitFacts, Source)> {
    let source = Source::new(dir.to_str()?, "HEAD").ok()?;
    let repository = Repository::open(source.clone(), dir).ok()?;
    let commit = Reader::new(repository).next().ok()??;
    Some((commit.facts, source))
}

/// A folder is no commit.
fn no_commit() -> CommitFacts {
    CommitFacts {
        id: CommitId::from_bytes([0; 20]),
        subject: String::new(),
        trailers: Vec::new(),
        after: None,
        new_ancestors: vec![CommitId::from_bytes([0; 20])],
        older_left_out: false,
    }
}
