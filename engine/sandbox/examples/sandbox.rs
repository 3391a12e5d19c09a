//! Serves a sandbox on the port of the first argument, for a look around with kubectl.

use berth_sandbox::http::{Sandbox, now_ms};
use berth_sandbox::{Options, Server};

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let port = std::env::args()
        .nth(1)
        .and_then(|port| port.parse().ok())
        .unwrap_or(0);
    let options = Options {
        events: true,
        start_ms: now_ms(),
        ..Options::default()
    };
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
    let sandbox = Sandbox::start(Server::new(options), listener, None)?;
    println!("{}", sandbox.kubeconfig());
    tokio::signal::ctrl_c().await
}
