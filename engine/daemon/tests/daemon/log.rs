//! Whoever reads the log of the daemon may go away.

use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt, BufReader};

use super::Stage;

/// `berth run ... 2>&1 | head -1`: writing to the pipe fails from then on.
async fn goes_on_without_a_reader(format: &str) {
    let stage = Stage::new().await;
    let mut command = stage.command();
    command
        .args(["--log-format", format])
        .env("RUST_LOG", "debug");
    let mut daemon = command.stderr(Stdio::piped()).spawn().unwrap();
    let mut log = BufReader::new(daemon.stderr.take().unwrap());
    let mut first = String::new();
    log.read_line(&mut first).await.unwrap();
    assert!(!first.is_empty());
    drop(log);
    let done = stage.within("it stands still", async {
        tokio::select! {
            ended = daemon.wait() => Err(ended.unwrap()),
            status = stage.completes() => Ok(status),
        }
    });
    let status = done.await.unwrap();
    let pods = stage.call("GET", "/api/v1/namespaces/vision/pods", "");
    assert_eq!(pods["items"].as_array().unwrap().len(), 2, "{status:#}");
    let id = daemon
        .id()
        .and_then(|id| Pid::from_raw(id.try_into().unwrap()));
    kill_process(id.unwrap(), Signal::TERM).unwrap();
    let ended = stage
        .within("it does not end", daemon.wait())
        .await
        .unwrap();
    assert_eq!(ended.code(), Some(0), "it ends as it does otherwise");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_nobody_reads_any_more_stops_nothing() {
    for format in ["text", "json"] {
        goes_on_without_a_reader(format).await;
    }
}
