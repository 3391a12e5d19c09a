//! A throwaway repository and the git program.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use berth_core::ids::CommitId;
use berth_git::{Person, Repository, Source};
use tempfile::TempDir;

pub struct Repo {
    folder: TempDir,
}

impl Repo {
    pub fn new() -> Self {
        let repo = Self {
            folder: TempDir::new().unwrap(),
        };
        repo.git(&["init", "-q", "-b", "main"]);
        repo.git(&["config", "core.fsync", "none"]);
        repo
    }

    /// A linked worktree of it, on the new branch `side`.
    pub fn linked(&self) -> PathBuf {
        let linked = folder().join("linked");
        let path = linked.to_str().unwrap();
        self.git(&["worktree", "add", "-q", path, "-b", "side"]);
        linked
    }

    pub fn bare() -> Self {
        let repo = Self {
            folder: TempDir::new().unwrap(),
        };
        repo.git(&["init", "-q", "--bare", "-b", "main"]);
        repo.git(&["config", "core.fsync", "none"]);
        repo
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn url(&self) -> String {
        format!("file://{}", self.path().display())
    }

    pub fn git(&self, arguments: &[&str]) -> String {
        git(self.path(), arguments, b"")
    }

    pub fn write(&self, path: &str, content: impl AsRef<[u8]>) -> &Self {
        let path = self.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
        self
    }

    pub fn commit(&self, message: &str) -> CommitId {
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "--allow-empty", "-m", message]);
        self.tip("HEAD")
    }

    pub fn tip(&self, revision: &str) -> CommitId {
        self.git(&["rev-parse", revision]).parse().unwrap()
    }

    /// A commit on `main` of a tree given in the form of `git mktree`.
    pub fn commit_tree(&self, entries: &[u8]) -> CommitId {
        let tree = git(self.path(), &["mktree", "--missing", "-z"], entries);
        self.commit_object(&tree)
    }

    pub fn commit_object(&self, tree: &str) -> CommitId {
        let commit = self.git(&["commit-tree", "-m", "made", tree]);
        self.git(&["update-ref", "refs/heads/main", &commit]);
        commit.parse().unwrap()
    }

    pub fn blob(&self, content: &[u8]) -> String {
        git(self.path(), &["hash-object", "-w", "--stdin"], content)
    }

    pub fn open(&self) -> Repository {
        open(Source::new(self.path().to_str().unwrap(), "main").unwrap())
    }
}

/// Opens a source with a mirror of its own.
pub fn open(source: Source) -> Repository {
    Repository::open(source, &folder()).unwrap()
}

/// An empty folder below the build's, where it stays.
pub fn folder() -> PathBuf {
    TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap().keep()
}

pub fn who() -> Person {
    Person {
        name: "Berth".into(),
        email: "berth@example.com".into(),
    }
}

pub fn git(folder: &Path, arguments: &[&str], input: &[u8]) -> String {
    let mut child = Command::new("git")
        .args([
            "-c",
            "user.name=Ada",
            "-c",
            "user.email=ada@example.com",
            "-c",
            "protocol.file.allow=always",
            "-c",
            "gc.auto=0",
        ])
        .args(arguments)
        .current_dir(folder)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "git {arguments:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}
