//! Everything that a test plays on, and the waiting for what it is to see.

use std::path::{Path, PathBuf};
use std::time::Duration;

use berth_core::ids::Timestamp;
use berth_git::LocalWatch;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::Instant;

use super::cluster::{Cluster, On, Wish};
use super::daemon::{Daemon, Flags};
use super::documents;
use super::names::Names;
use super::proxy::Proxy;
use super::repository::StateRepository;
use super::scene::Scene;
use super::status::Status;
use super::truth::{self, Pods};
use super::wake::Wake;
use crate::controlplane::Part;

/// The branch that the daemon writes.
pub const BRANCH: &str = "berth/status/lab";
/// What has not happened by then never will; generous, for machines that are busy.
const PATIENCE: Duration = Duration::from_mins(1);
/// As many lines of the log are shown.
const LINES: usize = 60;

/// What a stage is made of.
#[derive(Debug, Clone)]
pub struct Setting {
    /// The server.
    pub on: On,
    /// The cluster.
    pub cluster: Wish,
    /// Commit [`documents::first`].
    pub documents: bool,
    /// Put a proxy of this seed between daemon and server.
    pub proxy: Option<u64>,
    /// Start the daemon.
    pub daemon: bool,
}

impl Setting {
    /// Documents and daemon, on this server.
    pub fn usual(on: On) -> Self {
        Self {
            on,
            cluster: Wish::default(),
            documents: true,
            proxy: None,
            daemon: true,
        }
    }

    /// A prefix of images, and what stands in its place on a cluster [`Self::with_mirror`].
    pub const MIRROR: (&str, &str) = ("registry.example.com/", "mirror.example.com/");

    /// The usual, on a cluster that changes the images of pods when they are made, as a webhook
    /// would.
    pub fn with_mirror(on: On) -> Self {
        Self {
            cluster: Wish {
                rewrite: Some(Self::MIRROR),
                ..Wish::default()
            },
            ..Self::usual(on)
        }
    }
}

/// A state repository, a cluster, a daemon, and what is seen of them.
pub struct Stage {
    /// The daemon that was started last; it ends before the others do.
    pub daemon: Option<Daemon>,
    /// Where users commit.
    pub repository: StateRepository,
    /// The proxy before it, if the setting says so.
    pub proxy: Option<Proxy>,
    /// The cluster.
    pub cluster: Cluster,
    /// What was seen so far.
    pub scene: Scene,
    /// Rings when there is something to see.
    pub wake: Wake,
    /// The clock of one wait.
    pub patience: Duration,
    /// Something of others that looks like Berth's, as it was made.
    foreign: Option<Value>,
    /// When the API server died first, if it did.
    outage: Option<Timestamp>,
    on: On,
    bell: watch::Receiver<u64>,
    folder: tempfile::TempDir,
    _watch: LocalWatch,
}

impl Stage {
    /// The usual one: documents committed, daemon running.
    pub async fn usual(on: On) -> Self {
        Self::build(Setting::usual(on)).await
    }

    /// Builds one.
    pub async fn build(setting: Setting) -> Self {
        let folder = tempfile::Builder::new()
            .prefix("berth-e2e-")
            .tempdir()
            .unwrap();
        let repository = StateRepository::create(folder.path().join("state"));
        let wake = Wake::new();
        let bell = wake.listen();
        let ring = wake.clone();
        let watch = LocalWatch::start(repository.root(), move || ring.ring()).unwrap();
        let kubeconfig = folder.path().join("kubeconfig");
        let (on, names) = (setting.on, Names::fresh());
        let cluster = Cluster::start(on, &setting.cluster, &names, kubeconfig, wake.clone()).await;
        let mut stage = Self {
            daemon: None,
            repository,
            proxy: None,
            cluster,
            on,
            scene: Scene::default(),
            wake,
            patience: PATIENCE,
            foreign: None,
            outage: None,
            bell,
            folder,
            _watch: watch,
        };
        stage.proxy = setting.proxy.map(|seed| stage.put_proxy(seed));
        if stage.proxy.is_some() {
            stage.put_foreign();
        }
        if setting.documents {
            stage.describe_cluster();
        }
        if setting.daemon {
            stage.start();
        }
        stage
    }

    /// Makes something of others in the queue's namespace: a Service with the name and the labels
    /// that Berth gives, of another instance. Berth may delete Services there, and must not touch it.
    pub fn put_foreign(&mut self) {
        let service = json!({
            "metadata": {
                "name": "gang-0-0badf00d-1-1",
                "labels": {
                    "app.kubernetes.io/managed-by": "berth", "berth.dev/instance": "another",
                    "berth.dev/kind": "Experiment", "berth.dev/queue": "vision",
                    "berth.dev/experiment": "gang-0",
                },
            },
            "spec": {"clusterIP": "None", "selector": {"berth.dev/experiment": "gang-0"}},
        });
        let path = self.names().path("services");
        self.foreign = Some(self.cluster.post(&path, &service));
    }

    fn put_proxy(&self, seed: u64) -> Proxy {
        let direct = self.cluster.kubeconfig();
        let proxy = Proxy::start(direct, seed, self.wake.clone());
        std::fs::write(self.proxied(), proxy.kubeconfig(direct)).unwrap();
        proxy
    }

    fn proxied(&self) -> PathBuf {
        self.folder().join("kubeconfig-of-the-proxy")
    }

    /// Commits the first documents.
    pub fn describe_cluster(&self) {
        for (path, text) in documents::first(self.names()) {
            self.repository.write(path, &text);
        }
        self.repository
            .commit("Describe the cluster, its pods and a queue");
    }

    /// The names of this stage.
    pub fn names(&self) -> &Names {
        self.cluster.names()
    }

    /// The API's path of a pod of the queue.
    pub fn pod_path(&self, name: &str) -> String {
        self.names().path(&format!("pods/{name}"))
    }

    /// Another cluster of the same kind, with the same namespaces.
    pub async fn another_cluster(&self) -> Cluster {
        let wish = Wish {
            alone: true,
            ..Wish::default()
        };
        let kubeconfig = self.folder().join("another");
        Cluster::start(self.on, &wish, self.names(), kubeconfig, self.wake.clone()).await
    }

    /// A folder for the test's own files; it goes with the stage.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// How this stage's daemon is started.
    pub fn flags(&self) -> Flags {
        let kubeconfig = match &self.proxy {
            Some(_) => self.proxied(),
            None => self.cluster.kubeconfig().to_owned(),
        };
        Flags {
            repository: self.repository.root().display().to_string(),
            reference: "main".to_owned(),
            cluster: "lab".to_owned(),
            kubeconfig,
            identity: "first".to_owned(),
            crash: None,
            more: Vec::new(),
            pod: None,
        }
    }

    /// Starts the daemon.
    pub fn start(&mut self) {
        self.start_with(&self.flags());
    }

    /// Starts the daemon in another way.
    pub fn start_with(&mut self, flags: &Flags) {
        self.daemon = Some(Daemon::start(flags, &self.wake));
    }

    /// kill -9, until it is gone.
    pub async fn kill(&mut self) {
        self.daemon.as_ref().unwrap().kill();
        self.ended().await;
    }

    /// SIGTERM; the daemon must end well.
    pub async fn stop(&mut self) {
        self.daemon.as_ref().unwrap().terminate();
        let status = self.ended().await;
        assert!(
            status.success(),
            "after SIGTERM: {status}\n{}",
            self.describe()
        );
    }

    /// Waits for the daemon's end.
    pub async fn ended(&mut self) -> std::process::ExitStatus {
        self.wait("the daemon ends", |stage| {
            stage.daemon.as_ref().and_then(Daemon::ended)
        })
        .await
    }

    /// Adds or changes an experiment and commits.
    pub fn add(&self, name: &str, slots: u32, run: &str, more: &[(&str, &str)]) -> String {
        let text = documents::experiment(name, slots, run, more);
        self.repository.write(&documents::path(name), &text);
        self.repository.commit(&format!("Add {name}"))
    }

    /// Replaces a part of an experiment and commits.
    pub fn edit(&self, name: &str, from: &str, to: &str) -> String {
        self.repository.replace(&documents::path(name), from, to);
        self.repository.commit(&format!("Change {name}: {to}"))
    }

    /// Waits until `seen` holds; the daemon must live meanwhile.
    pub async fn until(&mut self, what: &str, seen: impl Fn(&Scene) -> bool) {
        self.wait(what, |stage| {
            if seen(&stage.scene) {
                return Some(());
            }
            if let Some(ended) = stage.daemon.as_ref().and_then(Daemon::ended) {
                panic!(
                    "the daemon ended ({ended}) before: {what}\n{}",
                    stage.describe()
                );
            }
            None
        })
        .await;
    }

    /// Waits until the experiment is in this state.
    pub async fn state(&mut self, name: &str, state: &str) {
        let what = format!("{name} is {state}");
        self.until(&what, |scene| scene.status.state(name) == state)
            .await;
    }

    /// Waits until the message of an experiment holds all of these words.
    pub async fn message(&mut self, name: &str, words: &[&str]) {
        let what = format!("the message of {name} says {words:?}");
        self.until(&what, |scene| {
            let message = scene.status.message(name);
            words.iter().all(|word| message.contains(word))
        })
        .await;
    }

    /// Waits until attempt 2 of an experiment runs and the branch tells that attempt 1 was
    /// interrupted: that counts against nobody, and each has its one pod a rank.
    pub async fn interrupted_once(&mut self, name: &str) {
        self.until("attempt 2 runs, attempt 1 was interrupted", |scene| {
            let attempts = [(1, "interrupted"), (2, "")];
            scene.status.state(name) == "Running" && scene.status.attempts(name) == attempts
        })
        .await;
        assert_eq!(self.scene.status.restarts(name), 0);
        let pods = |number| self.scene.attempt(name, number).len();
        assert_eq!(pods(1), pods(2), "{}", self.describe());
        assert_eq!(
            self.scene.of(name).len(),
            2 * pods(1),
            "{}",
            self.describe()
        );
    }

    /// Waits until a line of the daemon's log holds all of these words.
    pub async fn said(&mut self, words: &[&str]) {
        let what = format!("the daemon says {words:?}");
        self.wait(&what, |stage| {
            stage.daemon.as_ref()?.says(words).then_some(())
        })
        .await;
    }

    /// Waits until `look` finds what it looks for.
    pub async fn wait<T>(&mut self, what: &str, look: impl Fn(&Self) -> Option<T>) -> T {
        let deadline = Instant::now() + self.patience;
        loop {
            self.bell.borrow_and_update();
            self.look();
            if let Some(found) = look(self) {
                return found;
            }
            if tokio::time::timeout_at(deadline, self.bell.changed())
                .await
                .is_err()
            {
                panic!(
                    "this did not happen within {} s: {what}\n{}",
                    self.patience.as_secs(),
                    self.describe()
                );
            }
        }
    }

    /// Takes in what is there now.
    pub fn look(&mut self) {
        self.scene.look(&self.cluster);
        if self.repository.tip(BRANCH) != self.scene.status.tip {
            self.scene.status = Status::read(&self.repository, BRANCH, &self.scene.status);
        }
    }

    /// Makes the server forget all changes so far: a watch that is behind must list again. A real
    /// API server dies for it.
    pub async fn compact(&mut self) {
        self.outage.get_or_insert_with(now);
        self.cluster.compact().await;
    }

    /// Kills a part of a control plane that this stage has alone, and brings it back.
    pub async fn strike(&mut self, part: Part) {
        self.outage.get_or_insert_with(now);
        let plane = self.cluster.plane();
        plane.kill(part);
        plane.revive(part).unwrap();
        plane.until_ready().await.unwrap();
    }

    /// What must hold at the end of every story: no pod name was used twice, nothing foreign was
    /// touched, no request came again before the server wanted it to, and the status branch never
    /// said of the pods what was not so.
    pub fn check(&mut self) {
        self.look();
        if let Some(foreign) = &self.foreign {
            let (queue, name) = (self.names().queue(), foreign["metadata"]["name"].as_str());
            let now = self.cluster.object("services", &queue, name.unwrap());
            assert_eq!(now.as_deref(), Some(foreign), "{}", self.describe());
        }
        let hurried = self.proxy.as_ref().map(Proxy::hurried).unwrap_or_default();
        assert!(
            hurried.is_empty(),
            "before Retry-After: {hurried:#?}\n{}",
            self.describe()
        );
        let twice = self.scene.used_twice();
        assert!(
            twice.is_empty(),
            "used twice: {twice:?}\n{}",
            self.describe()
        );
        let pods = Pods {
            all: &self.scene.pods,
            outage: self.outage,
        };
        let lies = truth::lies(&self.repository, BRANCH, pods);
        assert!(
            lies.is_empty(),
            "the status branch lied:\n{}\n{}",
            lies.join("\n"),
            self.describe()
        );
    }

    /// All that was seen, for reports.
    pub fn describe(&self) -> String {
        let log = self.daemon.as_ref().map(Daemon::log).unwrap_or_default();
        let last = &log[log.len().saturating_sub(LINES)..];
        let proxy = self.proxy.as_ref().map(Proxy::describe).unwrap_or_default();
        format!("{}{proxy}log:\n{}", self.scene.describe(), last.join("\n"))
    }
}

fn now() -> Timestamp {
    Timestamp::default().plus(std::time::UNIX_EPOCH.elapsed().unwrap())
}
