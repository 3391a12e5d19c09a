//! The embedded API server, for the demo and for a first look.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{SystemTime, UNIX_EPOCH};

use berth_sandbox::http::Sandbox;
use berth_sandbox::{NodePool, Options, Server};
use tokio::net::TcpListener;

/// What a sandbox is started with.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The nodes.
    pub nodes: Vec<NodePool>,
    /// The port on loopback; 0 takes a free one.
    pub port: u16,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            nodes: vec![NodePool::gpus(8, 8)],
            port: 0,
        }
    }
}

/// Serves on loopback until the value is dropped.
pub async fn start(settings: Settings) -> std::io::Result<Sandbox> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, settings.port));
    let listener = TcpListener::bind(address).await?;
    let options = Options {
        nodes: settings.nodes,
        start_ms: now_ms(),
        ..Options::default()
    };
    Sandbox::start(Server::new(options), listener, None)
}

fn now_ms() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
