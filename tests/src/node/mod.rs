//! One real node beside a real control plane: containerd, runc and a kubelet that run real
//! containers, and a name server for them.
//!
//! The node lives in mount, process and network namespaces of its own, so that nothing of it is
//! seen on the machine and the kernel itself takes all of it away at its end. Configurations, the
//! image and its program are in `tests/controlplane/node`.

mod machine;
mod need;
mod relay;
mod traces;

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use http::Request;
use serde_json::{Value, json};

pub use need::{Tools, tools};
pub use traces::Traces;

use crate::controlplane::process::Process;
use crate::controlplane::{ControlPlane, StartError};
use machine::Machine;

/// The name of the node.
pub const NAME: &str = "gpu-1";
/// The image that its containers are made of.
pub const IMAGE: &str = "docker.io/local/trainer:1";
/// Pods that are no experiment's.
pub const PODS: &str = "/api/v1/namespaces/default/pods";
/// Where its name server listens.
const DNS: &str = "10.88.0.1";
/// GPUs that it says it has.
const GPUS: &str = "8";

/// Configurations, programs that boot it, the image.
const CONFIGURATION: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/controlplane/node");
/// How long the node has until it must be ready; it needs seconds.
const PATIENCE: Duration = Duration::from_mins(2);
const POLL: Duration = Duration::from_millis(50);

/// A running node. Dropping it ends everything on it and waits until that is gone; if this process
/// ends without, that happens a moment later.
pub struct Node {
    // Ended before its programs are waited for.
    machine: Machine,
    containerd: Process,
    coredns: Process,
    kubelet: Process,
    /// How often the kubelet was started again.
    revived: u32,
    client: kube::Client,
}

impl Node {
    /// Makes a node that joins this control plane, and waits until pods can be put on it.
    pub async fn join(tools: &Tools, plane: &ControlPlane) -> Result<Self, StartError> {
        let machine = Machine::boot(plane.port()).await?;
        let mut node = Self {
            containerd: machine.containerd().await?,
            coredns: machine.start("coredns", &coredns(tools, plane))?,
            kubelet: machine.start("kubelet", &kubelet(tools, plane, machine.folder()))?,
            revived: 0,
            client: plane.client().await?,
            machine,
        };
        node.until_ready().await?;
        Ok(node)
    }

    /// Waits until pods can be put on it.
    async fn until_ready(&mut self) -> Result<(), StartError> {
        let end = Instant::now() + PATIENCE;
        while !self.is_ready().await {
            self.check()?;
            if Instant::now() > end {
                return Err(StartError::Late { what: "ready node" });
            }
            tokio::time::sleep(POLL).await;
        }
        Ok(())
    }

    /// Also says of its GPUs, which a device plugin would.
    async fn is_ready(&self) -> bool {
        let path = format!("/api/v1/nodes/{NAME}");
        let Some(node) = self.ask("GET", &path, None).await else {
            return false;
        };
        if node["status"]["capacity"]["nvidia.com/gpu"] != GPUS {
            let gpus = json!({"status": {"capacity": {"nvidia.com/gpu": GPUS}}});
            self.ask("PATCH", &format!("{path}/status"), Some(&gpus))
                .await;
            return false;
        }
        let conditions = node["status"]["conditions"].as_array();
        let ready = |one: &Value| one["type"] == "Ready" && one["status"] == "True";
        conditions.is_some_and(|all| all.iter().any(ready))
            && node["spec"]["taints"].is_null()
            && node["status"]["allocatable"]["nvidia.com/gpu"] == GPUS
    }

    /// Runs a pod of the image past the scheduler, until it runs.
    pub async fn run(&mut self, name: &str) -> Result<(), StartError> {
        let pod = json!({"metadata": {"name": name}, "spec": {
            "nodeName": NAME,
            "containers": [{"name": "a", "image": IMAGE, "imagePullPolicy": "Never"}],
        }});
        self.ask("POST", PODS, Some(&pod)).await;
        let path = format!("{PODS}/{name}");
        let end = Instant::now() + PATIENCE;
        loop {
            let now = self.ask("GET", &path, None).await.unwrap_or_default();
            if now["status"]["phase"] == "Running" {
                return Ok(());
            }
            self.check()?;
            if Instant::now() > end {
                return Err(StartError::Late {
                    what: "running pod",
                });
            }
            tokio::time::sleep(POLL).await;
        }
    }

    async fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> Option<Value> {
        let media = match method {
            "PATCH" => "application/merge-patch+json",
            _ => "application/json",
        };
        let body = body.map(|body| body.to_string().into_bytes());
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("content-type", media)
            .body(body.unwrap_or_default());
        self.client.request(request.ok()?).await.ok()
    }

    /// An error if a part ended that nobody killed.
    pub fn check(&mut self) -> Result<(), StartError> {
        let all = [&mut self.containerd, &mut self.coredns, &mut self.kubelet];
        all.into_iter().try_for_each(Process::check)
    }

    /// Kills the kubelet, as `kill -9` does; containers run on.
    pub fn kill_kubelet(&mut self) {
        self.kubelet.kill_within();
    }

    /// Starts it again, and waits until it has seen to the pods that were there before.
    pub async fn revive_kubelet(&mut self) -> Result<(), StartError> {
        self.kubelet.start_again()?;
        // It takes the oldest first: when it runs a new one, it has taken all.
        self.revived += 1;
        let name = format!("new-{}", self.revived);
        self.run(&name).await?;
        let at_once = json!({"gracePeriodSeconds": 0});
        self.ask("DELETE", &format!("{PODS}/{name}"), Some(&at_once))
            .await;
        Ok(())
    }

    /// The addresses that the name server knows for a name.
    pub fn resolve(&self, name: &str) -> Vec<String> {
        let target = format!("--target={}", self.machine.first());
        let asked = Command::new("nsenter")
            .args([
                &target, "--net", "busybox", "nslookup", "-type=a", name, DNS,
            ])
            .output();
        let said = asked.map(|asked| asked.stdout).unwrap_or_default();
        let said = String::from_utf8_lossy(&said);
        let addresses = said
            .lines()
            .filter_map(|line| line.strip_prefix("Address: "));
        addresses.map(|it| it.trim().to_owned()).collect()
    }

    /// Kills the program of a container, as `kill -9` does.
    pub fn kill_container(&self, pod: &Value) -> Result<(), StartError> {
        let id = pod["status"]["containerStatuses"][0]["containerID"].as_str();
        let id = id.and_then(|id| id.strip_prefix("containerd://"));
        let id = id.ok_or(StartError::Late { what: "container" })?;
        self.machine
            .ctr(&["tasks", "kill", "--signal", "SIGKILL", id])
    }

    /// What of it could be left on the machine; while it is there, each kind of it is found.
    pub fn traces(&self) -> Traces {
        let first = self.machine.first();
        let traces = Traces::of(self.machine.folder(), first);
        let overlooked = traces.overlooked(first);
        assert!(overlooked.is_empty(), "{traces:?} finds no {overlooked:?}");
        traces
    }

    /// The end of what its programs wrote, for a failed test's report.
    pub fn last_words(&self) -> String {
        let all = [&self.containerd, &self.coredns, &self.kubelet];
        all.map(Process::last_words).join("\n\n")
    }
}

fn coredns(tools: &Tools, plane: &ControlPlane) -> Vec<String> {
    vec![
        "env".to_owned(),
        format!("KUBECONFIG={}", plane.kubeconfig().display()),
        tools.coredns.display().to_string(),
        "-conf=/run/node/Corefile".to_owned(),
    ]
}

fn kubelet(tools: &Tools, plane: &ControlPlane, folder: &Path) -> Vec<String> {
    let cgroup = folder.file_name().unwrap_or_default();
    vec![
        tools.kubelet.display().to_string(),
        "--config=/run/node/kubelet.yaml".to_owned(),
        format!("--kubeconfig={}", plane.kubeconfig().display()),
        format!("--hostname-override={NAME}"),
        format!("--node-ip={DNS}"),
        format!("--cgroup-root=/{}", cgroup.to_string_lossy()),
    ]
}
