//! The throwaway state repository, changed by the git program as a user would.

use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::DemoError;

/// A repository with a work tree.
pub struct StateRepository {
    root: PathBuf,
}

impl StateRepository {
    /// An empty one in this folder, on the branch `main`.
    pub fn create(root: PathBuf) -> Result<Self, DemoError> {
        std::fs::create_dir_all(&root)?;
        let repository = Self { root };
        repository.git(&["init", "--quiet", "--initial-branch=main"])?;
        // It is thrown away: nothing in it needs to outlast a loss of power.
        repository.git(&["config", "core.fsync", "none"])?;
        Ok(repository)
    }

    /// Where it is.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Writes a file, and the folders that it lies in.
    pub fn write(&self, path: &str, text: &str) -> Result<(), DemoError> {
        let file = self.root.join(path);
        if let Some(folder) = file.parent() {
            std::fs::create_dir_all(folder)?;
        }
        Ok(std::fs::write(file, text)?)
    }

    /// Replaces a part of a file that must be there.
    pub fn replace(&self, path: &str, from: &str, to: &str) -> Result<(), DemoError> {
        let text = std::fs::read_to_string(self.root.join(path))?;
        if !text.contains(from) {
            return Err(DemoError::untrue(format!("`{path}` has no `{from}`")));
        }
        self.write(path, &text.replacen(from, to, 1))
    }

    /// Deletes a file.
    pub fn remove(&self, path: &str) -> Result<(), DemoError> {
        Ok(std::fs::remove_file(self.root.join(path))?)
    }

    /// Commits all changes; gives the short id.
    pub fn commit(&self, subject: &str) -> Result<String, DemoError> {
        self.git(&["add", "--all"])?;
        self.git(&["commit", "--quiet", "--message", subject])?;
        Ok(self
            .git(&["rev-parse", "--short=8", "HEAD"])?
            .trim()
            .to_owned())
    }

    /// The commits of a branch, newest first, one line each.
    pub fn log(&self, branch: &str) -> Result<String, DemoError> {
        self.git(&["log", "--format=%h %s", branch])
    }

    /// The files of a branch; none if it does not exist.
    pub fn files(&self, branch: &str) -> Vec<String> {
        let listed = self
            .git(&["ls-tree", "-r", "--name-only", branch])
            .unwrap_or_default();
        listed.lines().map(str::to_owned).collect()
    }

    /// A file of a branch.
    pub fn show(&self, branch: &str, path: &str) -> Result<String, DemoError> {
        self.git(&["show", &format!("{branch}:{path}")])
    }

    fn git(&self, arguments: &[&str]) -> Result<String, DemoError> {
        let output = Command::new("git")
            .current_dir(&self.root)
            .args(["-c", "user.name=Ada", "-c", "user.email=ada@example.com"])
            .args([
                "-c",
                "commit.gpgSign=false",
                "-c",
                "core.hooksPath=/dev/null",
            ])
            .args(arguments)
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env_remove("GIT_DIR")
            .env_remove("GIT_WORK_TREE")
            .env_remove("GIT_INDEX_FILE")
            .stdin(Stdio::null())
            // Ctrl-C is for the demo; git finishes what it is at.
            .process_group(0)
            .output()
            .map_err(DemoError::NoGit)?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let words = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        Err(DemoError::Git {
            doing: arguments.join(" "),
            words,
        })
    }
}
