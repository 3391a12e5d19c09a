//! The sandbox as its clients see it.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]

mod api;
mod deletion;
mod following;
mod http;
mod nodes;
mod watches;
mod weather;

use berth_sandbox::{Body, Options, Request, Response, Server, WatchId, WatchPoll};
use serde_json::{Value, json};

const START: i64 = 1_767_225_600_000;
const PODS: &str = "/api/v1/namespaces/default/pods";
const CONFIG_MAPS: &str = "/api/v1/namespaces/default/configmaps";

/// A server, its time, and short ways to talk to it.
struct Cluster {
    server: Server,
    now: i64,
}

impl Cluster {
    fn new() -> Self {
        Self::with(Options::default())
    }

    fn with(options: Options) -> Self {
        Self {
            server: Server::new(options),
            now: START,
        }
    }

    fn send(&mut self, request: &Request) -> Response {
        self.server.handle(self.now, request)
    }

    fn get(&mut self, path: &str) -> Value {
        self.send(&Request::new("GET", path)).value()
    }

    fn post(&mut self, path: &str, body: &Value) -> Value {
        self.send(&Request::new("POST", path).with("application/json", body))
            .value()
    }

    fn put(&mut self, path: &str, body: &Value) -> Value {
        self.send(&Request::new("PUT", path).with("application/json", body))
            .value()
    }

    fn patch(&mut self, path: &str, media: &str, body: &Value) -> Value {
        self.send(&Request::new("PATCH", path).with(&format!("application/{media}"), body))
            .value()
    }

    fn delete(&mut self, path: &str) -> Value {
        self.send(&Request::new("DELETE", path)).value()
    }

    fn pod(&mut self, name: &str) -> Value {
        self.get(&format!("{PODS}/{name}"))
    }

    /// Lets the cluster live for some milliseconds.
    fn pass(&mut self, ms: i64) {
        let end = self.now + ms;
        while let Some(due) = self.server.due().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            self.server.tick(self.now);
        }
        self.now = end;
        self.server.tick(end);
    }

    fn watch(&mut self, path: &str) -> WatchId {
        match self.send(&Request::new("GET", path)).body {
            Body::Watch(id) => id,
            other => panic!("no watch: {other:?}"),
        }
    }

    /// What a watch says now, as `ADDED name` and so on.
    fn heard(&mut self, id: WatchId) -> Vec<String> {
        let lines = match self.server.poll_watch(self.now, id) {
            WatchPoll::Lines(lines) => lines,
            WatchPoll::Idle => return Vec::new(),
            WatchPoll::Closed => return vec!["CLOSED".to_owned()],
        };
        let line = |line: Vec<u8>| {
            let event: Value = serde_json::from_slice(&line).unwrap();
            let name = event["object"]["metadata"]["name"].as_str();
            let reason = event["object"]["reason"].as_str();
            format!(
                "{} {}",
                event["type"].as_str().unwrap(),
                name.or(reason).unwrap_or_default()
            )
        };
        lines.into_iter().map(line).collect()
    }
}

fn pod(name: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name},
        "spec": {"restartPolicy": "Never", "containers": [{"name": "task", "image": "registry.example.com/train:1"}]},
    })
}

fn gpu_pod(name: &str, slots: u32) -> Value {
    let mut pod = pod(name);
    pod["spec"]["containers"][0]["resources"] =
        json!({"limits": {"nvidia.com/gpu": slots.to_string()}});
    pod
}

/// A pod with annotations of the sandbox.
fn scripted(name: &str, annotations: &[(&str, &str)]) -> Value {
    let mut pod = pod(name);
    for (key, value) in annotations {
        pod["metadata"]["annotations"][format!("sandbox.berth.dev/{key}")] = (*value).into();
    }
    pod
}

fn config_map(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"a": "1"}})
}
