//! A stage's share of a real control plane: its namespaces, its nodes, Berth's account.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use http::Request;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::access::{Access, Right};
use super::follow::Follower;
use super::tokens::Tokens;
use super::{Of, Wish, shared};
use crate::controlplane::{ControlPlane, Options, Part};
use crate::e2e::names::{Names, POOL};
use crate::e2e::scene::Seen;
use crate::e2e::wake::Wake;

/// Requests of tests are told from Berth's by it.
const AGENT: &str = "kubectl-by-hand";
const JSON: &str = "application/json";
/// What controllers do takes seconds.
const PATIENCE: std::time::Duration = std::time::Duration::from_mins(2);

/// One stage's share.
#[derive(Debug)]
pub(super) struct Real {
    admin: Admin,
    access: Access,
    tokens: Tokens,
    names: Names,
    seen: Arc<Mutex<Vec<Seen>>>,
    followers: Vec<JoinHandle<()>>,
    own: Option<ControlPlane>,
    kubeconfig: PathBuf,
}

impl Real {
    /// Also gives Berth's kubeconfig.
    pub(super) async fn start(wish: &Wish, names: &Names, wake: Wake) -> (Self, String) {
        let own = match (wish.alone, wish.simulated) {
            (false, _) => None,
            (true, true) => Some(shared::start(Options::whole()).await),
            (true, false) => Some(shared::start(Options::without_nodes()).await),
        };
        let shared = match own {
            Some(_) => None,
            None => Some(shared::plane().await),
        };
        let plane = own.as_ref().or(shared).unwrap();
        let admins = plane.kubeconfig();
        let admin = Admin {
            client: plane.client().await.unwrap(),
        };
        for name in names.namespaces() {
            let body = json!({"metadata": {"name": name}});
            admin.must("POST", "/api/v1/namespaces", &body).await;
        }
        let access = Access::grant(&admin, names).await;
        let kubeconfig = access.kubeconfig(plane);
        if let Some((from, to)) = wish.rewrite {
            admin.rewrite(names, from, to).await;
        }
        let seen = Arc::default();
        let followers = follow(&admin, names, &seen, &wake).await;
        for number in 0..wish.nodes {
            let body = node(names, number);
            admin.must("POST", "/api/v1/nodes", &body).await;
        }
        let real = Self {
            admin,
            access,
            tokens: Tokens::default(),
            names: names.clone(),
            seen,
            followers,
            own,
            kubeconfig: admins,
        };
        real.until_ready(wish.nodes).await;
        (real, kubeconfig)
    }

    /// Waits until pods can be put on all nodes.
    async fn until_ready(&self, nodes: u32) {
        let path = format!("/api/v1/nodes?labelSelector={POOL}%3D{}", self.names.pool());
        self.admin
            .until(&path, |list| {
                let ready = |node: &&Value| node["spec"]["taints"].is_null() && is_ready(node);
                items(list).iter().filter(ready).count() == nodes as usize
            })
            .await;
    }

    pub(super) fn admin_kubeconfig(&self) -> PathBuf {
        self.kubeconfig.clone()
    }

    /// Waits until the node controller has found out, and marks the node's pods as it does: here
    /// KWOK has told it. A pod so marked does not end by KWOK's hand.
    pub(super) fn lost(&self, node: &str) {
        self.until_node(node, |node| !node["spec"]["taints"].is_null());
        self.mark_pods(node, "False", "NodeNotReady");
    }

    /// Waits until pods can be put on the node, and marks its pods as its kubelet would.
    pub(super) fn found(&self, node: &str) {
        self.until_node(node, |node| {
            node["spec"]["taints"].is_null() && is_ready(node)
        });
        self.mark_pods(node, "True", "");
    }

    fn until_node(&self, node: &str, wanted: impl Fn(&Value) -> bool + Send + 'static) {
        let (admin, path) = (self.admin.clone(), format!("/api/v1/nodes/{node}"));
        shared::run(async move { admin.until(&path, wanted).await });
    }

    fn mark_pods(&self, node: &str, ready: &str, reason: &str) {
        let list = format!("/api/v1/pods?fieldSelector=spec.nodeName%3D{node}");
        let mark = json!({"status": {"conditions": [
            {"type": "Ready", "status": ready, "reason": reason},
        ]}});
        let listed = self.ask("GET", &list, "", None);
        for pod in items(&listed)
            .iter()
            .filter(|pod| pod["status"]["phase"] == "Running")
        {
            let meta = &pod["metadata"];
            let name = meta["name"].as_str().unwrap_or_default();
            let namespace = meta["namespace"].as_str().unwrap_or_default();
            let path = format!("{}/{name}/status", collection("pods", namespace));
            let media = "application/strategic-merge-patch+json";
            self.ask("PATCH", &path, media, Some(&mark));
        }
    }

    pub(super) fn pods_since(&self, cursor: &mut u64) -> Vec<Seen> {
        let seen = lock(&self.seen);
        let from = usize::try_from(*cursor).unwrap();
        *cursor = seen.len() as u64;
        seen[from..].to_vec()
    }

    pub(super) fn object(&self, resource: &str, namespace: &str, name: &str) -> Option<Arc<Value>> {
        let path = format!("{}/{name}", collection(resource, namespace));
        let admin = self.admin.clone();
        let answer = shared::run(async move { admin.send("GET", &path, "", None).await });
        match answer {
            Ok(object) => Some(Arc::new(object)),
            Err(kube::Error::Api(status)) if status.code == 404 => None,
            Err(error) => panic!("{resource} {namespace} {name}: {error}"),
        }
    }

    pub(super) fn objects(&self, resource: &str, namespace: &str) -> Vec<Arc<Value>> {
        let path = collection(resource, namespace);
        let list = self.ask("GET", &path, "", None);
        let items = list["items"].as_array().cloned().unwrap_or_default();
        items.into_iter().map(Arc::new).collect()
    }

    pub(super) fn deny(&self, right: &Right) {
        let (admin, access, right) = (self.admin.clone(), self.access.clone(), right.clone());
        shared::run(async move { access.deny(&admin, &right).await });
    }

    pub(super) fn allow_all(&self) {
        let (admin, access) = (self.admin.clone(), self.access.clone());
        shared::run(async move { access.allow_all(&admin).await });
    }

    pub(super) fn grant(&mut self, namespace: &str, of: Of) {
        let (admin, mut access) = (self.admin.clone(), self.access.clone());
        let namespace = namespace.to_owned();
        self.access = shared::run(async move {
            match of {
                Of::Queue => access.grant_queue(&admin, &namespace).await,
                Of::Own => access.grant_own(&admin, &namespace).await,
            }
            access
        });
    }

    pub(super) fn issue(&mut self, name: &str) -> String {
        let (admin, names) = (self.admin.clone(), self.names.clone());
        let (mut tokens, name) = (self.tokens.clone(), name.to_owned());
        let (tokens, token) = shared::run(async move {
            let token = tokens.issue(&admin, &names, &name).await;
            (tokens, token)
        });
        self.tokens = tokens;
        token
    }

    pub(super) fn only(&mut self, name: &str) {
        let (admin, names) = (self.admin.clone(), self.names.clone());
        let (mut tokens, name) = (self.tokens.clone(), name.to_owned());
        self.tokens = shared::run(async move {
            tokens.only(&admin, &names, &name).await;
            tokens
        });
    }

    pub(super) fn ask(&self, method: &str, path: &str, media: &str, body: Option<&Value>) -> Value {
        let admin = self.admin.clone();
        let (asked, media) = (format!("{method} {path}"), media.to_owned());
        let (method, path, body) = (method.to_owned(), path.to_owned(), body.cloned());
        let answer =
            shared::run(async move { admin.send(&method, &path, &media, body.as_ref()).await });
        answer.unwrap_or_else(|error| panic!("{asked}: {error}"))
    }

    pub(super) async fn compact_store(&mut self) {
        let before = self.ask("GET", "/api/v1/namespaces", "", None);
        let version = &before["metadata"]["resourceVersion"];
        self.plane().compact(version).await.unwrap();
    }

    /// The API server is killed too: it would remember what the store forgets.
    pub(super) async fn compact(&mut self) {
        self.compact_store().await;
        let plane = self.plane();
        plane.kill(Part::ApiServer);
        plane.revive(Part::ApiServer).unwrap();
        plane.until_ready().await.unwrap();
        let old = "/api/v1/pods?watch=true&resourceVersion=1&timeoutSeconds=1";
        let answer = self.ask("GET", old, "", None);
        assert_eq!(answer["object"]["code"], 410, "it remembers: {answer}");
    }

    pub(super) fn plane(&mut self) -> &mut ControlPlane {
        let own = self.own.as_mut();
        own.unwrap_or_else(|| panic!("others play on this control plane"))
    }
}

impl Drop for Real {
    /// What is left must not cost the stages that come after.
    fn drop(&mut self) {
        self.followers.iter().for_each(JoinHandle::abort);
        if self.own.is_none() {
            let (admin, names) = (self.admin.clone(), self.names.clone());
            shared::spawn(async move { admin.clear(&names).await });
        }
    }
}

/// A client that may do everything.
#[derive(Clone)]
pub(super) struct Admin {
    client: kube::Client,
}

impl std::fmt::Debug for Admin {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Admin")
    }
}

impl Admin {
    pub(super) async fn send(
        &self,
        method: &str,
        path: &str,
        media: &str,
        body: Option<&Value>,
    ) -> Result<Value, kube::Error> {
        let bytes = body.map(|body| body.to_string().into_bytes());
        let media = if media.is_empty() { JSON } else { media };
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("content-type", media)
            .header("user-agent", AGENT)
            .body(bytes.unwrap_or_default())
            .unwrap();
        self.client.request(request).await
    }

    /// Sends JSON; it must be accepted.
    pub(super) async fn must(&self, method: &str, path: &str, body: &Value) -> Value {
        let answer = self.send(method, path, JSON, Some(body)).await;
        answer.unwrap_or_else(|error| panic!("{method} {path}: {error}"))
    }

    /// Waits until an object or a list is as wanted; a watch cannot tell, as it may be about
    /// anything.
    pub(super) async fn until(&self, path: &str, wanted: impl Fn(&Value) -> bool + Send) {
        let end = tokio::time::Instant::now() + PATIENCE;
        loop {
            let now = self.send("GET", path, "", None).await;
            let now = now.unwrap_or_else(|error| panic!("GET {path}: {error}"));
            if wanted(&now) {
                return;
            }
            assert!(tokio::time::Instant::now() < end, "{path} stays {now}");
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    }

    /// Images of pods in the queue's namespace are changed when they are created.
    async fn rewrite(&self, names: &Names, from: &str, to: &str) {
        let name = names.queue();
        let admission = "/apis/admissionregistration.k8s.io/v1";
        let changed = format!(
            "Object{{spec: Object.spec{{containers: object.spec.containers.map(c, \
             Object.spec.containers{{name: c.name, image: c.image.replace({from:?}, {to:?})}})}}}}"
        );
        let policy = json!({
            "metadata": {"name": name},
            "spec": {
                "failurePolicy": "Fail",
                "reinvocationPolicy": "Never",
                "matchConstraints": {"resourceRules": [
                    {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]},
                ]},
                "mutations": [{
                    "patchType": "ApplyConfiguration",
                    "applyConfiguration": {"expression": changed},
                }],
            },
        });
        let binding = json!({
            "metadata": {"name": name},
            "spec": {"policyName": name, "matchResources": {
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}},
            }},
        });
        let policies = format!("{admission}/mutatingadmissionpolicies");
        self.must("POST", &policies, &policy).await;
        let bindings = format!("{admission}/mutatingadmissionpolicybindings");
        self.must("POST", &bindings, &binding).await;
        // The server takes a moment to learn of its policies: a pod that is only tried tells.
        let tried = json!({
            "metadata": {"name": "tried"},
            "spec": {"containers": [{"name": "a", "image": format!("{from}tried:1")}]},
        });
        let path = names.path("pods?dryRun=All");
        loop {
            let pod = self.must("POST", &path, &tried).await;
            let image = pod["spec"]["containers"][0]["image"].as_str();
            if image.is_some_and(|image| image.starts_with(to)) {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    }

    /// Takes away what a stage leaves; what is gone already is no matter.
    async fn clear(&self, names: &Names) {
        let nodes = format!("/api/v1/nodes?labelSelector={POOL}%3D{}", names.pool());
        let _ = self.send("DELETE", &nodes, "", None).await;
        for namespace in names.namespaces() {
            let pods = collection("pods", &namespace);
            let list = self.send("GET", &pods, "", None).await.unwrap_or_default();
            for pod in list["items"].as_array().into_iter().flatten() {
                let name = pod["metadata"]["name"].as_str().unwrap_or_default();
                let free = json!({"metadata": {"finalizers": null}});
                let path = format!("{pods}/{name}");
                let media = "application/merge-patch+json";
                let _ = self.send("PATCH", &path, media, Some(&free)).await;
                let at_once = json!({"gracePeriodSeconds": 0});
                let _ = self.send("DELETE", &path, JSON, Some(&at_once)).await;
            }
            let path = format!("/api/v1/namespaces/{namespace}");
            let _ = self.send("DELETE", &path, "", None).await;
        }
    }
}

/// Every change of pods of the stage is kept; changes of others that tests look at only ring.
async fn follow(
    admin: &Admin,
    names: &Names,
    seen: &Arc<Mutex<Vec<Seen>>>,
    wake: &Wake,
) -> Vec<JoinHandle<()>> {
    let mut tasks = Vec::new();
    for namespace in names.namespaces() {
        for resource in ["pods", "services", "configmaps"] {
            let kept = (resource == "pods").then(|| Arc::clone(seen));
            let wake = wake.clone();
            let tell = move |change| {
                if let Some(kept) = &kept {
                    lock(kept).push(change);
                }
                wake.ring();
            };
            let path = collection(resource, &namespace);
            let follower = Follower::begin(admin.client.clone(), &path, tell).await;
            tasks.push(tokio::spawn(follower.follow()));
        }
    }
    tasks
}

fn collection(resource: &str, namespace: &str) -> String {
    match namespace {
        "" => format!("/api/v1/{resource}"),
        namespace => format!("/api/v1/namespaces/{namespace}/{resource}"),
    }
}

fn node(names: &Names, number: u32) -> Value {
    let name = names.node(number);
    let amounts = json!({
        "cpu": "64", "memory": "256Gi", "pods": "110", "ephemeral-storage": "1Ti", "nvidia.com/gpu": "8",
    });
    let labels = json!({
        "kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64",
        POOL: names.pool(),
    });
    json!({
        "metadata": {"name": name, "labels": labels},
        "status": {"capacity": amounts, "allocatable": amounts},
    })
}

fn items(list: &Value) -> &[Value] {
    list["items"].as_array().map_or(&[], Vec::as_slice)
}

/// Of a node or a pod.
fn is_ready(object: &Value) -> bool {
    let conditions = object["status"]["conditions"].as_array();
    let ready = |one: &Value| one["type"] == "Ready" && one["status"] == "True";
    conditions.is_some_and(|all| all.iter().any(ready))
}

fn lock(seen: &Mutex<Vec<Seen>>) -> std::sync::MutexGuard<'_, Vec<Seen>> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}
