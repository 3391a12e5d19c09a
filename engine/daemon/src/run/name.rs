//! Which cluster a daemon is for that was not told: the only one of its repository. A remote that cannot
//! be read is waited for, as it is where the name is known: documents and ledger are there. No mirror is
//! asked instead: it would save no waiting, and what it holds may be of another reference, or no longer so.

use berth_core::ids::Name;
use berth_git::{GitError, Repository, Stop};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::Settings;
use crate::cli::{Documents, git_failed};
use crate::error::{CommandError, ErrorKind};
use crate::http::Ping;
use crate::metrics::Metrics;
use crate::reconcile::Missing;
use crate::source::follow::{FIRST, LONGEST, backoff, chain, spread};

/// What is waited for.
const NAME: &str = "the name of the cluster, as --cluster is not given";

/// Looks for the name, and answers for the daemon meanwhile.
pub struct Search<'a> {
    /// Questions whether the loop still turns.
    pub pings: &'a mut mpsc::Receiver<Ping>,
    /// What the daemon waits for.
    pub missing: &'a watch::Sender<Option<Missing>>,
    /// Counts failures.
    pub metrics: &'a Metrics,
    /// Ends it.
    pub stop: &'a CancellationToken,
}

impl Search<'_> {
    /// The name that is given, or the one that the newest commit holds; `None` once the daemon is asked
    /// to end. What is no remote is not waited for, nor a commit that holds no cluster, or several; one
    /// that is to end by itself waits for nothing.
    pub async fn find(&mut self, settings: &Settings) -> Result<Option<Name>, CommandError> {
        if let Some(name) = &settings.cluster {
            return Ok(Some(name.clone()));
        }
        let (source, mirror) = &settings.repository;
        let waits = !settings.reanchor && source.local_path().is_none();
        let reads = Stop::new();
        let source = source.clone().with_stop(reads.clone());
        let repository = Repository::open(source, mirror).map_err(git_failed)?;
        let mut failures = 0;
        loop {
            let (repository, mirror) = (repository.clone(), mirror.to_owned());
            let mut read =
                tokio::task::spawn_blocking(move || Documents::fetched(repository, mirror));
            let Some(done) = self.meanwhile(&mut read).await else {
                // No program of it outlives us. One that panicked has said so.
                reads.stop();
                let _ = read.await;
                return Ok(None);
            };
            match done.map_err(CommandError::environment)? {
                Ok(mut documents) => {
                    self.missing.send_replace(Some(Missing::yet(FIRST)));
                    return documents.only_cluster().map(Some).map_err(hinted);
                }
                Err(error) if waits => self.failed(&error),
                Err(error) => return Err(hinted(git_failed(error))),
            }
            failures += 1;
            let pause = tokio::time::sleep(spread(backoff(LONGEST, failures)));
            if self.meanwhile(pause).await.is_none() {
                return Ok(None);
            }
        }
    }

    /// Waits for something; `None` if the daemon is asked to end before.
    async fn meanwhile<T>(&mut self, what: impl Future<Output = T>) -> Option<T> {
        tokio::pin!(what);
        loop {
            tokio::select! {
                () = self.stop.cancelled() => return None,
                done = &mut what => return Some(done),
                Some(ping) = self.pings.recv() => drop(ping.send(())),
            }
        }
    }

    fn failed(&self, error: &GitError) {
        self.metrics.git_failed();
        let (reason, why) = (error.reason(), chain(error));
        let what = format!("{NAME} ({reason})");
        self.missing.send_replace(Some(Missing::yet(&what)));
        tracing::warn!(
            reason,
            error = why,
            help = error.help(),
            waits_for = NAME,
            "the repository cannot be read"
        );
    }
}

fn hinted(error: CommandError) -> CommandError {
    match error.kind {
        ErrorKind::Usage => error,
        _ => error.hint("a daemon that is told --cluster waits until it can be read"),
    }
}
