//! One program, from its start to its end.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::StartError;

/// A program of ours; it is killed when it is dropped.
#[derive(Debug)]
pub(super) struct Process {
    program: PathBuf,
    arguments: Vec<String>,
    folder: PathBuf,
    child: Option<Child>,
}

impl Process {
    /// Starts a program in a folder; what it says goes to `<name>.log` there.
    pub(super) fn start(
        program: PathBuf,
        arguments: Vec<String>,
        folder: &Path,
    ) -> Result<Self, StartError> {
        let mut process = Self {
            program,
            arguments,
            folder: folder.to_owned(),
            child: None,
        };
        process.start_again()?;
        Ok(process)
    }

    /// Starts it once more after it was killed.
    pub(super) fn start_again(&mut self) -> Result<(), StartError> {
        self.kill();
        let log = self.log()?;
        let child = Command::new(&self.program)
            .args(&self.arguments)
            .current_dir(&self.folder)
            // Nothing of the user's: no kubeconfig, no proxy, no Go settings.
            .env_clear()
            .env("HOME", &self.folder)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        self.child = Some(child);
        Ok(())
    }

    fn log(&self) -> io::Result<File> {
        OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.log_path())
    }

    fn log_path(&self) -> PathBuf {
        self.folder.join(format!("{}.log", self.name()))
    }

    fn name(&self) -> String {
        let name = self.program.file_name().unwrap_or_default();
        name.to_string_lossy().into_owned()
    }

    pub(super) fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// An error if it ended by itself.
    pub(super) fn check(&mut self) -> Result<(), StartError> {
        let Some(child) = &mut self.child else {
            return Ok(());
        };
        let Some(status) = child.try_wait()? else {
            return Ok(());
        };
        self.child = None;
        Err(StartError::Ended {
            program: self.name(),
            status: status.to_string(),
            words: self.last_words(),
        })
    }

    /// Kills it by its own id and waits until it is gone.
    pub(super) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            // Either fails only for a child that has ended, which is what is wanted.
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// The end of its log.
    pub(super) fn last_words(&self) -> String {
        let log = std::fs::read(self.log_path()).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}
