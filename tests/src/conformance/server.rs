//! The servers under test.

use std::time::{SystemTime, UNIX_EPOCH};

use berth_sandbox::http::Sandbox;
use berth_sandbox::{NodePool, Options};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::controlplane::{self, ControlPlane, Programs, StartError};

/// A server under test; it ends when it is dropped.
pub struct Server {
    /// What reports call it.
    pub name: &'static str,
    pub(super) client: kube::Client,
    /// Whoever it is, shows a token that nobody issued.
    pub(super) stranger: kube::Client,
    world: World,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.name)
    }
}

enum World {
    Sandbox(Sandbox),
    Real(Box<ControlPlane>),
}

/// The nodes of both servers: this many with this many GPUs each.
const NODES: u32 = 4;
const GPUS: u32 = 8;

impl Server {
    /// The embedded sandbox, over HTTP.
    pub async fn sandbox() -> Result<Self, StartError> {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let options = Options {
            nodes: vec![NodePool::gpus(NODES, GPUS)],
            start_ms: i64::try_from(since.as_millis()).unwrap_or_default(),
            ..Options::default()
        };
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let token = Some("token-of-the-sandbox".to_owned());
        let sandbox = Sandbox::start(berth_sandbox::Server::new(options), listener, token)?;
        let kubeconfig = sandbox.kubeconfig();
        Ok(Self {
            name: "sandbox",
            client: controlplane::client(&kubeconfig).await?,
            stranger: stranger(&kubeconfig).await?,
            world: World::Sandbox(sandbox),
        })
    }

    /// A real control plane of its own.
    pub async fn real(programs: &Programs) -> Result<Self, StartError> {
        let plane = ControlPlane::start(programs, &controlplane::Options::whole()).await?;
        let client = plane.client().await?;
        for number in 0..NODES {
            let request = http::Request::post("/api/v1/nodes")
                .header("Content-Type", "application/json")
                .body(node(number).to_string().into_bytes());
            let made = match request {
                Ok(request) => client.request_text(request).await,
                Err(error) => return Err(StartError::Client(error.to_string())),
            };
            made.map_err(|error| StartError::Client(error.to_string()))?;
        }
        let kubeconfig = std::fs::read_to_string(plane.kubeconfig())?;
        Ok(Self {
            name: "kube-apiserver",
            client,
            stranger: stranger(&kubeconfig).await?,
            world: World::Real(Box::new(plane)),
        })
    }

    /// Makes the server forget the changes up to a revision.
    pub(super) async fn compact(&self, revision: &Value) {
        match &self.world {
            World::Sandbox(sandbox) => sandbox.with(berth_sandbox::Server::compact),
            World::Real(plane) => {
                if let Err(error) = plane.compact(revision).await {
                    panic!("etcd does not compact: {error}");
                }
            }
        }
    }
}

/// A client of this kubeconfig with another token.
async fn stranger(kubeconfig: &str) -> Result<kube::Client, StartError> {
    let (before, rest) = kubeconfig.split_once("{token: ").unwrap_or_default();
    let (_, after) = rest.split_once('}').unwrap_or_default();
    let wrong = format!("{before}{{token: nobody-issued-this}}{after}");
    controlplane::client(&wrong).await
}

fn node(number: u32) -> Value {
    let name = format!("node-{number}");
    let amounts = json!({
        "cpu": "64", "memory": "256Gi", "pods": "110", "ephemeral-storage": "1Ti", "nvidia.com/gpu": GPUS.to_string(),
    });
    json!({
        "metadata": {"name": name, "labels": {
            "kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64",
        }},
        "status": {"capacity": amounts, "allocatable": amounts},
    })
}
