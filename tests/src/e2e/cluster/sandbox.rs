//! The sandbox in this process, behind a socket: a test reaches into its server.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use berth_sandbox::http::Sandbox;
use berth_sandbox::{Denial, Options, Request, Server};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::wake::Wake;

/// A cluster with a kubeconfig.
#[derive(Debug)]
pub struct Cluster {
    sandbox: Sandbox,
    kubeconfig: PathBuf,
}

impl Cluster {
    /// Starts it; its namespaces are `berth` and `vision`. Each change rings.
    /// With a token, requests must carry it.
    pub async fn start(
        kubeconfig: PathBuf,
        options: Options,
        token: Option<String>,
        wake: Wake,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let options = Options {
            start_ms: now_ms(),
            ..options
        };
        let sandbox = Sandbox::start(Server::new(options), listener, token).unwrap();
        std::fs::write(&kubeconfig, sandbox.kubeconfig()).unwrap();
        let mut revision = sandbox.revision();
        tokio::spawn(async move {
            while revision.changed().await.is_ok() {
                wake.ring();
            }
        });
        let cluster = Self {
            sandbox,
            kubeconfig,
        };
        for name in ["berth", "vision"] {
            let body = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
            cluster.post("/api/v1/namespaces", &body);
        }
        cluster
    }

    /// The kubeconfig that names it.
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// Where it listens.
    pub fn address(&self) -> std::net::SocketAddr {
        self.sandbox.address()
    }

    /// Looks at the server or changes it.
    pub fn with<T>(&self, look: impl FnOnce(&mut Server) -> T) -> T {
        self.sandbox.with(look)
    }

    /// An object as it is now.
    pub fn object(&self, resource: &str, namespace: &str, name: &str) -> Option<Arc<Value>> {
        self.with(|server| server.object(resource, namespace, name))
    }

    /// All objects of a resource.
    pub fn objects(&self, resource: &str) -> Vec<Arc<Value>> {
        self.with(|server| server.objects(resource))
    }

    /// From now on this is refused with 403.
    pub fn deny(&self, verb: &str, resource: &str) {
        let denial = Denial {
            verb: verb.to_owned(),
            resource: resource.to_owned(),
            namespace: None,
        };
        self.with(|server| server.options_mut().denied.push(denial));
    }

    /// Nothing is refused any more.
    pub fn allow_all(&self) {
        self.with(|server| server.options_mut().denied.clear());
    }

    /// Creates an object, as an administrator would; it must be accepted.
    pub fn post(&self, path: &str, body: &Value) -> Value {
        self.ask(&Request::new("POST", path).with("application/json", body))
    }

    /// Changes an object by a JSON merge patch; it must be accepted.
    pub fn patch(&self, path: &str, body: &Value) -> Value {
        self.ask(&Request::new("PATCH", path).with("application/merge-patch+json", body))
    }

    /// Deletes an object; it must be accepted.
    pub fn delete(&self, path: &str) -> Value {
        self.ask(&Request::new("DELETE", path))
    }

    fn ask(&self, request: &Request) -> Value {
        let mut request = request.clone();
        "kubectl-by-hand".clone_into(&mut request.user_agent);
        let answer = self.with(|server| server.handle(now_ms(), &request));
        assert!(
            (200..300).contains(&answer.status),
            "{} {}: {}",
            request.method,
            request.path,
            answer.value()
        );
        answer.value()
    }
}

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(since.as_millis()).unwrap()
}
