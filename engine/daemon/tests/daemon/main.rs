//! The daemon on the sandbox, which lives in the test; the daemon is the real binary, Git is real.

#![allow(clippy::unwrap_used, clippy::panic)]

mod crash;
mod log;

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use berth_git::LocalWatch;
use berth_sandbox::http::Sandbox;
use berth_sandbox::{Body, NodePool, Options, Request, Server};
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio::sync::Notify;
use tokio::time::timeout;

const BRANCH: &str = "berth/status/demo";
const PATIENCE: Duration = Duration::from_secs(30);
const DOCUMENTS: &[(&str, &str)] = &[
    (
        "cluster.yaml",
        "apiVersion: berth.dev/v1alpha1\nkind: Cluster\nmetadata: {name: demo}\nspec:\n  namespace: berth\n  maxSlotsPerPod: 8\n",
    ),
    (
        "queue.yaml",
        "apiVersion: berth.dev/v1alpha1\nkind: Queue\nmetadata: {name: vision}\nspec: {cluster: demo, namespace: vision, quota: 64}\n",
    ),
    (
        "train.yaml",
        "apiVersion: berth.dev/v1alpha1\nkind: Experiment\nmetadata:\n  name: train\n  annotations: {sandbox.berth.dev/run: 300ms}\nspec:\n  queue: vision\n  image: registry.example.com/train:1\n  entrypoint: [train]\n  resources: {slotsPerTrial: 16}\n",
    ),
];

/// A repository, a sandbox, a folder.
struct Stage {
    folder: TempDir,
    sandbox: Sandbox,
}

/// Rings when the status branch may have moved.
struct Bell {
    rings: Arc<Notify>,
    _watch: LocalWatch,
}

impl Bell {
    fn of(repository: &Path) -> Self {
        let rings = Arc::new(Notify::new());
        let ring = Arc::clone(&rings);
        let watch = LocalWatch::start(repository, move || ring.notify_one()).unwrap();
        Self {
            rings,
            _watch: watch,
        }
    }
}

impl Stage {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let options = Options {
            nodes: vec![NodePool::gpus(2, 8)],
            ..Options::default()
        };
        let sandbox = Sandbox::start(Server::new(options), listener, None).unwrap();
        let stage = Self { folder, sandbox };
        std::fs::write(stage.kubeconfig(), stage.sandbox.kubeconfig()).unwrap();
        for name in ["berth", "vision"] {
            stage.call(
                "POST",
                "/api/v1/namespaces",
                &format!(
                    r#"{{"apiVersion":"v1","kind":"Namespace","metadata":{{"name":"{name}"}}}}"#
                ),
            );
        }
        std::fs::create_dir(stage.repository()).unwrap();
        for (path, text) in DOCUMENTS {
            std::fs::write(stage.repository().join(path), text).unwrap();
        }
        stage.git(&["init", "-q", "-b", "main"]).unwrap();
        stage.git(&["add", "."]).unwrap();
        stage.git(&["commit", "-qm", "train"]).unwrap();
        stage
    }

    fn repository(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    fn kubeconfig(&self) -> PathBuf {
        self.folder.path().join("kubeconfig")
    }

    fn call(&self, method: &str, path: &str, body: &str) -> Value {
        let request = Request {
            method: method.into(),
            path: path.into(),
            query: Vec::new(),
            content_type: "application/json".into(),
            accept: "application/json".into(),
            user_agent: "test".into(),
            body: body.as_bytes().to_vec(),
        };
        let response = self.sandbox.with(|server| server.handle(0, &request));
        match response.body {
            Body::Full(bytes) => serde_json::from_slice(&bytes).unwrap(),
            _ => panic!("no whole answer"),
        }
    }

    fn git(&self, arguments: &[&str]) -> Option<String> {
        git(&self.repository(), arguments)
    }

    /// A daemon that crashes at this moment, if one is named; killed when it is dropped.
    fn daemon(&self, crash: Option<&str>) -> Child {
        let log = std::fs::File::options();
        let log = log
            .clone()
            .create(true)
            .append(true)
            .open(self.folder.path().join("log"))
            .unwrap();
        let mut command = self.command();
        command.envs(crash.map(|at| ("BERTH_CRASH", at)));
        command.stderr(log).spawn().unwrap()
    }

    /// How a daemon is started; killed when it is dropped.
    fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_berth"));
        command.arg("run").arg("--repo").arg(self.repository());
        command.arg("--kubeconfig").arg(self.kubeconfig());
        command.args(["--cluster", "demo", "--ref", "main", "--identity", "test"]);
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("BERTH_")) {
            command.env_remove(name);
        }
        command.stdin(Stdio::null()).stdout(Stdio::null());
        command.kill_on_drop(true);
        command
    }

    /// The status file of the experiment.
    fn status(&self) -> Value {
        let listed = self
            .git(&["ls-tree", "-r", "--name-only", BRANCH])
            .unwrap_or_default();
        let file = listed
            .lines()
            .find(|path| path.ends_with("vision.train.yaml"));
        let text = file.and_then(|path| self.git(&["show", &format!("{BRANCH}:{path}")]));
        text.map_or(Value::Null, |text| serde_saphyr::from_str(&text).unwrap())
    }

    async fn completes(&self) -> Value {
        let bell = Bell::of(&self.repository());
        loop {
            let status = self.status();
            if status["status"]["state"] == "Completed" {
                return status;
            }
            bell.rings.notified().await;
        }
    }

    /// Waits for this, as long as it may take.
    async fn within<T>(&self, what: &str, wait: impl Future<Output = T>) -> T {
        timeout(PATIENCE, wait).await.unwrap_or_else(|_| {
            let log = std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
            panic!("{what}: {:#}\n{log}", self.status())
        })
    }
}

fn git(folder: &Path, arguments: &[&str]) -> Option<String> {
    let mut command = std::process::Command::new("git");
    command
        .current_dir(folder)
        .args(["-c", "user.name=A", "-c", "user.email=a@example.com"]);
    let output = command.args(arguments).output().unwrap();
    let text = || String::from_utf8(output.stdout).unwrap();
    output.status.success().then(text)
}
