//! A cluster, a state repository, and the daemon.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::Fallible;
use crate::cluster::{Cluster, Server};
use crate::process::Daemon;
use crate::repository::Repository;

/// What has not happened by then never will.
const PATIENCE: Duration = Duration::from_mins(10);
/// The branch that the daemon writes.
const BRANCH: &str = "berth/status/lab";

/// All of it.
pub struct World {
    /// The daemon that was started last.
    pub daemon: Daemon,
    /// The cluster.
    pub cluster: Cluster,
    /// Where users commit.
    pub repository: Repository,
    kubeconfig: PathBuf,
    log_at: usize,
    folder: tempfile::TempDir,
}

impl World {
    /// Commits the files, starts the daemon on a new cluster with room for so many pods.
    pub async fn start(server: &Server, pods: usize, files: &[(String, String)]) -> Fallible<Self> {
        let folder = tempfile::Builder::new().prefix("berth-bench-").tempdir()?;
        let repository = Repository::create(folder.path().join("state.git"))?;
        repository.publish(&repository.prepare(files)?)?;
        let cluster = Cluster::start(server, pods).await?;
        let kubeconfig = folder.path().join("kubeconfig");
        std::fs::write(&kubeconfig, cluster.kubeconfig()?)?;
        let daemon = Daemon::start(repository.root(), &kubeconfig, &folder.path().join("log"))?;
        Ok(Self {
            daemon,
            cluster,
            repository,
            kubeconfig,
            log_at: 0,
            folder,
        })
    }

    /// Starts the daemon again; it must have ended.
    pub fn restart(&mut self) -> Fallible<()> {
        let log = self.folder.path().join("log");
        self.log_at = usize::try_from(std::fs::metadata(&log)?.len())?;
        self.daemon = Daemon::start(self.repository.root(), &self.kubeconfig, &log)?;
        Ok(())
    }

    /// Waits until the status branch speaks of the tip of `main`.
    pub async fn until_told(&mut self) -> Fallible<Duration> {
        let first = self.repository.tip("main").unwrap_or_default();
        self.until(
            "the first status",
            Duration::from_millis(20),
            async |world| Ok(world.says("applied.yaml", &first)),
        )
        .await
    }

    /// How many commits the status branch has.
    pub fn status_commits(&self) -> usize {
        self.repository.commits(BRANCH)
    }

    /// Where the status branch is, without a program that has to be started for it.
    pub fn status_tip(&self) -> Option<String> {
        let file = self.repository.root().join("refs/heads").join(BRANCH);
        std::fs::read_to_string(file).ok()
    }

    /// Whether a line of a file of the status branch ends with these words.
    pub fn says(&self, file: &str, words: &str) -> bool {
        let text = self.repository.file(BRANCH, file);
        text.is_some_and(|text| text.lines().any(|line| line.ends_with(words)))
    }

    /// Waits until it holds, looking every `pause`; gives how long that took.
    pub async fn until(
        &mut self,
        what: &str,
        pause: Duration,
        mut holds: impl AsyncFnMut(&Self) -> Fallible<bool>,
    ) -> Fallible<Duration> {
        let began = Instant::now();
        while !holds(self).await? {
            self.daemon
                .lives()
                .map_err(|error| self.describe(what, &error.to_string()))?;
            if began.elapsed() > PATIENCE {
                return Err(self.describe(what, "it did not happen").into());
            }
            tokio::time::sleep(pause).await;
        }
        Ok(began.elapsed())
    }

    /// Waits until the daemon has written nothing for a while: all is done.
    pub async fn rest(&mut self, quiet: Duration) -> Fallible<()> {
        let began = Instant::now();
        let (mut seen, mut since) = (u64::MAX, Instant::now());
        while since.elapsed() < quiet {
            let (now, cpu) = (self.cluster.writes()?, self.daemon.cpu()?);
            let now = now + u64::try_from(cpu.as_millis())? / 30;
            if seen != now {
                (seen, since) = (now, Instant::now());
            }
            if began.elapsed() > PATIENCE {
                return Err(self.describe("the daemon rests", "it does not").into());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }

    /// Whether the daemon that was started last has said that it is ready.
    pub fn says_ready(&self) -> bool {
        let log = std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        log[self.log_at.min(log.len())..].contains("\"ready\"")
    }

    fn describe(&self, what: &str, why: &str) -> String {
        let log = std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        let last = lines[lines.len().saturating_sub(20)..].join("\n");
        let calls = self.cluster.counted().unwrap_or_default();
        format!("{what}: {why}\n{last}\n{calls:?}")
    }
}
