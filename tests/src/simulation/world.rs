//! The cluster and the status branch, with somebody watching every call of Berth's.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use berth_core::reconciler::{Effect, What};
use berth_sandbox::{Body, NodePool, Options, Request, Response, Server};
use serde_json::{Value, json};

use super::branch::Branch;
use super::repository::Experiment;

/// A fault that is put between the reconciler and the world, to see that it is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Planted {
    /// Status commits are answered as pushed, and their files are lost.
    SkippedRecord,
    /// Later attempts take the names of the first.
    ReusedAttempt,
}

/// Everything outside the reconciler.
#[derive(Debug)]
pub struct World {
    /// The API server.
    pub server: Server,
    /// The time of servers and kubelets, in milliseconds.
    pub now: i64,
    /// The status branch.
    pub branch: Branch,
    /// Git does not answer.
    pub git_away: bool,
    /// Pods that were ever made by Berth, by name.
    pub made: BTreeSet<String>,
    /// What the document said when a pod was decided on.
    pub made_for: BTreeMap<String, Experiment>,
    /// The state branch was rolled back: replacements were decided and held.
    pub rolled_back: bool,
    /// What was found to be wrong.
    pub wrong: Vec<String>,
    /// What happened, newest last.
    pub trace: Vec<(i64, String)>,
    /// How many calls were carried out.
    pub calls: u64,
}

impl World {
    /// A cluster of 12 nodes of 8 slots.
    pub fn new(seed: u64) -> Self {
        let options = Options {
            seed,
            nodes: vec![NodePool::gpus(12, 8)],
            ..Options::default()
        };
        let now = options.start_ms;
        let mut world = Self {
            server: Server::new(options),
            now,
            branch: Branch::default(),
            git_away: false,
            made: BTreeSet::new(),
            made_for: BTreeMap::new(),
            rolled_back: false,
            wrong: Vec::new(),
            trace: Vec::new(),
            calls: 0,
        };
        for name in ["berth", "vision"] {
            let body = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
            world.admin("POST", "/api/v1/namespaces", &body);
        }
        world
    }

    /// A call of somebody else, which never fails by chance.
    pub fn admin(&mut self, method: &str, path: &str, body: &Value) -> Response {
        let faults = std::mem::take(&mut self.server.options_mut().faults);
        let kind = match method {
            "PATCH" => "application/merge-patch+json",
            _ => "application/json",
        };
        let mut request = Request::new(method, path).with(kind, body);
        request.user_agent = "kubectl".into();
        let response = self.server.handle(self.now, &request);
        self.server.options_mut().faults = faults;
        self.say(format!("somebody: {method} {path}: {}", response.status));
        response
    }

    /// A call of Berth's.
    pub fn berth(&mut self, request: &http::Request<Vec<u8>>) -> Response {
        let asked = translate(request);
        let target = Target::of(&asked);
        let before = target.as_ref().and_then(|target| self.look(target));
        let response = self.server.handle(self.now, &asked);
        if let Some(target) = target.filter(|_| asked.method != "GET") {
            self.calls += 1;
            let after = self.look(&target);
            self.say(format!(
                "berth: {} {}: {}",
                asked.method, target.name, response.status
            ));
            self.judge(&asked.method, &target, before.as_deref(), after.as_deref());
        }
        response
    }

    /// Remembers what happened.
    pub fn say(&mut self, words: String) {
        self.trace.push((self.now - 1_767_225_600_000, words));
    }

    /// Notes that something is wrong.
    pub fn accuse(&mut self, words: String) {
        self.say(format!("WRONG {words}"));
        self.wrong.push(words);
    }

    /// The pods that are there.
    pub fn pods(&self) -> Vec<Arc<Value>> {
        self.server.objects("pods")
    }

    fn look(&self, target: &Target) -> Option<Arc<Value>> {
        self.server
            .object(&target.resource, &target.namespace, &target.name)
    }
}

/// What a call is about.
#[derive(Debug)]
pub struct Target {
    /// Such as `pods`.
    pub resource: String,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl Target {
    fn of(request: &Request) -> Option<Self> {
        let parts: Vec<&str> = request.path.trim_matches('/').split('/').collect();
        let ["api", "v1", "namespaces", namespace, resource, rest @ ..] = parts.as_slice() else {
            return None;
        };
        let name = match rest.first() {
            Some(name) => (*name).to_owned(),
            None => serde_json::from_slice::<Value>(&request.body)
                .ok()?
                .pointer("/metadata/name")?
                .as_str()?
                .to_owned(),
        };
        Some(Self {
            resource: (*resource).to_owned(),
            namespace: (*namespace).to_owned(),
            name,
        })
    }
}

/// Puts the planted fault into an effect.
pub fn plant(planted: Option<Planted>, effect: &mut Effect) {
    match (planted, &mut effect.what) {
        (Some(Planted::SkippedRecord), What::Record { files, .. }) => {
            files.retain(|path, _| !path.starts_with("experiment/"));
        }
        (Some(Planted::ReusedAttempt), What::Create { body, .. }) => rename(body),
        _ => {}
    }
}

fn rename(body: &mut Value) {
    let label = |name: &str| {
        let value = body.pointer(&format!("/metadata/labels/berth.dev~1{name}"))?;
        Some(value.as_str()?.to_owned())
    };
    let (Some(trial), Some(attempt), Some(rank)) =
        (label("trial"), label("attempt"), label("rank"))
    else {
        return;
    };
    let name = body["metadata"]["name"].as_str().unwrap_or_default();
    let end = format!("-{trial}-{attempt}-{rank}");
    if let Some(start) = name.strip_suffix(&end) {
        let name = format!("{start}-{trial}-1-{rank}");
        body["metadata"]["name"] = name.as_str().into();
        body["metadata"]["annotations"]["berth.dev/id"] = format!("Pod vision/{name}").into();
    }
}

/// The same request for the sandbox.
pub fn translate(request: &http::Request<Vec<u8>>) -> Request {
    let mut asked = Request::new(request.method().as_str(), request.uri().path());
    let query = request.uri().query().unwrap_or_default();
    asked.query = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(key), decode(value))
        })
        .collect();
    let header = |name: &str| {
        let value = request
            .headers()
            .get(name)
            .and_then(|value| value.to_str().ok());
        value.unwrap_or_default().to_owned()
    };
    asked.content_type = header("content-type");
    asked.accept = header("accept");
    asked.user_agent = "berth".into();
    asked.body.clone_from(request.body());
    asked
}

/// The bytes of a whole answer; `None` if it was lost or is a watch.
pub fn bytes(response: &Response) -> Option<&[u8]> {
    match &response.body {
        Body::Full(bytes) => Some(bytes),
        Body::Watch(_) | Body::Lost => None,
    }
}

/// `Retry-After` in seconds.
pub fn retry_after(response: &Response) -> Option<std::time::Duration> {
    let header = response
        .headers
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case("retry-after"));
    let seconds = header.and_then(|(_, value)| value.parse().ok());
    seconds.map(std::time::Duration::from_secs)
}

fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = (bytes[at] == b'%')
            .then(|| text.get(at + 1..at + 3))
            .flatten()
            .and_then(|pair| u8::from_str_radix(pair, 16).ok());
        if let Some(byte) = hex {
            out.push(byte);
            at += 3;
        } else {
            out.push(if bytes[at] == b'+' { b' ' } else { bytes[at] });
            at += 1;
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// Labels of an object as text; empty if it is absent.
pub fn label<'a>(object: &'a Value, name: &str) -> &'a str {
    object["metadata"]["labels"]
        .get(name)
        .and_then(Value::as_str)
        .unwrap_or_default()
}
