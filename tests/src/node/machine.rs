//! What a node lives in: namespaces, a folder, and the programs that are started in them.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use tempfile::TempDir;

use super::relay::Relay;
use super::{CONFIGURATION, PATIENCE, POLL};
use crate::controlplane::StartError;
use crate::controlplane::process::{Process, children};
use crate::controlplane::reaper::Reaper;

/// Namespaces with a first process, which only waits. Dropping it ends all that runs in them and
/// waits until that is gone.
pub(super) struct Machine {
    boot: Process,
    /// The first process.
    first: i32,
    _relay: Relay,
    folder: TempDir,
    _reaper: Reaper,
}

impl Machine {
    /// Makes the namespaces; a port of this machine's loopback is reached in them too.
    pub(super) async fn boot(port: u16) -> Result<Self, StartError> {
        let folder = tempfile::Builder::new().prefix("berth-node-").tempdir()?;
        let reaper = Reaper::watch(folder.path())?;
        let mut boot = boot(folder.path())?;
        let booted = folder.path().join("booted");
        until(&mut boot, "namespaces", || booted.exists()).await?;
        let within = boot.pid().and_then(|pid| children(pid).pop());
        let Some(first) = within else {
            return Err(StartError::Late {
                what: "first process",
            });
        };
        let first = first.as_raw_pid();
        Ok(Self {
            boot,
            first,
            _relay: Relay::start(first, port)?,
            folder,
            _reaper: reaper,
        })
    }

    /// The folder of all its files, which is `/run/node` to its programs.
    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The first process.
    pub(super) fn first(&self) -> i32 {
        self.first
    }

    /// Starts a program in the namespaces; it is ended by [`Process::kill_within`], or with them.
    pub(super) fn start(&self, name: &str, words: &[String]) -> Result<Process, StartError> {
        let mut arguments = vec![format!("--target={}", self.first)];
        arguments.extend(["--mount", "--pid", "--net", "--wd", "--"].map(Into::into));
        arguments.extend_from_slice(words);
        Process::start_named(name, PathBuf::from("nsenter"), arguments, self.folder())
    }

    /// Starts containerd and gives it the image.
    pub(super) async fn containerd(&self) -> Result<Process, StartError> {
        let words = ["containerd", "--config=/run/node/containerd.toml"].map(Into::into);
        let mut containerd = self.start("containerd", &words)?;
        let socket = self.socket();
        until(&mut containerd, "containerd", || socket.exists()).await?;
        let archive = self.folder().join("image.tar");
        run(Command::new(format!("{CONFIGURATION}/image")).arg(&archive))?;
        self.ctr(&["images", "import", &archive.display().to_string()])?;
        Ok(containerd)
    }

    /// Says something to containerd.
    pub(super) fn ctr(&self, words: &[&str]) -> Result<(), StartError> {
        let mut ctr = Command::new("ctr");
        ctr.arg("--address").arg(self.socket());
        run(ctr.args(["--namespace", "k8s.io"]).args(words))
    }

    fn socket(&self) -> PathBuf {
        self.folder().join("containerd.sock")
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // The first process: the kernel ends the others with it.
        self.boot.kill_within();
    }
}

fn boot(folder: &Path) -> Result<Process, StartError> {
    let arguments = [
        "--mount",
        "--pid",
        "--net",
        "--fork",
        "--kill-child",
        "--mount-proc",
        &format!("{CONFIGURATION}/boot"),
        &folder.display().to_string(),
        CONFIGURATION,
    ];
    let arguments = arguments.map(ToOwned::to_owned).to_vec();
    Process::start_named("boot", PathBuf::from("unshare"), arguments, folder)
}

/// Waits for what a program does at its start.
async fn until(
    process: &mut Process,
    what: &'static str,
    is_true: impl Fn() -> bool,
) -> Result<(), StartError> {
    let end = Instant::now() + PATIENCE;
    while !is_true() {
        process.check()?;
        if Instant::now() > end {
            return Err(StartError::Late { what });
        }
        tokio::time::sleep(POLL).await;
    }
    Ok(())
}

fn run(command: &mut Command) -> Result<(), StartError> {
    let output = command.output()?;
    if output.status.success() {
        return Ok(());
    }
    let words = [output.stdout, output.stderr].concat();
    Err(StartError::Ended {
        program: command.get_program().to_string_lossy().into_owned(),
        status: output.status.to_string(),
        words: String::from_utf8_lossy(&words).into_owned(),
    })
}
