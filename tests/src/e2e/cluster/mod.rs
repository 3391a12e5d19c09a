//! The cluster of a stage: the sandbox or a real control plane, changed as an administrator would,
//! and seen by everything that happens to pods.

mod access;
mod follow;
mod real;
mod sandbox;
pub(super) mod shared;
mod tokens;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Value, json};

use super::names::Names;
use super::scene::Seen;
use super::wake::Wake;
use crate::controlplane::{ControlPlane, Programs};
pub use access::{CREATE_PODS, Right};

use real::Real;
use sandbox::Embedded;

/// The server that a scenario plays on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum On {
    /// The embedded sandbox.
    Sandbox,
    /// etcd, kube-apiserver, the controllers, kube-scheduler, KWOK's nodes.
    Real,
}

impl On {
    /// The real control plane; `None`, said aloud, if it is not built and need not be.
    pub fn real(scenario: &str) -> Option<Self> {
        built(&format!("{scenario} on kube-apiserver")).map(|_| Self::Real)
    }
}

/// The built programs; `None`, said aloud, if they are not there and need not be.
pub fn built(what: &str) -> Option<Programs> {
    use std::io::Write as _;
    let built = Programs::if_built().unwrap_or_else(|error| panic!("{error}"));
    if built.is_none() {
        // Not by `eprintln`, which nobody sees unless the test fails.
        let words = format!("NOT RUN: {what}, not built (`make controlplane`)");
        let _ = writeln!(std::io::stderr(), "{words}");
    }
    built
}

/// What a cluster is made of.
#[derive(Debug, Clone)]
pub struct Wish {
    /// Nodes of 8 GPUs.
    pub nodes: u32,
    /// Images that begin with the first get the second instead when a pod is created.
    pub rewrite: Option<(&'static str, &'static str)>,
    /// Requests must carry a token. Those to the real one always must; kubectl sends none to the
    /// sandbox, which has no TLS.
    pub guarded: bool,
    /// A control plane that no other stage plays on. The sandbox always is.
    pub alone: bool,
    /// Nodes are simulated. Without, one that is alone has only the nodes that a test brings.
    pub simulated: bool,
}

impl Default for Wish {
    fn default() -> Self {
        Self {
            nodes: 4,
            rewrite: None,
            guarded: false,
            alone: false,
            simulated: true,
        }
    }
}

/// What a namespace is to Berth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Of {
    /// A queue's.
    Queue,
    /// Its own.
    Own,
}

/// A cluster with a kubeconfig. Its namespaces are those of the names.
#[derive(Debug)]
pub struct Cluster {
    server: Server,
    names: Names,
    kubeconfig: PathBuf,
}

#[derive(Debug)]
enum Server {
    Sandbox(Embedded),
    Real(Box<Real>),
}

impl Cluster {
    /// Starts it, or takes a share of one that runs. Each change rings.
    pub async fn start(
        on: On,
        wish: &Wish,
        names: &Names,
        kubeconfig: PathBuf,
        wake: Wake,
    ) -> Self {
        let server = match on {
            On::Sandbox => {
                let embedded = Embedded::start(wish, names, wake).await;
                std::fs::write(&kubeconfig, embedded.kubeconfig()).unwrap();
                Server::Sandbox(embedded)
            }
            On::Real => {
                let (wish, own) = (wish.clone(), names.clone());
                let start = async move { Real::start(&wish, &own, wake).await };
                let (real, text) = shared::run(start);
                std::fs::write(&kubeconfig, text).unwrap();
                Server::Real(Box::new(real))
            }
        };
        Self {
            server,
            names: names.clone(),
            kubeconfig,
        }
    }

    /// The kubeconfig of Berth: with the rights that the reference lists and no others, where the
    /// server knows rights.
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// The kubeconfig of an administrator.
    pub fn admin_kubeconfig(&self) -> PathBuf {
        match &self.server {
            Server::Sandbox(_) => self.kubeconfig.clone(),
            Server::Real(real) => real.admin_kubeconfig(),
        }
    }

    /// Its names.
    pub fn names(&self) -> &Names {
        &self.names
    }

    /// What happened to pods since the last call with this cursor, which begins at 0.
    pub fn pods_since(&self, cursor: &mut u64) -> Vec<Seen> {
        match &self.server {
            Server::Sandbox(embedded) => embedded.pods_since(cursor),
            Server::Real(real) => real.pods_since(cursor),
        }
    }

    /// An object of the core group as it is now; without a namespace if that is empty.
    pub fn object(&self, resource: &str, namespace: &str, name: &str) -> Option<Arc<Value>> {
        match &self.server {
            Server::Sandbox(embedded) => embedded.object(resource, namespace, name),
            Server::Real(real) => real.object(resource, namespace, name),
        }
    }

    /// All objects of a resource of the core group in a namespace.
    pub fn objects(&self, resource: &str, namespace: &str) -> Vec<Arc<Value>> {
        match &self.server {
            Server::Sandbox(embedded) => embedded.objects(resource, namespace),
            Server::Real(real) => real.objects(resource, namespace),
        }
    }

    /// From now on Berth has this right no more.
    pub fn deny(&self, right: &Right) {
        match &self.server {
            Server::Sandbox(embedded) => embedded.deny(right),
            Server::Real(real) => real.deny(right),
        }
    }

    /// Berth has all the rights that the reference lists again.
    pub fn allow_all(&self) {
        match &self.server {
            Server::Sandbox(embedded) => embedded.allow_all(),
            Server::Real(real) => real.allow_all(),
        }
    }

    /// From now on Berth has the rights that it needs in this namespace, too. On the sandbox it has
    /// them everywhere.
    pub fn grant(&mut self, namespace: &str, of: Of) {
        if let Server::Real(real) = &mut self.server {
            real.grant(namespace, of);
        }
    }

    /// A new token of Berth's.
    pub fn issue(&mut self, name: &str) -> String {
        match &mut self.server {
            Server::Sandbox(_) => format!("t0ken-{name}"),
            Server::Real(real) => real.issue(name),
        }
    }

    /// From now on this is the only one that is accepted, of those that were issued.
    pub fn only(&mut self, name: &str) {
        match &mut self.server {
            Server::Sandbox(embedded) => embedded.rotate(&format!("t0ken-{name}")),
            Server::Real(real) => real.only(name),
        }
    }

    /// What stands at this path; there must be something.
    pub fn read(&self, path: &str) -> Value {
        self.ask("GET", path, "application/json", None)
    }

    /// Creates an object, as an administrator would; it must be accepted.
    pub fn post(&self, path: &str, body: &Value) -> Value {
        self.ask("POST", path, "application/json", Some(body))
    }

    /// Changes an object by a JSON merge patch; it must be accepted.
    pub fn patch(&self, path: &str, body: &Value) -> Value {
        self.ask("PATCH", path, "application/merge-patch+json", Some(body))
    }

    /// Deletes an object; it must be accepted.
    pub fn delete(&self, path: &str) -> Value {
        self.ask("DELETE", path, "application/json", None)
    }

    fn ask(&self, method: &str, path: &str, media: &str, body: Option<&Value>) -> Value {
        match &self.server {
            Server::Sandbox(embedded) => embedded.ask(method, path, media, body),
            Server::Real(real) => real.ask(method, path, media, body),
        }
    }

    /// Nobody hears from a node any more; what runs there stands as it was seen last.
    pub fn lose(&self, node: &str) {
        self.mark(node, &json!("lost"));
        if let Server::Real(real) = &self.server {
            real.lost(node);
        }
    }

    /// A lost node is heard of again, and goes on with what it has.
    pub fn find(&self, node: &str) {
        self.mark(node, &Value::Null);
        if let Server::Real(real) = &self.server {
            real.found(node);
        }
    }

    fn mark(&self, node: &str, state: &Value) {
        let mark = json!({"metadata": {"annotations": {"sandbox.berth.dev/state": state}}});
        self.patch(&format!("/api/v1/nodes/{node}"), &mark);
    }

    /// The store forgets all changes so far; the watches that are open go on.
    pub async fn compact_store(&mut self) {
        match &mut self.server {
            Server::Sandbox(embedded) => embedded.compact(),
            Server::Real(real) => real.compact_store().await,
        }
    }

    /// Makes the server forget all changes so far: a watch that is behind must list again.
    pub async fn compact(&mut self) {
        match &mut self.server {
            Server::Sandbox(embedded) => embedded.compact(),
            Server::Real(real) => real.compact().await,
        }
    }

    /// Where the sandbox listens, without TLS; a real control plane has its own.
    pub fn without_tls(&self) -> Option<std::net::SocketAddr> {
        match &self.server {
            Server::Sandbox(embedded) => Some(embedded.address()),
            Server::Real(_) => None,
        }
    }

    /// The control plane of a stage that is alone on a real one.
    pub fn plane(&mut self) -> &mut ControlPlane {
        match &mut self.server {
            Server::Real(real) => real.plane(),
            Server::Sandbox(_) => panic!("the sandbox is one process: it has no parts to kill"),
        }
    }
}
