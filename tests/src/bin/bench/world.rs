//! The sandbox in this process, a state repository, and the daemon.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use berth_sandbox::http::Sandbox;
use berth_sandbox::{NodePool, Options, Request, Server};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::Fallible;
use crate::process::Daemon;
use crate::repository::Repository;

/// What has not happened by then never will.
const PATIENCE: Duration = Duration::from_mins(5);
/// The branch that the daemon writes.
const BRANCH: &str = "berth/status/lab";

/// Starts a sandbox with room for so many pods of one GPU.
pub async fn sandbox(pods: usize) -> Fallible<Sandbox> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let options = Options {
        start_ms: now_ms(),
        nodes: vec![NodePool::gpus(u32::try_from(pods.div_ceil(8))?, 8)],
        history: 100_000,
        ..Options::default()
    };
    let sandbox = Sandbox::start(Server::new(options), listener, None)?;
    for name in ["berth", "vision"] {
        let body = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
        let request = Request::new("POST", "/api/v1/namespaces").with("application/json", &body);
        ask(&sandbox, &request)?;
    }
    Ok(sandbox)
}

/// Sends a request past the socket, as an administrator; it must be accepted.
pub fn ask(sandbox: &Sandbox, request: &Request) -> Fallible<Value> {
    let answer = sandbox.with(|server| server.handle(now_ms(), request));
    if (200..300).contains(&answer.status) {
        return Ok(answer.value());
    }
    Err(format!("{} {}: {}", request.method, request.path, answer.value()).into())
}

/// How often a verb was answered for a resource.
pub fn calls(sandbox: &Sandbox, verb: &str, resource: &str) -> u64 {
    let of = |(known, what): &(&str, Arc<str>)| {
        (verb == "*" || *known == verb) && (resource == "*" || **what == *resource)
    };
    sandbox.with(|server| {
        let calls = server.calls().iter();
        calls
            .filter(|(call, _)| of(call))
            .map(|(_, count)| count)
            .sum()
    })
}

/// What was answered so far: verb, resource, how often.
pub type Counted = BTreeMap<(&'static str, Arc<str>), u64>;

/// All that was answered.
pub fn counted(sandbox: &Sandbox) -> Counted {
    sandbox.with(|server| server.calls().clone())
}

/// How often the sandbox was written to, but for Leases.
pub fn writes(sandbox: &Sandbox) -> u64 {
    let calls = counted(sandbox);
    let write = calls.iter().filter(|(call, _)| is_write(call));
    write.map(|(_, count)| count).sum()
}

/// What was written since then, but for Leases, in words.
pub fn written_since(sandbox: &Sandbox, before: &Counted) -> String {
    let calls = counted(sandbox);
    let write = calls.iter().filter(|(call, _)| is_write(call));
    let more = write.filter_map(|(call, count)| {
        let more = count - before.get(call).copied().unwrap_or_default();
        (more > 0).then(|| format!("{more} {} {}", call.0, call.1))
    });
    let words: Vec<String> = more.collect();
    if words.is_empty() {
        return "nothing".to_owned();
    }
    words.join(", ")
}

fn is_write((verb, resource): &(&'static str, Arc<str>)) -> bool {
    !matches!(*verb, "get" | "list" | "watch") && !resource.starts_with("leases")
}

/// All of it.
pub struct World {
    /// The cluster.
    pub sandbox: Sandbox,
    /// Where users commit.
    pub repository: Repository,
    /// The daemon that was started last.
    pub daemon: Daemon,
    kubeconfig: PathBuf,
    log_at: usize,
    folder: tempfile::TempDir,
}

impl World {
    /// Commits the files, starts the daemon.
    pub async fn start(pods: usize, files: &[(String, String)]) -> Fallible<Self> {
        let folder = tempfile::Builder::new().prefix("berth-bench-").tempdir()?;
        let repository = Repository::create(folder.path().join("state.git"))?;
        repository.publish(&repository.prepare(files)?)?;
        let sandbox = sandbox(pods).await?;
        let kubeconfig = folder.path().join("kubeconfig");
        std::fs::write(&kubeconfig, sandbox.kubeconfig())?;
        let daemon = Daemon::start(repository.root(), &kubeconfig, &folder.path().join("log"))?;
        Ok(Self {
            sandbox,
            repository,
            daemon,
            kubeconfig,
            log_at: 0,
            folder,
        })
    }

    /// Starts the daemon again; it must have ended.
    pub fn restart(&mut self) -> Fallible<()> {
        let log = self.folder.path().join("log");
        self.log_at = usize::try_from(std::fs::metadata(&log)?.len())?;
        self.daemon = Daemon::start(self.repository.root(), &self.kubeconfig, &log)?;
        Ok(())
    }

    /// How many commits the status branch has.
    pub fn status_commits(&self) -> usize {
        self.repository.commits(BRANCH)
    }

    /// Whether the status branch speaks of the tip of `main`.
    pub fn status_is_of(&self, commit: &str) -> bool {
        let applied = self.repository.file(BRANCH, "applied.yaml");
        applied.is_some_and(|text| text.contains(commit))
    }

    /// Waits until it holds, looking every `pause`; gives how long that took.
    pub async fn until(
        &mut self,
        what: &str,
        pause: Duration,
        holds: impl Fn(&Self) -> bool,
    ) -> Fallible<Duration> {
        let began = Instant::now();
        while !holds(self) {
            self.daemon
                .lives()
                .map_err(|error| self.describe(what, &error.to_string()))?;
            if began.elapsed() > PATIENCE {
                return Err(self.describe(what, "it did not happen").into());
            }
            tokio::time::sleep(pause).await;
        }
        Ok(began.elapsed())
    }

    /// Waits until the daemon has written nothing for a while: all is done.
    pub async fn rest(&mut self, quiet: Duration) -> Fallible<()> {
        let began = Instant::now();
        let (mut seen, mut since) = (u64::MAX, Instant::now());
        while since.elapsed() < quiet {
            let (now, cpu) = (writes(&self.sandbox), self.daemon.cpu()?);
            let now = now + u64::try_from(cpu.as_millis())? / 30;
            if seen != now {
                (seen, since) = (now, Instant::now());
            }
            if began.elapsed() > PATIENCE {
                return Err(self.describe("the daemon rests", "it does not").into());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }

    /// Whether the daemon that was started last has said that it is ready.
    pub fn says_ready(&self) -> bool {
        let log = std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        log[self.log_at.min(log.len())..].contains("\"ready\"")
    }

    fn describe(&self, what: &str, why: &str) -> String {
        let log = std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        let last = lines[lines.len().saturating_sub(20)..].join("\n");
        let calls = self.sandbox.with(|server| format!("{:?}", server.calls()));
        format!("{what}: {why}\n{last}\n{calls}")
    }
}

/// Now, as the sandbox counts.
pub fn now_ms() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
