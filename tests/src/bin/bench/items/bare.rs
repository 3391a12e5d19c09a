//! The bare client that Berth is compared with, and kubectl where it is there.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use berth_sandbox::Request;
use futures::{StreamExt, TryStreamExt};
use http_body_util::BodyExt;
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};

use crate::Fallible;
use crate::cluster::{Cluster, NAMESPACE};

/// As many as Berth has under way at once.
const SIDE_BY_SIDE: usize = 32;
/// kubectl sends one after the other: fewer are enough.
const OF_KUBECTL: usize = 400;

/// POSTs the pods; gives the time from the first one to the last answer.
pub async fn post(cluster: &Cluster, pods: &[Value]) -> Fallible<Duration> {
    let client = cluster.client().await?;
    let path =
        format!("/api/v1/namespaces/{NAMESPACE}/pods?fieldManager=bare&fieldValidation=Strict");
    let began = Instant::now();
    futures::stream::iter(pods)
        .map(|pod| send(&client, "POST", &path, "application/json", pod))
        .buffer_unordered(SIDE_BY_SIDE)
        .try_collect::<Vec<()>>()
        .await?;
    Ok(began.elapsed())
}

/// Takes the finalizer off a pod and deletes it, 32 pods side by side, as they come; gives the
/// time from now to the last answer.
pub async fn let_go(
    client: Client,
    names: tokio::sync::mpsc::UnboundedReceiver<String>,
) -> Fallible<Duration> {
    let began = Instant::now();
    let names = futures::stream::unfold(names, |mut names| async move {
        let name = names.recv().await?;
        Some((name, names))
    });
    names
        .map(|name| let_one_go(&client, name))
        .buffer_unordered(SIDE_BY_SIDE)
        .try_collect::<Vec<()>>()
        .await?;
    Ok(began.elapsed())
}

async fn let_one_go(client: &Client, name: String) -> Fallible<()> {
    let path = format!("/api/v1/namespaces/{NAMESPACE}/pods/{name}");
    let release =
        json!({"metadata": {"$deleteFromPrimitiveList/finalizers": ["berth.dev/outcome"]}});
    let media = "application/strategic-merge-patch+json";
    send(client, "PATCH", &path, media, &release).await?;
    let options = json!({"apiVersion": "v1", "kind": "DeleteOptions", "gracePeriodSeconds": 0});
    send(client, "DELETE", &path, "application/json", &options).await
}

async fn send(
    client: &Client,
    method: &str,
    path: &str,
    media: &str,
    body: &Value,
) -> Fallible<()> {
    let request = http::Request::builder()
        .method(method)
        .uri(path)
        .header("content-type", media)
        .body(Body::from(serde_json::to_vec(body)?))?;
    let answer = client.send(request).await?;
    let status = answer.status();
    let body = answer.into_body().collect().await?.to_bytes();
    if status.is_success() {
        return Ok(());
    }
    Err(format!(
        "{method} {path}: {status}: {}",
        String::from_utf8_lossy(&body)
    )
    .into())
}

/// What kubectl needs a pod for, by `create` and by `apply --server-side`; `None` without kubectl.
pub fn kubectl(cluster: &Cluster, pods: &[Value]) -> Fallible<Option<[Duration; 2]>> {
    let folder = tempfile::tempdir()?;
    let (kubeconfig, list) = (
        folder.path().join("config"),
        folder.path().join("pods.json"),
    );
    std::fs::write(&kubeconfig, cluster.kubeconfig())?;
    let pods = &pods[..pods.len().min(OF_KUBECTL)];
    let items = json!({"apiVersion": "v1", "kind": "List", "items": pods});
    std::fs::write(&list, items.to_string())?;
    let mut each = [Duration::ZERO; 2];
    for (time, words) in each
        .iter_mut()
        .zip([&["create"][..], &["apply", "--server-side"]])
    {
        let began = Instant::now();
        if !run_kubectl(&kubeconfig, words, &list)? {
            return Ok(None);
        }
        *time = began.elapsed() / u32::try_from(pods.len())?;
        for pod in pods {
            let name = pod["metadata"]["name"].as_str().unwrap_or_default();
            remove(cluster, name)?;
        }
    }
    Ok(Some(each))
}

fn run_kubectl(kubeconfig: &Path, words: &[&str], list: &Path) -> Fallible<bool> {
    let run = Command::new("kubectl")
        .env("KUBECONFIG", kubeconfig)
        .args(words)
        // The server validates; an old kubectl asks for documents that new servers lack.
        .args(["--validate=false", "-f"])
        .arg(list)
        .stdout(Stdio::null())
        .output();
    match run {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error.into()),
        Ok(output) if output.status.success() => Ok(true),
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr);
            Err(format!("kubectl {}: {}", words.join(" "), said.trim()).into())
        }
    }
}

/// Takes a pod away at once.
fn remove(cluster: &Cluster, name: &str) -> Fallible<()> {
    let path = format!("/api/v1/namespaces/{NAMESPACE}/pods/{name}");
    let release = json!({"metadata": {"finalizers": null}});
    let releasing = Request::new("PATCH", &path).with("application/merge-patch+json", &release);
    cluster.ask(&releasing)?;
    let delete = Request::new("DELETE", &format!("{path}?gracePeriodSeconds=0"));
    cluster.ask(&delete).map(drop)
}
