//! The stage of the story: the state repository, the sandbox, the daemon as a child process.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use berth_git::LocalWatch;
use berth_sandbox::http::Sandbox;
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::api::{self, PodEvent};
use super::narrator::Narrator;
use super::repository::StateRepository;
use super::status::Status;
use super::world::{Change, World};
use super::{DemoError, Settings};

/// The branch that the daemon writes.
pub const BRANCH: &str = "berth/status/lab";
/// No step takes longer than this; what has not happened by then never will.
const PATIENCE: Duration = Duration::from_secs(15);

/// What can be seen.
pub struct Scene {
    /// The pods.
    pub world: World,
    /// The status branch.
    pub status: Status,
}

/// Everything that the story plays on. [`Stage::clear`] takes it down.
pub struct Stage {
    /// The state repository.
    pub repository: StateRepository,
    /// Who tells.
    pub narrator: Narrator,
    /// What can be seen.
    pub scene: Scene,
    folder: Folder,
    sandbox: Sandbox,
    daemon: Option<Child>,
    pods: mpsc::Receiver<PodEvent>,
    moved: mpsc::Receiver<()>,
    cast: Vec<&'static str>,
    _watch: LocalWatch,
}

enum Folder {
    Kept(PathBuf),
    Passing(tempfile::TempDir),
}

impl Folder {
    fn path(&self) -> &Path {
        match self {
            Self::Kept(path) => path,
            Self::Passing(folder) => folder.path(),
        }
    }
}

impl Stage {
    /// Builds the stage: an empty repository, a running sandbox, no daemon yet.
    pub async fn build(settings: &Settings) -> Result<Self, DemoError> {
        let folder = match &settings.keep {
            Some(path) => Folder::Kept(std::path::absolute(path)?),
            None => Folder::Passing(tempfile::Builder::new().prefix("berth-demo-").tempdir()?),
        };
        let repository = StateRepository::create(folder.path().join("state"))?;
        let sandbox = crate::sandbox::start(crate::sandbox::Settings::default()).await?;
        std::fs::write(folder.path().join("kubeconfig"), sandbox.kubeconfig())?;
        let (send, pods) = mpsc::channel(1024);
        let address = sandbox.address();
        tokio::spawn(async move {
            // The end of the watch closes the channel: that is how it is told.
            let _ = api::watch_pods(address, send).await;
        });
        let (wake, moved) = mpsc::channel(1);
        let watch = LocalWatch::start(repository.root(), move || {
            // Full: a wake-up waits already.
            let _ = wake.try_send(());
        })?;
        Ok(Self {
            repository,
            narrator: Narrator::new(),
            scene: Scene {
                world: World::default(),
                status: Status::default(),
            },
            folder,
            sandbox,
            daemon: None,
            pods,
            moved,
            cast: Vec::new(),
            _watch: watch,
        })
    }

    /// Where everything lies.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Where the sandbox listens.
    pub fn address(&self) -> SocketAddr {
        self.sandbox.address()
    }

    /// Makes a namespace, as an administrator would.
    pub async fn namespace(&self, name: &str) -> Result<(), DemoError> {
        let body =
            format!(r#"{{"apiVersion":"v1","kind":"Namespace","metadata":{{"name":"{name}"}}}}"#);
        let (status, words) =
            api::call(self.address(), "POST", "/api/v1/namespaces", &body).await?;
        if status == 201 || status == 409 {
            return Ok(());
        }
        Err(DemoError::untrue(format!(
            "the namespace `{name}` was refused: {words}"
        )))
    }

    /// Starts the daemon: this very executable.
    pub fn start_daemon(&mut self) -> Result<(), DemoError> {
        let log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.log())?;
        let mut command = Command::new(std::env::current_exe()?);
        // The user's own settings are for another cluster.
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("BERTH_") {
                command.env_remove(name);
            }
        }
        let child = command
            .arg("run")
            .arg("--repo")
            .arg(self.repository.root())
            .args([
                "--ref",
                "main",
                "--cluster",
                super::example::CLUSTER,
                "--identity",
                "demo",
            ])
            .arg("--kubeconfig")
            .arg(self.folder().join("kubeconfig"))
            .args(["--log-format", "json"])
            .env_remove("RUST_LOG")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            // Ctrl-C is for the demo, which ends the daemon itself.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        self.daemon = Some(child);
        Ok(())
    }

    /// Kills the daemon without a word, as kill -9 does.
    pub async fn kill_daemon(&mut self) -> Result<(), DemoError> {
        if let Some(child) = &mut self.daemon {
            child.kill().await?;
        }
        self.daemon = None;
        Ok(())
    }

    /// Asks the daemon to end, and waits until it has.
    pub async fn stop_daemon(&mut self) -> Result<(), DemoError> {
        let Some(child) = &mut self.daemon else {
            return Ok(());
        };
        let id = child.id().and_then(|id| Pid::from_raw(id.try_into().ok()?));
        if let Some(id) = id {
            kill_process(id, Signal::TERM).map_err(std::io::Error::from)?;
        }
        let ended = tokio::time::timeout(PATIENCE, child.wait()).await;
        if ended.is_ok() {
            self.daemon = None;
        }
        match ended {
            Ok(Ok(status)) if status.success() => Ok(()),
            Ok(_) => Err(self.untrue("the daemon ended badly after SIGTERM")),
            Err(_) => Err(self.untrue("the daemon did not end after SIGTERM")),
        }
    }

    /// Gives the daemon time to end. How well it ends was checked before.
    pub async fn finish(&mut self) {
        let _ = self.stop_daemon().await;
    }

    /// Kills what still runs, then removes the folder unless it is to be kept.
    pub async fn clear(mut self) -> Result<(), DemoError> {
        self.kill_daemon().await?;
        drop(self.sandbox);
        match self.folder {
            Folder::Kept(_) => Ok(()),
            Folder::Passing(folder) => Ok(folder.close()?),
        }
    }

    /// Commits, and tells it.
    pub fn commit(&mut self, subject: &str) -> Result<String, DemoError> {
        let id = self.repository.commit(subject)?;
        self.narrator.commit(&id, subject);
        Ok(id)
    }

    /// Whose pods are told of from now on.
    pub fn cast(&mut self, experiments: &[&'static str]) {
        self.cast = experiments.to_vec();
    }

    /// Follows events until `seen` holds; `what` is said if it never does.
    pub async fn until(
        &mut self,
        what: &str,
        seen: impl Fn(&Scene) -> bool,
    ) -> Result<(), DemoError> {
        let deadline = Instant::now() + PATIENCE;
        while !seen(&self.scene) {
            tokio::select! {
                event = self.pods.recv() => match event {
                    Some(event) => self.pod(&event),
                    None => return Err(self.untrue("the sandbox ended the watch")),
                },
                _ = self.moved.recv() => self.scene.status = Status::read(&self.repository, BRANCH)?,
                ended = ended(&mut self.daemon) => {
                    return Err(self.untrue(&format!("the daemon ended ({ended}) before {what}")));
                }
                () = tokio::time::sleep_until(deadline) => {
                    return Err(self.untrue(&format!("this did not happen within {} s: {what}", PATIENCE.as_secs())));
                }
            }
        }
        Ok(())
    }

    /// As [`Stage::until`], and tells it as a fact.
    pub async fn see(
        &mut self,
        what: &str,
        seen: impl Fn(&Scene) -> bool,
    ) -> Result<(), DemoError> {
        self.until(what, seen).await?;
        self.narrator.fact(what);
        Ok(())
    }

    /// Checks something that must be so now, and tells it.
    pub fn check(&self, what: &str, holds: bool) -> Result<(), DemoError> {
        if !holds {
            return Err(self.untrue(&format!("this is not so: {what}")));
        }
        self.narrator.fact(what);
        Ok(())
    }

    fn pod(&mut self, event: &PodEvent) {
        let Some(change) = self.scene.world.take(event) else {
            return;
        };
        let (Change::Created(pod) | Change::Phase(pod) | Change::Gone(pod)) = &change;
        if self.cast.contains(&pod.experiment.as_str()) {
            self.narrator.change(&change);
        }
    }

    fn log(&self) -> PathBuf {
        self.folder().join("daemon.log")
    }

    fn untrue(&self, what: &str) -> DemoError {
        let log = std::fs::read_to_string(self.log()).unwrap_or_default();
        let mut last: Vec<_> = log.lines().rev().take(12).collect();
        last.reverse();
        DemoError::Untrue {
            what: what.to_owned(),
            log: last.join("\n"),
        }
    }
}

/// Ends when the daemon does; never if there is none.
async fn ended(daemon: &mut Option<Child>) -> String {
    match daemon {
        Some(child) => match child.wait().await {
            Ok(status) => status.to_string(),
            Err(error) => error.to_string(),
        },
        None => std::future::pending().await,
    }
}
