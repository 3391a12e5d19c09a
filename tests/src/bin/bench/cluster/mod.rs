//! The cluster that the daemon works on: a sandbox in this process, or a real control plane. All
//! that the measurements ask of it is here.

mod audit;
mod real;
mod sandbox;

use std::collections::BTreeMap;

use berth_sandbox::Request;
use berth_tests::controlplane::Programs;
use futures::{StreamExt, TryStreamExt};
use kube::Client;
use serde_json::{Value, json};

use crate::Fallible;
use real::Real;

/// The namespace of the pods.
pub const NAMESPACE: &str = "vision";
/// As many as Berth has under way at once.
pub const SIDE_BY_SIDE: usize = 32;
/// GPUs of one node.
const GPUS: usize = 8;

/// How often what was asked for was done: by verb and resource.
pub type Counted = BTreeMap<(String, String), u64>;

/// What was answered so far.
#[derive(Debug, Clone, Default)]
pub struct Answers {
    /// What was done.
    pub done: Counted,
    /// What was answered with 400 or more, by status, verb and resource.
    pub refused: BTreeMap<(u16, String, String), u64>,
}

impl Answers {
    fn count(&mut self, verb: &str, resource: &str, status: u16, count: u64) {
        let (verb, resource) = (verb.to_owned(), resource.to_owned());
        let sum = if status < 400 {
            self.done.entry((verb, resource)).or_default()
        } else {
            self.refused.entry((status, verb, resource)).or_default()
        };
        *sum += count;
    }
}

/// What clusters are made of.
#[derive(Debug, Clone)]
pub enum Server {
    /// A sandbox in this process.
    Sandbox,
    /// etcd, kube-apiserver, its controllers, the scheduler and KWOK's kubelets.
    Real(Programs),
}

/// An API server with nodes.
#[derive(Debug)]
pub enum Cluster {
    /// In this process.
    Sandbox(berth_sandbox::http::Sandbox),
    /// On this machine.
    Real(Box<Real>),
}

impl Cluster {
    /// A new cluster with room for so many pods of one GPU, and not many more.
    pub async fn start(server: &Server, pods: usize) -> Fallible<Self> {
        let nodes = pods.div_ceil(GPUS);
        let cluster = match server {
            Server::Sandbox => Self::Sandbox(sandbox::start(nodes).await?),
            Server::Real(programs) => Self::Real(Box::new(Real::start(programs, nodes).await?)),
        };
        for name in ["berth", NAMESPACE] {
            let body = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
            let request = Request::new("POST", "/api/v1/namespaces");
            cluster
                .ask(&request.with("application/json", &body))
                .await?;
        }
        Ok(cluster)
    }

    /// For the daemon, kubectl and other clients.
    pub fn kubeconfig(&self) -> Fallible<String> {
        match self {
            Self::Sandbox(sandbox) => Ok(sandbox.kubeconfig()),
            Self::Real(real) => real.kubeconfig(),
        }
    }

    /// A client of its own, through the socket.
    pub async fn client(&self) -> Fallible<Client> {
        Ok(berth_tests::controlplane::client(&self.kubeconfig()?).await?)
    }

    /// The kubectl of this server's version, where it is known.
    pub fn kubectl(&self) -> std::path::PathBuf {
        match self {
            Self::Sandbox(_) => "kubectl".into(),
            Self::Real(real) => real.kubectl(),
        }
    }

    /// Sends a request as an administrator, past the socket where there is a way past it; it must
    /// be accepted.
    pub async fn ask(&self, request: &Request) -> Fallible<Value> {
        match self {
            Self::Sandbox(server) => sandbox::ask(server, request),
            Self::Real(real) => real.ask(request).await,
        }
    }

    /// Sends many, side by side.
    pub async fn ask_all(&self, requests: impl IntoIterator<Item = Request>) -> Fallible<()> {
        futures::stream::iter(requests)
            .map(|request| async move { self.ask(&request).await.map(drop) })
            .buffer_unordered(SIDE_BY_SIDE)
            .try_collect()
            .await
    }

    /// All that was answered: to Berth, where the server tells who called.
    fn answers(&self) -> Fallible<Answers> {
        match self {
            Self::Sandbox(server) => Ok(sandbox::answers(server)),
            Self::Real(real) => real.answers(),
        }
    }

    /// All that was done, as [`answers`](Self::answers) has it.
    pub fn counted(&self) -> Fallible<Counted> {
        Ok(self.answers()?.done)
    }

    /// What was refused, in words.
    pub fn refused(&self) -> Fallible<String> {
        let refused = self.answers()?.refused;
        let words = refused.iter().map(|((status, verb, resource), count)| {
            format!("{count} {verb} {resource}: {status}")
        });
        let words: Vec<String> = words.collect();
        Ok(if words.is_empty() {
            "none".to_owned()
        } else {
            words.join(", ")
        })
    }

    /// How many pods there are.
    pub async fn pods(&self) -> Fallible<usize> {
        match self {
            Self::Sandbox(sandbox) => Ok(sandbox.with(|server| server.objects("pods").len())),
            Self::Real(real) => real.pods().await,
        }
    }

    /// How many pods Berth has made.
    pub fn posted(&self) -> Fallible<usize> {
        let made = ("create".to_owned(), "pods".to_owned());
        let made = self.counted()?.get(&made).copied();
        Ok(usize::try_from(made.unwrap_or_default())?)
    }

    /// Whether so many pods run.
    pub async fn all_run(&self, pods: usize) -> Fallible<bool> {
        match self {
            Self::Sandbox(server) => Ok(sandbox::running(server) == pods),
            Self::Real(real) => real.all_run(pods).await,
        }
    }

    /// The names of all pods.
    pub async fn names(&self) -> Fallible<Vec<String>> {
        match self {
            Self::Sandbox(server) => Ok(sandbox::names(server)),
            Self::Real(real) => real.names().await,
        }
    }

    /// How often anything was answered, also by a refusal: but for Leases, and for them.
    pub fn answered(&self) -> Fallible<(u64, u64)> {
        let Answers { done, refused } = self.answers()?;
        let done = done.iter().map(|((_, what), count)| (what, count));
        let refused = refused.iter().map(|((_, _, what), count)| (what, count));
        let (mut others, mut leases) = (0, 0);
        for (what, count) in done.chain(refused) {
            let sum = match what.as_str() {
                "leases.coordination.k8s.io" => &mut leases,
                _ => &mut others,
            };
            *sum += count;
        }
        Ok((others, leases))
    }

    /// How often the server was written to, but for Leases.
    pub fn writes(&self) -> Fallible<u64> {
        let counted = self.counted()?;
        let writes = counted.iter().filter(|(call, _)| is_write(call));
        Ok(writes.map(|(_, count)| count).sum())
    }

    /// What was written since then, but for Leases, in words; `None` if nothing was.
    pub fn written_since(&self, before: &Counted) -> Fallible<Option<String>> {
        let counted = self.counted()?;
        let writes = counted.iter().filter(|(call, _)| is_write(call));
        let more = writes.filter_map(|(call, count)| {
            let more = count - before.get(call).copied().unwrap_or_default();
            (more > 0).then(|| format!("{more} {} {}", call.0, call.1))
        });
        let words: Vec<String> = more.collect();
        Ok((!words.is_empty()).then(|| words.join(", ")))
    }
}

fn is_write((verb, resource): &(String, String)) -> bool {
    !matches!(verb.as_str(), "get" | "list" | "watch") && !resource.starts_with("leases")
}
