//! `berth plan` and `berth check` against an API server.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{berth_in, git, git_says, valid};

/// `berth sandbox`, until it is dropped.
struct Sandbox {
    process: Child,
    folder: TempDir,
}

impl Sandbox {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut process = Command::new(env!("CARGO_BIN_EXE_berth"))
            .args(["sandbox", "--kubeconfig", "kubeconfig"])
            .current_dir(folder.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut told = String::new();
        let out = process.stdout.take().unwrap();
        BufReader::new(out).read_line(&mut told).unwrap();
        assert!(told.contains("is up"), "{told}");
        Self { process, folder }
    }

    fn kubeconfig(&self) -> PathBuf {
        self.folder.path().join("kubeconfig")
    }

    fn make(&self, path: &str, object: &Value) {
        let config = fs::read_to_string(self.kubeconfig()).unwrap();
        let config: Value = serde_saphyr::from_str(&config).unwrap();
        let server = config["clusters"][0]["cluster"]["server"].as_str();
        let address = server.unwrap().strip_prefix("http://").unwrap();
        let mut stream = TcpStream::connect(address).unwrap();
        let body = object.to_string();
        let length = body.len();
        let head = "Content-Type: application/json\r\nContent-Length:";
        write!(
            stream,
            "POST {path} HTTP/1.0\r\n{head} {length}\r\n\r\n{body}"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.contains(" 201 "), "{answer}");
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A repository whose experiments are behind a link now; what the daemon kept of the one that was in
/// force, as it could not push.
fn moved_behind_a_link() -> (TempDir, String) {
    let root = valid();
    let at = root.path();
    let commit = || {
        git(at, &["add", "."]);
        git(at, &["commit", "-qm", "x"]);
    };
    git(at, &["init", "-q", "-b", "main"]);
    commit();
    let blob = git_says(at, &["rev-parse", "HEAD:experiments/resnet50.yaml"]);
    let first = git_says(at, &["rev-parse", "HEAD"]);
    fs::rename(at.join("experiments"), at.join(".old")).unwrap();
    std::os::unix::fs::symlink(".old", at.join("experiments")).unwrap();
    commit();
    let path = "experiments/resnet50.yaml";
    let kept = json!({
        "version": 1, "unit": "Experiment/vision/resnet50", "revision": 1,
        "ledger": {
            "sequence": 1, "firstSeen": "2026-01-01T00:00:00Z",
            "applied": {"commit": first, "path": path, "blob": blob},
        },
    });
    (root, kept.to_string())
}

/// The documents are read again beside what a daemon kept in the cluster: that reading is told, and no
/// other.
#[test]
fn what_is_told_is_what_was_read_last() {
    let (root, kept) = moved_behind_a_link();
    let sandbox = Sandbox::start();
    for name in ["berth", "vision"] {
        sandbox.make("/api/v1/namespaces", &json!({"metadata": {"name": name}}));
    }
    let kubeconfig = sandbox.kubeconfig();
    let live = ["--kubeconfig", kubeconfig.to_str().unwrap()];
    let (plan, check) = (
        [&["plan"], &live[..]].concat(),
        [&["check"], &live[..]].concat(),
    );
    let run = berth_in(root.path(), &check);
    assert_eq!(run.code, Some(0), "{}", run.err);
    assert_eq!(run.err.matches("warning[B0501]").count(), 1, "{}", run.err);
    let spill = json!({
        "metadata": {"name": "berth-demo.spill"},
        "data": {"experiment.vision.resnet50": kept},
    });
    sandbox.make("/api/v1/namespaces/berth/configmaps", &spill);
    for (arguments, code) in [(check, 1), (plan, 0)] {
        let run = berth_in(root.path(), &arguments);
        assert_eq!(run.code, Some(code), "{arguments:?}: {}", run.err);
        assert_eq!(run.err.matches("B0501").count(), 1, "{}", run.err);
        assert_eq!(run.err.matches("error[B0501]").count(), 1, "{}", run.err);
        assert_eq!(run.err.matches("[B0304]").count(), 1, "{}", run.err);
    }
}
