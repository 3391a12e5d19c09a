//! A real control plane of its own, with nodes that KWOK plays.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use berth_sandbox::Request;
use berth_tests::controlplane::{ControlPlane, Options, Part, Programs};
use kube::Client;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::audit::Audit;
use super::{Answers, GPUS, NAMESPACE};
use crate::Fallible;

/// Nodes that are not ready by then never will be.
const PATIENCE: Duration = Duration::from_mins(2);

/// etcd, kube-apiserver, its controllers, the scheduler and KWOK.
#[derive(Debug)]
pub struct Real {
    plane: ControlPlane,
    admin: Admin,
    programs: Programs,
    audit: Audit,
    /// After the control plane, which writes there until it ends.
    _folder: TempDir,
}

struct Admin(Client);

impl std::fmt::Debug for Admin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Admin")
    }
}

impl Real {
    pub(super) async fn start(programs: &Programs, nodes: usize) -> Fallible<Self> {
        let folder = tempfile::Builder::new().prefix("berth-bench-").tempdir()?;
        let (audit, auditing) = Audit::prepare(folder.path())?;
        let mut options = Options::whole();
        options.arguments = [
            (Part::ApiServer, auditing),
            // By itself it binds 50 pods a second, whatever the machine can.
            (
                Part::Scheduler,
                words(&["--kube-api-qps=1000", "--kube-api-burst=1000"]),
            ),
            // Nodes that say nothing cost nothing: heartbeats of hundreds are not what is measured.
            (
                Part::ControllerManager,
                words(&["--node-monitor-grace-period=24h"]),
            ),
            (Part::Kwok, words(&["--node-lease-duration-seconds=0"])),
        ]
        .into();
        let plane = ControlPlane::start(programs, &options).await?;
        let real = Self {
            admin: Admin(plane.client().await?),
            plane,
            programs: programs.clone(),
            audit,
            _folder: folder,
        };
        for number in 0..nodes {
            let request = Request::new("POST", "/api/v1/nodes");
            let request = request.with("application/json", &node(number));
            real.ask(&request).await?;
        }
        real.until_ready(nodes).await?;
        Ok(real)
    }

    /// Waits until pods can be put on all nodes. The node controller takes the taint of new nodes
    /// off ten times a second; nobody waits for it.
    async fn until_ready(&self, nodes: usize) -> Fallible<()> {
        let began = Instant::now();
        let untainted = json!({"spec": {"taints": null}});
        loop {
            let list = self.get("/api/v1/nodes").await?;
            let (mut ready, all) = (0, items(&list).iter());
            for node in all.filter(|node| is_ready(node)) {
                if node["spec"]["taints"].is_null() {
                    ready += 1;
                    continue;
                }
                let name = node["metadata"]["name"].as_str().unwrap_or_default();
                let request = Request::new("PATCH", &format!("/api/v1/nodes/{name}"));
                let request = request.with("application/merge-patch+json", &untainted);
                self.ask(&request).await?;
            }
            if ready == nodes {
                return Ok(());
            }
            if began.elapsed() > PATIENCE {
                return Err(format!("{ready} of {nodes} nodes are ready").into());
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    pub(super) fn kubeconfig(&self) -> Fallible<String> {
        Ok(std::fs::read_to_string(self.plane.kubeconfig())?)
    }

    pub(super) fn kubectl(&self) -> PathBuf {
        self.programs.kubectl()
    }

    pub(super) fn answers(&self) -> Fallible<Answers> {
        self.audit.answers()
    }

    pub(super) async fn pods(&self) -> Fallible<usize> {
        self.count("").await
    }

    pub(super) async fn all_run(&self, pods: usize) -> Fallible<bool> {
        // With a selector the server does not say how many more there are: none must be left.
        let others = "&fieldSelector=status.phase%21%3DRunning";
        Ok(self.count("").await? == pods && self.count(others).await? == 0)
    }

    async fn count(&self, more: &str) -> Fallible<usize> {
        let path = format!("/api/v1/namespaces/{NAMESPACE}/pods?limit=1{more}");
        let list = self.get(&path).await?;
        let rest = list["metadata"]["remainingItemCount"].as_u64();
        Ok(items(&list).len() + usize::try_from(rest.unwrap_or_default())?)
    }

    pub(super) async fn names(&self) -> Fallible<Vec<String>> {
        let path = format!("/api/v1/namespaces/{NAMESPACE}/pods");
        let list = self.get(&path).await?;
        let names = items(&list).iter();
        let names = names.filter_map(|pod| pod["metadata"]["name"].as_str());
        Ok(names.map(str::to_owned).collect())
    }

    async fn get(&self, path: &str) -> Fallible<Value> {
        let request = http::Request::get(path).body(Vec::new())?;
        let answer = self.admin.0.request(request).await;
        Ok(answer.map_err(|error| format!("GET {path}: {error}"))?)
    }

    pub(super) async fn ask(&self, request: &Request) -> Fallible<Value> {
        let built = http::Request::builder()
            .method(request.method.as_str())
            .uri(&request.path)
            .header("content-type", &request.content_type)
            .body(request.body.clone())?;
        let answer = self.admin.0.request(built).await;
        let said = |error| format!("{} {}: {error}", request.method, request.path);
        Ok(answer.map_err(said)?)
    }
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}

fn items(list: &Value) -> &[Value] {
    list["items"].as_array().map_or(&[], Vec::as_slice)
}

fn is_ready(node: &Value) -> bool {
    let conditions = node["status"]["conditions"].as_array();
    let ready = |one: &Value| one["type"] == "Ready" && one["status"] == "True";
    conditions.is_some_and(|all| all.iter().any(ready))
}

fn node(number: usize) -> Value {
    let name = format!("node-{number}");
    let amounts = json!({
        "cpu": "64", "memory": "256Gi", "pods": "110", "ephemeral-storage": "1Ti",
        "nvidia.com/gpu": GPUS.to_string(),
    });
    json!({
        "apiVersion": "v1", "kind": "Node",
        "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name}},
        "status": {"capacity": amounts, "allocatable": amounts},
    })
}
