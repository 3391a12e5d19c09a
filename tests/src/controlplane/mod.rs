//! A real Kubernetes control plane of its own for each test: etcd, kube-apiserver and, where
//! wanted, the controllers, the scheduler and KWOK's simulated kubelets.
//!
//! Every control plane has its own temporary folder and its own ports on loopback, so that several
//! run side by side. The programs are built by `make controlplane`.

mod arguments;
mod error;
mod ports;
pub(crate) mod process;
mod programs;
pub(crate) mod reaper;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

pub use error::StartError;
pub use programs::{Part, Programs};

use arguments::Place;
use process::Process;
use reaper::Reaper;

/// How long a part has until it must be ready; it needs seconds.
const PATIENCE: Duration = Duration::from_secs(90);
const POLL: Duration = Duration::from_millis(50);
/// A port that was free when it was chosen may be taken by another test before it is used.
const TRIES: usize = 3;

/// What to start beside etcd and kube-apiserver.
#[derive(Debug, Clone)]
pub struct Options {
    /// The further parts.
    pub parts: Vec<Part>,
    /// Further arguments of a part.
    pub arguments: BTreeMap<Part, Vec<String>>,
}

impl Options {
    /// Only the API: objects are kept and checked, nothing acts on them.
    pub fn api() -> Self {
        Self {
            parts: Vec::new(),
            arguments: BTreeMap::new(),
        }
    }

    /// The controllers and the scheduler, for nodes that are not simulated.
    pub fn without_nodes() -> Self {
        Self {
            parts: vec![Part::ControllerManager, Part::Scheduler],
            ..Self::api()
        }
    }

    /// Everything: controllers, the scheduler, and kubelets that obey the annotations
    /// `sandbox.berth.dev/...` of pods.
    pub fn whole() -> Self {
        Self {
            parts: vec![Part::ControllerManager, Part::Scheduler, Part::Kwok],
            ..Self::api()
        }
    }
}

/// A running control plane. Dropping it kills its processes, waits until they and their ports are
/// gone, and removes its folder. That happens too, a moment later, when this process ends without
/// dropping it, however it ends.
#[derive(Debug)]
pub struct ControlPlane {
    /// In the order of starting.
    running: BTreeMap<Part, Process>,
    place: Place,
    // After `running`, as fields are dropped in order: the programs write here until they end.
    _folder: TempDir,
    _reaper: Reaper,
}

impl ControlPlane {
    /// Starts the programs and waits until the API is ready.
    pub async fn start(programs: &Programs, options: &Options) -> Result<Self, StartError> {
        let mut tries = 0;
        loop {
            tries += 1;
            match Self::try_start(programs, options).await {
                Err(StartError::Ended { words, .. })
                    if tries < TRIES && words.contains("address already in use") => {}
                done => return done,
            }
        }
    }

    async fn try_start(programs: &Programs, options: &Options) -> Result<Self, StartError> {
        let folder = tempfile::Builder::new()
            .prefix("berth-controlplane-")
            .tempdir()?;
        let reaper = Reaper::watch(folder.path())?;
        let place = Place::new(folder.path())?;
        let mut plane = Self {
            running: BTreeMap::new(),
            place,
            _folder: folder,
            _reaper: reaper,
        };
        let more = |part| options.arguments.get(&part).map_or(&[][..], Vec::as_slice);
        plane.launch(programs, Part::Etcd, more(Part::Etcd))?;
        plane.launch(programs, Part::ApiServer, more(Part::ApiServer))?;
        // The server makes its certificate when it starts; who trusts it must wait for that.
        plane
            .until("a certificate", |plane| plane.place.has_certificate())
            .await?;
        for part in &options.parts {
            plane.launch(programs, *part, more(*part))?;
        }
        plane.until_ready().await?;
        Ok(plane)
    }

    fn launch(
        &mut self,
        programs: &Programs,
        part: Part,
        more: &[String],
    ) -> Result<(), StartError> {
        let mut arguments = self.place.arguments(part);
        arguments.extend_from_slice(more);
        let process = Process::start(programs.path(part), arguments, &self.place.folder)?;
        self.running.insert(part, process);
        Ok(())
    }

    /// Waits until the API says that it is ready.
    pub async fn until_ready(&mut self) -> Result<(), StartError> {
        let end = Instant::now() + PATIENCE;
        while !self.is_ready().await {
            self.check()?;
            if Instant::now() > end {
                return Err(StartError::Late { what: "readiness" });
            }
            tokio::time::sleep(POLL).await;
        }
        Ok(())
    }

    async fn is_ready(&self) -> bool {
        let Ok(client) = self.client().await else {
            return false;
        };
        let Ok(request) = http::Request::get("/readyz").body(Vec::new()) else {
            return false;
        };
        client
            .request_text(request)
            .await
            .is_ok_and(|words| words == "ok")
    }

    async fn until(
        &mut self,
        what: &'static str,
        is_true: impl Fn(&Self) -> bool,
    ) -> Result<(), StartError> {
        let end = Instant::now() + PATIENCE;
        while !is_true(self) {
            self.check()?;
            if Instant::now() > end {
                return Err(StartError::Late { what });
            }
            tokio::time::sleep(POLL).await;
        }
        Ok(())
    }

    /// An error if a part ended that nobody killed.
    pub fn check(&mut self) -> Result<(), StartError> {
        self.running.values_mut().try_for_each(Process::check)
    }

    /// Kills one part, as `kill -9` does, and waits until it is gone.
    pub fn kill(&mut self, part: Part) {
        if let Some(process) = self.running.get_mut(&part) {
            process.kill();
        }
    }

    /// Starts a killed part again, with the same arguments, folder and ports.
    pub fn revive(&mut self, part: Part) -> Result<(), StartError> {
        self.running
            .get_mut(&part)
            .map_or(Ok(()), Process::start_again)
    }

    /// The process id of a part, to measure it.
    pub fn pid(&self, part: Part) -> Option<u32> {
        self.running.get(&part).and_then(Process::pid)
    }

    /// A kubeconfig of an identity that may do everything.
    pub fn kubeconfig(&self) -> PathBuf {
        self.place.kubeconfig()
    }

    /// The port of the API, on loopback.
    pub fn port(&self) -> u16 {
        self.place.api
    }

    /// A client of that identity. It repeats nothing and goes through no proxy.
    pub async fn client(&self) -> Result<kube::Client, StartError> {
        client(&self.place.kubeconfig_text()).await
    }

    /// Where etcd listens for clients, without a check of who they are.
    pub fn etcd(&self) -> String {
        self.place.etcd()
    }

    /// Makes the store forget the changes up to a revision.
    pub async fn compact(&self, revision: &Value) -> Result<(), StartError> {
        // etcd has a JSON gateway beside gRPC.
        let unusable = |error: &dyn std::fmt::Display| StartError::Client(error.to_string());
        let address = self.etcd().parse();
        let address = address.map_err(|error: http::uri::InvalidUri| unusable(&error))?;
        let client = kube::Client::try_from(kube::Config::new(address));
        let client = client.map_err(|error| unusable(&error))?;
        let body = json!({"revision": revision, "physical": true}).to_string();
        let request = http::Request::post("/v3/kv/compaction").body(body.into_bytes());
        let request = request.map_err(|error| unusable(&error))?;
        let answer = client.request_text(request).await;
        answer.map(drop).map_err(|error| unusable(&error))
    }

    /// The end of what a part wrote, for a failed test's report.
    pub fn last_words(&self, part: Part) -> String {
        self.running
            .get(&part)
            .map(Process::last_words)
            .unwrap_or_default()
    }
}

impl Drop for ControlPlane {
    fn drop(&mut self) {
        // KILL and not TERM: the API server waits for its watches before it follows TERM. The
        // dependent parts first, so that they do not complain.
        for process in self.running.values_mut().rev() {
            process.kill();
        }
        ports::wait_until_free(&self.place.ports());
    }
}

/// A client of a kubeconfig's text. It repeats nothing and goes through no proxy.
pub async fn client(kubeconfig: &str) -> Result<kube::Client, StartError> {
    let unusable = |error: &dyn std::fmt::Display| StartError::Client(error.to_string());
    let read = kube::config::Kubeconfig::from_yaml(kubeconfig).map_err(|error| unusable(&error))?;
    let chosen = kube::config::KubeConfigOptions::default();
    let mut config = kube::Config::from_custom_kubeconfig(read, &chosen)
        .await
        .map_err(|error| unusable(&error))?;
    config.proxy_url = None;
    config.default_retry = false;
    kube::Client::try_from(config).map_err(|error| unusable(&error))
}
