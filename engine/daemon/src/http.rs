//! `/metrics`, `/livez` and `/readyz`.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot, watch};

use crate::error::CommandError;
use crate::reconcile::Missing;

/// How long the loop may take to answer before the daemon counts as stuck.
const PATIENCE: Duration = Duration::from_secs(10);

/// A question to the loop: it answers by sending.
pub type Ping = oneshot::Sender<()>;

/// What the endpoints read.
#[derive(Clone)]
struct Shared {
    registry: Arc<Registry>,
    loop_door: mpsc::Sender<Ping>,
    missing: watch::Receiver<Option<Missing>>,
}

/// Serves the endpoints until the future of `stop` ends. `missing` holds what the daemon still
/// waits for before it is ready; `/livez` asks the loop itself.
pub async fn serve(
    listener: TcpListener,
    registry: Registry,
    loop_door: mpsc::Sender<Ping>,
    missing: watch::Receiver<Option<Missing>>,
    stop: impl Future<Output = ()> + Send + 'static,
) {
    let shared = Shared {
        registry: Arc::new(registry),
        loop_door,
        missing,
    };
    let served = axum::serve(listener, router(shared)).with_graceful_shutdown(stop);
    if let Err(error) = served.await {
        tracing::error!(%error, "the HTTP server stopped");
    }
}

/// Binds the address.
pub async fn bind(address: SocketAddr) -> Result<TcpListener, CommandError> {
    TcpListener::bind(address).await.map_err(|error| {
        CommandError::environment(error)
            .while_doing(format!("listen on {address}"))
            .hint("name another address with --http-listen")
    })
}

fn router(shared: Shared) -> Router {
    Router::new()
        .route("/metrics", get(metrics))
        .route("/livez", get(livez))
        .route("/readyz", get(readyz))
        .with_state(shared)
}

async fn metrics(State(shared): State<Shared>) -> Response {
    let mut text = String::new();
    match prometheus_client::encoding::text::encode(&mut text, &shared.registry) {
        Ok(()) => {
            let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            ([(header::CONTENT_TYPE, kind)], text).into_response()
        }
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

async fn livez(State(shared): State<Shared>) -> Response {
    let (answer, answered) = oneshot::channel();
    let asked = async {
        shared.loop_door.send(answer).await.ok()?;
        answered.await.ok()
    };
    match tokio::time::timeout(PATIENCE, asked).await {
        Ok(Some(())) => "ok\n".into_response(),
        Ok(None) => unavailable("the loop has ended\n".to_owned()),
        Err(_) => unavailable("the loop does not answer\n".to_owned()),
    }
}

async fn readyz(State(shared): State<Shared>) -> Response {
    let missing = shared.missing.borrow().clone();
    match missing {
        None => "ok\n".into_response(),
        Some(missing) => unavailable(format!("waits for {missing}\n")),
    }
}

fn unavailable(words: String) -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, words).into_response()
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    async fn get(address: SocketAddr, path: &str) -> String {
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn readiness_follows_what_is_missing_and_liveness_the_loop() {
        let listener = bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (metrics, registry) = crate::metrics::Metrics::new();
        metrics.effect_began();
        metrics.effect_ended("create", "done", Duration::from_millis(3));
        let (door, mut pings) = mpsc::channel::<Ping>(1);
        let (say, missing) = watch::channel(Some(Missing::yet("the Lease")));
        tokio::spawn(serve(
            listener,
            registry,
            door,
            missing,
            std::future::pending(),
        ));
        tokio::spawn(async move {
            if let Some(ping) = pings.recv().await {
                let _ = ping.send(());
            }
        });
        assert!(
            get(address, "/readyz").await.contains("503"),
            "not ready at first"
        );
        say.send(None).unwrap();
        assert!(get(address, "/readyz").await.starts_with("HTTP/1.1 200"));
        assert!(get(address, "/livez").await.starts_with("HTTP/1.1 200"));
        assert!(get(address, "/livez").await.contains("the loop has ended"));
        let text = get(address, "/metrics").await;
        assert!(
            text.contains("berth_effects_total{what=\"create\",outcome=\"done\"} 1"),
            "{text}"
        );
    }
}
