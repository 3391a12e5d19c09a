//! The bare client that Berth is compared with, and kubectl where it is there.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use berth_core::ids::ObjectKind;
use berth_sandbox::Request;
use futures::{StreamExt, TryStreamExt};
use http_body_util::BodyExt;
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::{ends, plan};
use crate::Fallible;
use crate::cluster::{Cluster, NAMESPACE, SIDE_BY_SIDE, Server};

/// kubectl sends one after the other: fewer are enough.
const OF_KUBECTL: usize = 400;
/// Pods that do not run by then never will.
const PATIENCE: Duration = Duration::from_mins(10);

/// What the bare client needs for the same pods, on a cluster of its own.
pub struct Bare {
    /// From the first POST to the last answer.
    pub posted: Duration,
    /// As `posted`, with the Services that Berth makes beside them.
    pub with_services: Duration,
    /// From the first POST until all pods run.
    pub running: Duration,
    /// From the first end of a pod to the last deletion that was answered.
    pub gone: Duration,
    /// One pod by kubectl: `create`, and `apply --server-side`.
    pub kubectl: Option<[Duration; 2]>,
}

impl Bare {
    /// Only the POSTs.
    pub async fn posted(server: &Server, experiments: usize) -> Fallible<Duration> {
        let bodies = plan::bodies(experiments, &[ObjectKind::Pod])?;
        let cluster = Cluster::start(server, bodies.len()).await?;
        post(&cluster, &bodies).await
    }

    /// Measures it.
    pub async fn measure(server: &Server, experiments: usize) -> Fallible<Self> {
        let bodies = plan::bodies(experiments, &[ObjectKind::Pod])?;
        // On a cluster of its own: the servers are still busy with what kubectl leaves behind.
        let kubectl = kubectl(&Cluster::start(server, bodies.len()).await?, &bodies).await?;
        let all = plan::bodies(experiments, &[ObjectKind::Pod, ObjectKind::Service])?;
        let with_services = post(&Cluster::start(server, bodies.len()).await?, &all).await?;
        let cluster = Cluster::start(server, bodies.len()).await?;
        let began = Instant::now();
        let posted = post(&cluster, &bodies).await?;
        while !cluster.all_run(bodies.len()).await? {
            if began.elapsed() > PATIENCE {
                return Err("the bare client's pods do not run".into());
            }
            tokio::time::sleep(PATIENCE / 6000).await;
        }
        let running = began.elapsed();
        let (send, receive) = unbounded_channel();
        let names = cluster.names().await?;
        let client = cluster.client().await?;
        let ending = ends::end_all(&cluster, &names, Some(send));
        let (_, gone) = futures::future::try_join(ending, let_go(client, receive)).await?;
        Ok(Self {
            posted,
            with_services,
            running,
            gone,
            kubectl,
        })
    }
}

/// POSTs pods and Services; gives the time from the first one to the last answer.
async fn post(cluster: &Cluster, objects: &[Value]) -> Fallible<Duration> {
    let client = &cluster.client().await?;
    let post = |object| async move {
        let path = made_at(object);
        send(client, "POST", &path, "application/json", object).await
    };
    let began = Instant::now();
    futures::stream::iter(objects)
        .map(post)
        .buffer_unordered(SIDE_BY_SIDE)
        .try_collect::<Vec<()>>()
        .await?;
    Ok(began.elapsed())
}

fn made_at(object: &Value) -> String {
    let resource = match object["kind"].as_str() {
        Some("Service") => "services",
        _ => "pods",
    };
    format!("/api/v1/namespaces/{NAMESPACE}/{resource}?fieldManager=bare&fieldValidation=Strict")
}

/// Takes the finalizer off each pod and deletes it, 32 pods side by side, as they come; gives the
/// time from now to the last answer.
async fn let_go(client: Client, names: UnboundedReceiver<String>) -> Fallible<Duration> {
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
    send(client, "DELETE", &path, "application/json", &at_once()).await
}

fn at_once() -> Value {
    json!({"apiVersion": "v1", "kind": "DeleteOptions", "gracePeriodSeconds": 0})
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
    let body = String::from_utf8_lossy(&body);
    Err(format!("{method} {path}: {status}: {body}").into())
}

/// What kubectl needs a pod for, by `create` and by `apply --server-side`; `None` without kubectl.
async fn kubectl(cluster: &Cluster, pods: &[Value]) -> Fallible<Option<[Duration; 2]>> {
    let folder = tempfile::tempdir()?;
    let list = folder.path().join("pods.json");
    std::fs::write(folder.path().join("config"), cluster.kubeconfig()?)?;
    let mut each = [Duration::ZERO; 2];
    let ways = [&["create"][..], &["apply", "--server-side"]];
    for (time, words) in each.iter_mut().zip(ways) {
        let pods = &renamed(pods, words[0]);
        let items = json!({"apiVersion": "v1", "kind": "List", "items": pods});
        std::fs::write(&list, items.to_string())?;
        let began = Instant::now();
        if !run_kubectl(cluster, folder.path(), words, &list)? {
            return Ok(None);
        }
        *time = began.elapsed() / u32::try_from(pods.len())?;
        remove(cluster, pods).await?;
    }
    Ok(Some(each))
}

/// Some pods under names of their own: a simulated kubelet that is late writes to whoever has the
/// name by then.
fn renamed(pods: &[Value], suffix: &str) -> Vec<Value> {
    let rename = |pod: &Value| {
        let mut pod = pod.clone();
        let name = pod["metadata"]["name"].as_str().unwrap_or_default();
        pod["metadata"]["name"] = format!("{name}-{suffix}").into();
        pod
    };
    pods.iter().take(OF_KUBECTL).map(rename).collect()
}

fn run_kubectl(cluster: &Cluster, folder: &Path, words: &[&str], list: &Path) -> Fallible<bool> {
    let run = Command::new(cluster.kubectl())
        .env("KUBECONFIG", folder.join("config"))
        .env("HOME", folder)
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

/// Takes pods away at once.
async fn remove(cluster: &Cluster, pods: &[Value]) -> Fallible<()> {
    let path = |pod: &Value| {
        let name = pod["metadata"]["name"].as_str().unwrap_or_default();
        format!("/api/v1/namespaces/{NAMESPACE}/pods/{name}")
    };
    let free = json!({"metadata": {"finalizers": null}});
    let release = |pod| {
        let request = Request::new("PATCH", &path(pod));
        request.with("application/merge-patch+json", &free)
    };
    cluster.ask_all(pods.iter().map(release)).await?;
    let delete = |pod| Request::new("DELETE", &path(pod)).with("application/json", &at_once());
    cluster.ask_all(pods.iter().map(delete)).await
}
