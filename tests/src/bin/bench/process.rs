//! The daemon as a child process, and what the kernel says of it.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::Fallible;

/// Linux tells CPU time in these ticks a second (`USER_HZ`).
const TICKS: f64 = 100.0;

/// A running `berth run`. Dropped, it is killed.
#[derive(Debug)]
pub struct Daemon(Child);

impl Daemon {
    /// Starts it; its log goes into a file.
    pub fn start(repository: &Path, kubeconfig: &Path, log: &Path) -> Fallible<Self> {
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(log)?;
        let mut command = Command::new(binary()?);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("BERTH_") {
                command.env_remove(&name);
            }
        }
        let child = command
            .arg("run")
            .arg("--repo")
            .arg(repository)
            .args(["--ref=main", "--cluster=lab", "--log-format=json"])
            .arg("--kubeconfig")
            .arg(kubeconfig)
            .env("RUST_LOG", "info")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()?;
        Ok(Self(child))
    }

    /// kill -9, until it is gone.
    pub fn kill(&mut self) -> Fallible<()> {
        self.0.kill()?;
        self.0.wait()?;
        Ok(())
    }

    /// Fails if it has ended.
    pub fn lives(&mut self) -> Fallible<()> {
        match self.0.try_wait()? {
            None => Ok(()),
            Some(status) => Err(format!("the daemon ended: {status}").into()),
        }
    }

    /// CPU time so far, of all its threads and of the children that it waited for, in steps of
    /// 10 ms.
    pub fn cpu(&self) -> Fallible<Duration> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.0.id()))?;
        let after = stat.rsplit(')').next().unwrap_or_default();
        // utime, stime, cutime and cstime are fields 14 to 17 (proc_pid_stat(5)); state is 3.
        let ticks: Vec<f64> = after
            .split_whitespace()
            .skip(11)
            .take(4)
            .filter_map(|field| field.parse().ok())
            .collect();
        Ok(Duration::from_secs_f64(ticks.iter().sum::<f64>() / TICKS))
    }

    /// Resident memory now and at its highest, in KiB.
    pub fn resident(&self) -> Fallible<(u64, u64)> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.0.id()))?;
        let both = field(&status, "VmRSS:").zip(field(&status, "VmHWM:"));
        both.ok_or_else(|| "no VmRSS".into())
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.kill();
    }
}

fn field(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

/// The binary beside this one.
pub fn binary() -> Fallible<PathBuf> {
    let named = std::env::var_os("BERTH_TEST_BINARY").map(PathBuf::from);
    let beside = std::env::current_exe()?.with_file_name("berth");
    let binary = named.unwrap_or(beside);
    if binary.is_file() {
        return Ok(binary);
    }
    Err(format!("`{}` is missing: `make bench` builds it", binary.display()).into())
}
