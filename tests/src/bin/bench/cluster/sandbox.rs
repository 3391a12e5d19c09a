//! The sandbox in this process, asked past its socket.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use berth_sandbox::http::Sandbox;
use berth_sandbox::{NodePool, Options, Request, Server};
use serde_json::Value;
use tokio::net::TcpListener;

use super::{Answers, GPUS};
use crate::Fallible;

/// Changes that it remembers: more than any watch is behind.
const HISTORY: usize = 20_000;

pub(super) async fn start(nodes: usize) -> Fallible<Sandbox> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let options = Options {
        start_ms: now_ms(),
        nodes: vec![NodePool::gpus(u32::try_from(nodes)?, u32::try_from(GPUS)?)],
        history: HISTORY,
        ..Options::default()
    };
    Ok(Sandbox::start(Server::new(options), listener, None)?)
}

pub(super) fn ask(sandbox: &Sandbox, request: &Request) -> Fallible<Value> {
    let answer = sandbox.with(|server| server.handle(now_ms(), request));
    if (200..300).contains(&answer.status) {
        return Ok(answer.value());
    }
    Err(format!("{} {}: {}", request.method, request.path, answer.value()).into())
}

pub(super) fn answers(sandbox: &Sandbox) -> Answers {
    let mut answers = Answers::default();
    sandbox.with(|server| {
        for ((verb, resource, status), count) in server.answers() {
            answers.count(verb, resource, *status, *count);
        }
    });
    answers
}

pub(super) fn running(sandbox: &Sandbox) -> usize {
    let all = sandbox.with(|server| server.objects("pods"));
    let runs = |pod: &&Arc<Value>| pod["status"]["phase"] == "Running";
    all.iter().filter(runs).count()
}

pub(super) fn names(sandbox: &Sandbox) -> Vec<String> {
    let pods = sandbox.with(|server| server.objects("pods"));
    let names = pods
        .iter()
        .filter_map(|pod| pod["metadata"]["name"].as_str());
    names.map(str::to_owned).collect()
}

/// Now, as the sandbox counts.
fn now_ms() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
