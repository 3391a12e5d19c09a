//! The skin, over a real socket.

use std::io;

use berth_sandbox::http::Sandbox;
use berth_sandbox::{Options, Server};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

async fn sandbox(token: Option<&str>) -> io::Result<Sandbox> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    Sandbox::start(
        Server::new(Options::default()),
        listener,
        token.map(str::to_owned),
    )
}

async fn send(sandbox: &Sandbox, head: &str, body: &str) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect(sandbox.address()).await?;
    let length = body.len();
    let text = format!(
        "{head} HTTP/1.1\r\nHost: sandbox\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n"
    );
    stream
        .write_all(format!("{text}\r\n{body}").as_bytes())
        .await?;
    Ok(stream)
}

async fn ask(sandbox: &Sandbox, head: &str, body: &str) -> io::Result<String> {
    let mut text = String::new();
    send(sandbox, head, body)
        .await?
        .read_to_string(&mut text)
        .await?;
    Ok(text)
}

#[tokio::test]
async fn a_pod_is_made_watched_and_runs() -> io::Result<()> {
    let sandbox = sandbox(None).await?;
    assert!(ask(&sandbox, "GET /readyz", "").await?.ends_with("ok"));
    let mut watch = send(&sandbox, "GET /api/v1/pods?watch=true", "").await?;
    let pod = crate::scripted("a", &[("run", "100ms")]).to_string();
    let made = ask(
        &sandbox,
        "POST /api/v1/namespaces/default/pods?fieldManager=a%20test",
        &pod,
    )
    .await?;
    assert!(made.starts_with("HTTP/1.1 201") && made.contains("\"manager\":\"a test\""));
    let mut seen = String::new();
    while !seen.contains("Succeeded") {
        let mut buffer = [0; 4096];
        let read = watch.read(&mut buffer).await?;
        assert!(read > 0, "the watch ended: {seen}");
        seen.push_str(&String::from_utf8_lossy(&buffer[..read]));
    }
    assert!(seen.contains("\"ADDED\"") && seen.contains("\"MODIFIED\""));
    Ok(())
}

#[tokio::test]
async fn a_token_is_asked_for() -> io::Result<()> {
    let sandbox = sandbox(Some("secret")).await?;
    assert!(
        ask(&sandbox, "GET /version", "")
            .await?
            .starts_with("HTTP/1.1 401")
    );
    let head = "GET /version HTTP/1.1\r\nAuthorization: Bearer secret\r\nX-Rest:";
    assert!(ask(&sandbox, head, "").await?.starts_with("HTTP/1.1 200"));
    assert!(sandbox.kubeconfig().contains("token: \"secret\""));
    Ok(())
}
