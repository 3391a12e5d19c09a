//! The client against servers on the loopback: small ones, that misbehave as told.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking, its helpers too"
)]

mod carrying;
mod connecting;
mod electing;
mod watching;

use std::path::PathBuf;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use berth_cluster::client::{Client, Options};
use serde_json::json;
use tempfile::TempDir;
use tokio::net::TcpListener;

/// A kubeconfig for this address; `user` is YAML in flow style.
fn kubeconfig(server: &str, user: &str) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config");
    let text = format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: here\n\
         clusters: [{{name: c, cluster: {{server: \"{server}\"}}}}]\n\
         users: [{{name: u, user: {user}}}]\n\
         contexts: [{{name: here, context: {{cluster: c, user: u}}}}]\n"
    );
    std::fs::write(&path, text).unwrap();
    (folder, path)
}

fn options(path: PathBuf) -> Options {
    Options {
        kubeconfig: Some(path),
        timeout: Duration::from_secs(5),
        ..Options::default()
    }
}

/// Serves this; gives its address.
async fn serve(router: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}")
}

/// A router that says that it is Kubernetes.
fn kubernetes() -> Router {
    let version = || async { axum::Json(json!({"gitVersion": "v1.36.3"})) };
    Router::new().route("/version", get(version))
}

async fn connected(router: Router) -> Client {
    let server = serve(router).await;
    let (_folder, path) = kubeconfig(&server, "{token: t}");
    Client::connect(&options(path)).await.unwrap()
}
