//! The edge to Kubernetes against a whole API server, the sandbox or a real one: both must pass the
//! same.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking, its helpers too"
)]

mod edge;
mod objects;
mod own;
mod watching;

use berth_sandbox::http::Sandbox;
use berth_tests::controlplane::{self, ControlPlane};
use berth_tests::e2e::built;

use self::edge::{Edge, now};

async fn all(edge: Edge) {
    objects::a_name_is_the_lock(&edge).await;
    objects::deletes_and_releases_are_fenced(&edge).await;
    objects::drift_is_told_by_field_and_put_right(&edge).await;
    own::the_anchor_is_compare_and_swap(&edge).await;
    objects::events_are_told_once(&edge).await;
    watching::a_watch_tells_what_is_there_and_what_changes(&edge).await;
    own::one_leads(&edge).await;
    own::a_lease_that_was_deleted_has_to_run_out(&edge).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_edge_works_against_the_sandbox() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let options = berth_sandbox::Options {
        nodes: Vec::new(),
        start_ms: now().millis(),
        ..berth_sandbox::Options::default()
    };
    let server = berth_sandbox::Server::new(options);
    let sandbox = Sandbox::start(server, listener, Some("sesame".into())).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config");
    std::fs::write(&path, sandbox.kubeconfig()).unwrap();
    all(Edge::over(&path, "s").await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_edge_works_against_kube_apiserver() {
    let Some(programs) = built("the edge on kube-apiserver") else {
        return;
    };
    let whole = controlplane::Options::whole();
    let plane = ControlPlane::start(&programs, &whole).await.unwrap();
    let edge = Edge::over(&plane.kubeconfig(), "r").await;
    all(edge.with_the_listed_rights_only(&plane.kubeconfig()).await).await;
}
