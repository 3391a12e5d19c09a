//! A state repository, changed by the git program as users do.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A repository with a work tree, on the branch `main`.
#[derive(Debug, Clone)]
pub struct StateRepository {
    root: PathBuf,
}

impl StateRepository {
    /// An empty one in this folder.
    pub fn create(root: PathBuf) -> Self {
        std::fs::create_dir_all(&root).unwrap();
        let repository = Self { root };
        repository.git(&["init", "--quiet", "--initial-branch=main"]);
        repository.git(&["config", "core.fsync", "none"]);
        repository
    }

    /// Where it is.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Writes a file, and the folders that it lies in.
    pub fn write(&self, path: &str, text: &str) {
        let file = self.root.join(path);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
    }

    /// Replaces a part of a file that must be there.
    pub fn replace(&self, path: &str, from: &str, to: &str) {
        let text = std::fs::read_to_string(self.root.join(path)).unwrap();
        assert!(text.contains(from), "`{path}` has no `{from}`:\n{text}");
        self.write(path, &text.replacen(from, to, 1));
    }

    /// Deletes a file.
    pub fn remove(&self, path: &str) {
        std::fs::remove_file(self.root.join(path)).unwrap();
    }

    /// Commits all changes; gives the commit's id.
    pub fn commit(&self, message: &str) -> String {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--allow-empty", "--message", message]);
        self.tip("main").unwrap()
    }

    /// Where a branch is.
    pub fn tip(&self, branch: &str) -> Option<String> {
        let reference = format!("refs/heads/{branch}");
        let tip = self.try_git(&["rev-parse", "--verify", "--quiet", &reference]);
        tip.ok().map(|text| text.trim().to_owned())
    }

    /// The commits of a branch, newest first: id and whole message.
    pub fn log(&self, branch: &str) -> Vec<(String, String)> {
        let text = self.git(&["log", "--format=%H%n%B%x00", branch]);
        let commits = text.split('\0').map(str::trim);
        let commits = commits.filter(|commit| !commit.is_empty());
        commits
            .map(|commit| commit.split_once('\n').unwrap_or((commit, "")))
            .map(|(id, message)| (id.to_owned(), message.trim().to_owned()))
            .collect()
    }

    /// All files of a commit.
    pub fn files(&self, commit: &str) -> BTreeMap<String, String> {
        let listed = self.git(&["ls-tree", "-r", "--name-only", commit]);
        let paths: Vec<&str> = listed.lines().collect();
        let asked: String = paths
            .iter()
            .map(|path| format!("{commit}:{path}\n"))
            .collect();
        let mut answer = &self.batch(&asked)[..];
        let mut files = BTreeMap::new();
        for path in paths {
            let end = answer.iter().position(|byte| *byte == b'\n').unwrap();
            let head = std::str::from_utf8(&answer[..end]).unwrap();
            let size: usize = head.rsplit(' ').next().unwrap().parse().unwrap();
            let text = &answer[end + 1..end + 1 + size];
            files.insert(path.to_owned(), String::from_utf8_lossy(text).into_owned());
            answer = &answer[end + size + 2..];
        }
        files
    }

    fn batch(&self, asked: &str) -> Vec<u8> {
        let mut child = self
            .command(&["cat-file", "--batch"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let asked = asked.as_bytes().to_vec();
        let writer = std::thread::spawn(move || stdin.write_all(&asked));
        let output = child.wait_with_output().unwrap();
        writer.join().unwrap().unwrap();
        output.stdout
    }

    /// Runs git in the work tree; gives what it printed.
    pub fn git(&self, arguments: &[&str]) -> String {
        self.try_git(arguments)
            .unwrap_or_else(|words| panic!("git {}: {words}", arguments.join(" ")))
    }

    fn try_git(&self, arguments: &[&str]) -> Result<String, String> {
        let output = self.command(arguments).output().unwrap();
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        Err(String::from_utf8_lossy(&output.stderr).trim().to_owned())
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("git");
        command
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
            .stdin(Stdio::null());
        command
    }
}
