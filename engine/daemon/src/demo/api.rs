//! A tiny client of the sandbox, so that the demo sees what any client would see. It speaks
//! HTTP/1.0, whose answers end with the connection: a watch is then a stream of lines.

use std::net::SocketAddr;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use super::DemoError;

/// One event of the pods' watch.
#[derive(Debug)]
pub struct PodEvent {
    /// `ADDED`, `MODIFIED`, `DELETED`.
    pub kind: String,
    /// The pod.
    pub pod: Value,
}

/// Sends one request and reads the whole answer's status and body.
pub async fn call(
    address: SocketAddr,
    method: &str,
    path: &str,
    body: &str,
) -> Result<(u16, String), DemoError> {
    let mut answer = open(address, method, path, body).await?;
    let status = head(&mut answer).await?;
    let mut text = String::new();
    answer.read_to_string(&mut text).await?;
    Ok((status, text))
}

/// Follows all pods of all namespaces until the receiver goes away or the server ends the watch.
pub async fn watch_pods(
    address: SocketAddr,
    events: mpsc::Sender<PodEvent>,
) -> Result<(), DemoError> {
    let mut answer = open(address, "GET", "/api/v1/pods?watch=true", "").await?;
    head(&mut answer).await?;
    let mut line = String::new();
    while answer.read_line(&mut line).await? > 0 {
        let mut event: Value = serde_json::from_str(&line).map_err(std::io::Error::from)?;
        let kind = event["type"].as_str().unwrap_or_default().to_owned();
        if events
            .send(PodEvent {
                kind,
                pod: event["object"].take(),
            })
            .await
            .is_err()
        {
            break;
        }
        line.clear();
    }
    Ok(())
}

async fn open(
    address: SocketAddr,
    method: &str,
    path: &str,
    body: &str,
) -> Result<BufReader<TcpStream>, DemoError> {
    let mut stream = TcpStream::connect(address).await?;
    let length = body.len();
    let request = format!(
        "{method} {path} HTTP/1.0\r\nHost: {address}\r\nContent-Type: application/json\r\n\
         Accept: application/json\r\nUser-Agent: berth-demo\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).await?;
    Ok(BufReader::new(stream))
}

/// Reads the head of an answer; gives its status.
async fn head(answer: &mut BufReader<TcpStream>) -> Result<u16, DemoError> {
    let mut first = String::new();
    answer.read_line(&mut first).await?;
    let status = first.split(' ').nth(1).and_then(|code| code.parse().ok());
    loop {
        let mut line = String::new();
        if answer.read_line(&mut line).await? == 0 || line.trim().is_empty() {
            return status.ok_or_else(|| DemoError::untrue(format!("no HTTP answer: {first:?}")));
        }
    }
}
