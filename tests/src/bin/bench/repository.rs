//! A bare state repository, written by `git fast-import`.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::Fallible;

/// A repository whose branch `main` is followed.
#[derive(Debug)]
pub struct Repository {
    root: PathBuf,
}

impl Repository {
    /// An empty one.
    pub fn create(root: PathBuf) -> Fallible<Self> {
        let this = Self { root };
        std::fs::create_dir_all(&this.root)?;
        this.git(&["init", "--quiet", "--bare", "--initial-branch=main"])?;
        Ok(this)
    }

    /// Where it is.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Prepares a commit on top of `main`, or the first one; `main` stays where it is. Gives its id.
    pub fn prepare(&self, files: &[(String, String)]) -> Fallible<String> {
        let mut stream = "commit refs/heads/next\n\
             committer Ada <ada@example.com> 1795000000 +0000\n\
             data 6\nChange\n"
            .to_owned();
        if let Some(tip) = self.tip("main") {
            let _ = writeln!(stream, "from {tip}");
        }
        for (path, text) in files {
            let size = text.len();
            let _ = writeln!(
                stream,
                "M 100644 inline {path}
data {size}
{text}"
            );
        }
        let mut import = self
            .command(&["fast-import", "--quiet", "--force"])
            .stdin(Stdio::piped())
            .spawn()?;
        if let Some(mut stdin) = import.stdin.take() {
            stdin.write_all(stream.as_bytes())?;
        }
        if !import.wait()?.success() {
            return Err("git fast-import failed".into());
        }
        self.tip("next").ok_or_else(|| "no commit was made".into())
    }

    /// Puts `main` on a prepared commit: the moment at which users have committed.
    pub fn publish(&self, commit: &str) -> Fallible<()> {
        self.git(&["update-ref", "refs/heads/main", commit])
            .map(drop)
    }

    /// Where a branch is.
    pub fn tip(&self, branch: &str) -> Option<String> {
        let reference = format!("refs/heads/{branch}");
        self.git(&["rev-parse", "--verify", "--quiet", &reference])
            .ok()
    }

    /// How many commits a branch has.
    pub fn commits(&self, branch: &str) -> usize {
        let counted = self.git(&["rev-list", "--count", &format!("refs/heads/{branch}")]);
        counted
            .ok()
            .and_then(|text| text.parse().ok())
            .unwrap_or_default()
    }

    /// A file of a branch.
    pub fn file(&self, branch: &str, path: &str) -> Option<String> {
        self.git(&["show", &format!("refs/heads/{branch}:{path}")])
            .ok()
    }

    fn git(&self, arguments: &[&str]) -> Fallible<String> {
        let output = self.command(arguments).output()?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
        }
        let words = String::from_utf8_lossy(&output.stderr);
        Err(format!("git {}: {}", arguments.join(" "), words.trim()).into())
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("git");
        command
            .current_dir(&self.root)
            .args(arguments)
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env_remove("GIT_DIR")
            .env_remove("GIT_WORK_TREE")
            .stdin(Stdio::null());
        command
    }
}
