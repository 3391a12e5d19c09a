//! The bare client that Berth is compared with.

use std::time::{Duration, Instant};

use futures::{StreamExt, TryStreamExt};
use http_body_util::BodyExt;
use kube::Client;
use kube::client::Body;
use serde_json::Value;

use crate::Fallible;

/// As many as Berth has under way at once.
const SIDE_BY_SIDE: usize = 32;

/// POSTs the pods; gives the time from the first one to the last answer.
pub async fn post(address: std::net::SocketAddr, pods: Vec<Value>) -> Fallible<Duration> {
    let url: http::Uri = format!("http://{address}").parse()?;
    let mut config = kube::Config::new(url);
    config.proxy_url = None;
    let client = Client::try_from(config)?;
    let began = Instant::now();
    futures::stream::iter(pods)
        .map(|pod| post_one(client.clone(), pod))
        .buffer_unordered(SIDE_BY_SIDE)
        .try_collect::<Vec<()>>()
        .await?;
    Ok(began.elapsed())
}

async fn post_one(client: Client, pod: Value) -> Fallible<()> {
    let namespace = pod["metadata"]["namespace"].as_str().unwrap_or_default();
    let request = http::Request::post(format!(
        "/api/v1/namespaces/{namespace}/pods?fieldManager=bare&fieldValidation=Strict"
    ))
    .header("content-type", "application/json")
    .body(Body::from(serde_json::to_vec(&pod)?))?;
    let answer = client.send(request).await?;
    let status = answer.status();
    let body = answer.into_body().collect().await?.to_bytes();
    if status.is_success() {
        return Ok(());
    }
    Err(format!("{status}: {}", String::from_utf8_lossy(&body)).into())
}
