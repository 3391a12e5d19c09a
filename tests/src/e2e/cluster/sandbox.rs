//! The sandbox in this process, behind a socket.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use berth_sandbox::http::Sandbox;
use berth_sandbox::{Denial, NodePool, Options, Request, Server};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::Wish;
use super::access::Right;
use crate::e2e::names::{Names, POOL};
use crate::e2e::scene::Seen;
use crate::e2e::wake::Wake;

/// Requests of tests are told from Berth's by it.
const AGENT: &str = "kubectl-by-hand";
/// The token that a guarded one asks for.
const TOKEN: &str = "token-of-the-sandbox";

/// A sandbox of one stage.
#[derive(Debug)]
pub(super) struct Embedded {
    sandbox: Sandbox,
}

impl Embedded {
    pub(super) async fn start(wish: &Wish, names: &Names, wake: Wake) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Server::new(options(wish, names));
        let token = wish.guarded.then(|| TOKEN.to_owned());
        let sandbox = Sandbox::start(server, listener, token).unwrap();
        let mut revision = sandbox.revision();
        tokio::spawn(async move {
            while revision.changed().await.is_ok() {
                wake.ring();
            }
        });
        let embedded = Self { sandbox };
        for name in names.namespaces() {
            let body = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
            embedded.ask(
                "POST",
                "/api/v1/namespaces",
                "application/json",
                Some(&body),
            );
        }
        embedded
    }

    pub(super) fn address(&self) -> std::net::SocketAddr {
        self.sandbox.address()
    }

    pub(super) fn rotate(&self, token: &str) {
        self.sandbox.rotate(token.to_owned());
    }

    pub(super) fn kubeconfig(&self) -> String {
        self.sandbox.kubeconfig()
    }

    pub(super) fn pods_since(&self, cursor: &mut u64) -> Vec<Seen> {
        let after = (*cursor).max(1);
        let changes = self.sandbox.with(|server| server.changes(after));
        let changes = changes.expect("the sandbox's log reaches back");
        *cursor = changes.last().map_or(after, |change| change.revision);
        let pods = changes.into_iter().filter(|it| &*it.resource == "pods");
        pods.map(|change| Seen {
            object: change.object,
            gone: change.gone,
        })
        .collect()
    }

    pub(super) fn object(&self, resource: &str, namespace: &str, name: &str) -> Option<Arc<Value>> {
        self.sandbox
            .with(|server| server.object(resource, namespace, name))
    }

    pub(super) fn objects(&self, resource: &str, namespace: &str) -> Vec<Arc<Value>> {
        let mut objects = self.sandbox.with(|server| server.objects(resource));
        objects.retain(|object| object["metadata"]["namespace"] == namespace);
        objects
    }

    pub(super) fn compact(&self) {
        self.sandbox.with(Server::compact);
    }

    pub(super) fn deny(&self, right: &Right) {
        let resource = match right.group {
            "" => right.resource.to_owned(),
            group => format!("{}.{group}", right.resource),
        };
        // It knows no roles: what the cluster's would grant is denied everywhere.
        let denial = Denial {
            verb: right.verb.to_owned(),
            resource,
            namespace: right.within.clone().flatten(),
        };
        self.sandbox
            .with(|server| server.options_mut().denied.push(denial));
    }

    pub(super) fn allow_all(&self) {
        self.sandbox
            .with(|server| server.options_mut().denied.clear());
    }

    pub(super) fn ask(&self, method: &str, path: &str, media: &str, body: Option<&Value>) -> Value {
        let mut request = Request::new(method, path);
        if let Some(body) = body {
            request = request.with(media, body);
        }
        AGENT.clone_into(&mut request.user_agent);
        let answer = self
            .sandbox
            .with(|server| server.handle(now_ms(), &request));
        assert!(
            (200..300).contains(&answer.status),
            "{method} {path}: {}",
            answer.value()
        );
        answer.value()
    }
}

fn options(wish: &Wish, names: &Names) -> Options {
    let nodes = NodePool {
        prefix: names.node_prefix(),
        labels: vec![(POOL.to_owned(), names.pool())],
        ..NodePool::gpus(wish.nodes, 8)
    };
    let rewrite = wish
        .rewrite
        .map(|(from, to)| (from.to_owned(), to.to_owned()));
    Options {
        // Another cluster has other uids.
        seed: if wish.alone { 2 } else { 1 },
        start_ms: now_ms(),
        nodes: vec![nodes],
        start_delay: Duration::from_millis(20),
        image_rewrite: rewrite,
        ..Options::default()
    }
}

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(since.as_millis()).unwrap()
}
