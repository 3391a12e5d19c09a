//! The cluster that the daemon works on: a sandbox in this process, or any API server that a
//! kubeconfig names. All that the measurements ask of it is here.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use berth_sandbox::http::Sandbox;
use berth_sandbox::{NodePool, Options, Request, Server};
use http_body_util::BodyExt;
use kube::Client;
use kube::client::Body;
use kube::config::{KubeConfigOptions, Kubeconfig};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::runtime::Handle;

use crate::Fallible;

/// The namespace of the pods.
pub const NAMESPACE: &str = "vision";
/// Changes that a sandbox remembers: more than any watch is behind.
const HISTORY: usize = 20_000;

/// What was answered so far: verb, resource, how often.
pub type Counted = BTreeMap<(String, String), u64>;

/// An API server with nodes.
#[derive(Debug)]
pub enum Cluster {
    /// In this process.
    Sandbox(Sandbox),
    /// Somewhere else. Others may call it too: what they do is counted as well.
    Given(Given),
}

/// A server that a kubeconfig names.
pub struct Given {
    kubeconfig: String,
    client: Client,
}

impl std::fmt::Debug for Given {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Given").finish_non_exhaustive()
    }
}

impl Cluster {
    /// A cluster with room for so many pods of one GPU: a new sandbox, or the server of this
    /// kubeconfig, emptied.
    pub async fn start(server: Option<&str>, pods: usize) -> Fallible<Self> {
        let nodes = pods.div_ceil(8);
        let cluster = match server {
            None => Self::Sandbox(sandbox(nodes).await?),
            Some(kubeconfig) => Self::Given(Given::connect(kubeconfig).await?),
        };
        if let Self::Given(given) = &cluster {
            given.clear()?;
            (0..nodes).try_for_each(|number| cluster.ensure("/api/v1/nodes", &node(number)))?;
        }
        for name in ["berth", NAMESPACE] {
            let body = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
            cluster.ensure("/api/v1/namespaces", &body)?;
        }
        Ok(cluster)
    }

    /// For the daemon, kubectl and other clients.
    pub fn kubeconfig(&self) -> String {
        match self {
            Self::Sandbox(sandbox) => sandbox.kubeconfig(),
            Self::Given(given) => given.kubeconfig.clone(),
        }
    }

    /// A client of its own, through the socket.
    pub async fn client(&self) -> Fallible<Client> {
        connect(&self.kubeconfig()).await
    }

    /// Sends a request as an administrator, past the socket where there is none to pass; it must be
    /// accepted.
    pub fn ask(&self, request: &Request) -> Fallible<Value> {
        let (status, answer) = self.answer(request)?;
        if (200..300).contains(&status) {
            return Ok(answer);
        }
        Err(format!("{} {}: {answer}", request.method, request.path).into())
    }

    /// Makes an object, unless it is there.
    fn ensure(&self, path: &str, body: &Value) -> Fallible<()> {
        let request = Request::new("POST", path).with("application/json", body);
        match self.answer(&request)? {
            (200..300 | 409, _) => Ok(()),
            (_, answer) => Err(format!("POST {path}: {answer}").into()),
        }
    }

    fn answer(&self, request: &Request) -> Fallible<(u16, Value)> {
        match self {
            Self::Sandbox(sandbox) => {
                let answer = sandbox.with(|server| server.handle(now_ms(), request));
                Ok((answer.status, answer.value()))
            }
            Self::Given(given) => given.answer(request),
        }
    }

    /// All that was answered.
    pub fn counted(&self) -> Fallible<Counted> {
        let own = |(call, count): (&(&'static str, Arc<str>), &u64)| {
            ((call.0.to_owned(), call.1.to_string()), *count)
        };
        match self {
            Self::Sandbox(sandbox) => {
                Ok(sandbox.with(|server| server.calls().iter().map(own).collect()))
            }
            Self::Given(given) => Ok(counted(&given.text("/metrics")?)),
        }
    }

    /// How many pods there are.
    pub fn pods(&self) -> Fallible<usize> {
        match self {
            Self::Sandbox(sandbox) => Ok(sandbox.with(|server| server.objects("pods").len())),
            Self::Given(given) => given.count(""),
        }
    }

    /// How many pods were posted.
    pub fn posted(&self) -> Fallible<usize> {
        match self {
            Self::Sandbox(_) => Ok(usize::try_from(self.calls("create", "pods")?)?),
            // Pods stay until the end is measured, and counting them costs a real server less.
            Self::Given(given) => given.count(""),
        }
    }

    /// Whether so many pods run, and no others are there.
    pub fn all_run(&self, pods: usize) -> Fallible<bool> {
        match self {
            Self::Sandbox(sandbox) => {
                let all = sandbox.with(|server| server.objects("pods"));
                let runs = |pod: &&Arc<Value>| pod["status"]["phase"] == "Running";
                Ok(all.len() == pods && all.iter().filter(runs).count() == pods)
            }
            Self::Given(given) => Ok(
                given.count("&fieldSelector=status.phase%21%3DRunning")? == 0
                    && given.count("")? == pods,
            ),
        }
    }

    /// The names of all pods.
    pub fn names(&self) -> Fallible<Vec<String>> {
        let name = |pod: &Value| {
            pod["metadata"]["name"]
                .as_str()
                .unwrap_or_default()
                .to_owned()
        };
        match self {
            Self::Sandbox(sandbox) => {
                let pods = sandbox.with(|server| server.objects("pods"));
                Ok(pods.iter().map(|pod| name(pod)).collect())
            }
            Self::Given(given) => {
                let list = given.get(&format!("/api/v1/namespaces/{NAMESPACE}/pods"))?;
                Ok(list["items"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .map(name)
                    .collect())
            }
        }
    }

    /// How often a verb was answered for a resource; `*` stands for any.
    pub fn calls(&self, verb: &str, resource: &str) -> Fallible<u64> {
        let fits = |known: &str, wanted: &str| wanted == "*" || known == wanted;
        let counted = self.counted()?;
        let of = counted.iter();
        let of = of.filter(|((known, what), _)| fits(known, verb) && fits(what, resource));
        Ok(of.map(|(_, count)| count).sum())
    }

    /// How often the server was written to, but for Leases.
    pub fn writes(&self) -> Fallible<u64> {
        let counted = self.counted()?;
        let writes = counted.iter().filter(|(call, _)| is_write(call));
        Ok(writes.map(|(_, count)| count).sum())
    }

    /// What was written since then, but for Leases, in words.
    pub fn written_since(&self, before: &Counted) -> Fallible<String> {
        let counted = self.counted()?;
        let writes = counted.iter().filter(|(call, _)| is_write(call));
        let more = writes.filter_map(|(call, count)| {
            let more = count - before.get(call).copied().unwrap_or_default();
            (more > 0).then(|| format!("{more} {} {}", call.0, call.1))
        });
        let words: Vec<String> = more.collect();
        Ok(if words.is_empty() {
            "nothing".to_owned()
        } else {
            words.join(", ")
        })
    }
}

impl Given {
    async fn connect(path: &str) -> Fallible<Self> {
        let kubeconfig = std::fs::read_to_string(path)?;
        let client = connect(&kubeconfig).await?;
        Ok(Self { kubeconfig, client })
    }

    /// Takes away what an earlier measurement left.
    fn clear(&self) -> Fallible<()> {
        let release = json!({"metadata": {"finalizers": null}});
        for kind in ["pods", "services", "configmaps"] {
            for namespace in ["berth", NAMESPACE] {
                let path = format!("/api/v1/namespaces/{namespace}/{kind}");
                let list = self.get(&path)?;
                for object in list["items"].as_array().into_iter().flatten() {
                    let name = object["metadata"]["name"].as_str().unwrap_or_default();
                    let one = format!("{path}/{name}");
                    let releasing = Request::new("PATCH", &one);
                    self.answer(&releasing.with("application/merge-patch+json", &release))?;
                    self.answer(&Request::new(
                        "DELETE",
                        &format!("{one}?gracePeriodSeconds=0"),
                    ))?;
                }
            }
        }
        let lease = "/apis/coordination.k8s.io/v1/namespaces/berth/leases/berth-lab";
        self.answer(&Request::new("DELETE", lease)).map(drop)
    }

    fn count(&self, more: &str) -> Fallible<usize> {
        let list = self.get(&format!(
            "/api/v1/namespaces/{NAMESPACE}/pods?limit=1{more}"
        ))?;
        let first = list["items"].as_array().map_or(0, Vec::len);
        let rest = list["metadata"]["remainingItemCount"]
            .as_u64()
            .unwrap_or_default();
        // With a selector the server does not say how many more there are.
        Ok(first + usize::try_from(rest)?)
    }

    fn get(&self, path: &str) -> Fallible<Value> {
        Ok(serde_json::from_str(&self.text(path)?)?)
    }

    fn text(&self, path: &str) -> Fallible<String> {
        match self.send(&Request::new("GET", path))? {
            (200, body) => Ok(body),
            (status, body) => Err(format!("GET {path}: {status} {body}").into()),
        }
    }

    fn answer(&self, request: &Request) -> Fallible<(u16, Value)> {
        let (status, body) = self.send(request)?;
        Ok((
            status,
            serde_json::from_str(&body).unwrap_or(Value::String(body)),
        ))
    }

    fn send(&self, request: &Request) -> Fallible<(u16, String)> {
        let query: Vec<String> = request
            .query
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let uri = format!("{}?{}", request.path, query.join("&"));
        let mut built = http::Request::builder()
            .method(request.method.as_str())
            .uri(uri);
        if !request.content_type.is_empty() {
            built = built.header("content-type", &request.content_type);
        }
        let built = built.body(Body::from(request.body.clone()))?;
        tokio::task::block_in_place(|| {
            Handle::current().block_on(async {
                let answer = self.client.send(built).await?;
                let status = answer.status().as_u16();
                let body = answer.into_body().collect().await?.to_bytes();
                Ok((status, String::from_utf8_lossy(&body).into_owned()))
            })
        })
    }
}

async fn sandbox(nodes: usize) -> Fallible<Sandbox> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let options = Options {
        start_ms: now_ms(),
        nodes: vec![NodePool::gpus(u32::try_from(nodes)?, 8)],
        history: HISTORY,
        ..Options::default()
    };
    Ok(Sandbox::start(Server::new(options), listener, None)?)
}

async fn connect(kubeconfig: &str) -> Fallible<Client> {
    let kubeconfig = Kubeconfig::from_yaml(kubeconfig)?;
    let mut config =
        kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
    config.proxy_url = None;
    Ok(Client::try_from(config)?)
}

/// A node of 8 GPUs that KWOK plays.
fn node(number: usize) -> Value {
    let amounts = json!({"cpu": "256", "memory": "2Ti", "pods": "250", "nvidia.com/gpu": "8"});
    json!({
        "apiVersion": "v1", "kind": "Node",
        "metadata": {
            "name": format!("bench-{number}"),
            "annotations": {"kwok.x-k8s.io/node": "fake"},
            "labels": {"kubernetes.io/hostname": format!("bench-{number}"), "type": "kwok"},
        },
        "status": {"capacity": amounts, "allocatable": amounts},
    })
}

/// The counter of kube-apiserver's requests, as the sandbox names verbs and resources.
fn counted(metrics: &str) -> Counted {
    let mut counted = Counted::new();
    for line in metrics.lines() {
        let Some(rest) = line.strip_prefix("apiserver_request_total{") else {
            continue;
        };
        let Some((labels, count)) = rest.rsplit_once("} ") else {
            continue;
        };
        let label = |name: &str| {
            let start = labels.find(&format!("{name}=\""))? + name.len() + 2;
            labels[start..].split('"').next()
        };
        let verb = match label("verb").unwrap_or_default() {
            "POST" => "create".to_owned(),
            "PUT" => "update".to_owned(),
            "APPLY" => "patch".to_owned(),
            other => other.to_lowercase(),
        };
        let (group, resource) = (label("group"), label("resource").unwrap_or_default());
        let group = group.filter(|group| !group.is_empty());
        let resource = group.map_or(resource.to_owned(), |group| format!("{resource}.{group}"));
        let count = count.parse::<f64>().unwrap_or_default();
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a count"
        )]
        let count = count as u64;
        *counted.entry((verb, resource)).or_default() += count;
    }
    counted
}

fn is_write((verb, resource): &(String, String)) -> bool {
    !matches!(verb.as_str(), "get" | "list" | "watch") && !resource.starts_with("leases")
}

/// Now, as the sandbox counts.
pub fn now_ms() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
