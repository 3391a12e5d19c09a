//! Simulated nodes: a scheduler that binds pods and kubelets that run them.

mod configured;
mod fit;
mod health;
mod kubelet;
mod notes;
mod scheduler;
mod script;
mod status;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

use crate::kinds::pod::is_terminal;
use crate::object::{is_deleting, list, text, uid};
use crate::server::Server;
use crate::store::Key;
use kubelet::Life;
use scheduler::{Place, Used, Waiting};

/// What the scheduler and the kubelets know.
#[derive(Debug, Default)]
pub(crate) struct Nodes {
    seen: u64,
    /// The pods on nodes that have not ended.
    lives: BTreeMap<Key, Life>,
    /// When which life goes on.
    timers: BTreeSet<(i64, Key)>,
    /// What the lives take of each node.
    used: BTreeMap<String, Used>,
    /// The nodes, with what is left of them.
    places: BTreeMap<String, Place>,
    /// The pods without a node.
    waiting: BTreeMap<Key, Waiting>,
    /// Whether a waiting pod may fit by now.
    retry: bool,
    /// Nodes that nobody hears from.
    lost: BTreeSet<String>,
    /// Pods whose containers wait for what configures them.
    unconfigured: BTreeSet<Key>,
    /// When the next pod is evicted from a tainted node.
    eviction: Option<i64>,
    addresses: u32,
}

impl Nodes {
    /// Lets everything happen that is due.
    pub(crate) fn tick(&mut self, server: &mut Server) {
        self.observe(server);
        self.evict(server);
        if std::mem::take(&mut self.retry) {
            self.schedule(server);
            self.observe(server);
        }
        self.advance(server);
    }

    /// When something happens next by itself.
    pub(crate) fn due(&self) -> Option<i64> {
        let timers = self.timers.iter().filter(|(_, key)| !self.is_lost(key));
        let first = timers.map(|(at, _)| *at).next();
        [first, self.eviction].into_iter().flatten().min()
    }

    fn is_lost(&self, key: &Key) -> bool {
        let life = self.lives.get(key);
        life.is_some_and(|life| self.lost.contains(&life.node))
    }

    /// Takes note of what changed.
    fn observe(&mut self, server: &mut Server) {
        let (mut pods, mut nodes) = (BTreeSet::new(), BTreeSet::new());
        let mut configured = false;
        let seen = std::mem::replace(&mut self.seen, server.store.revision());
        if let Ok(events) = server.store.since(seen) {
            for event in events {
                match &*event.key.resource {
                    "pods" => drop(pods.insert(event.key.clone())),
                    "nodes" => drop(nodes.insert(event.key.clone())),
                    other => configured |= configured::configures(other),
                }
            }
        } else {
            let listed = |resource| {
                server
                    .store
                    .list(resource, None)
                    .map(|(key, _)| key.clone())
            };
            pods.extend(listed("pods"));
            pods.extend(self.lives.keys().cloned());
            nodes.extend(listed("nodes"));
            configured = true;
        }
        if configured {
            for key in std::mem::take(&mut self.unconfigured) {
                self.set_timer(&key, Some(server.now_ms));
            }
        }
        let nodes_changed = !nodes.is_empty();
        for key in nodes {
            self.observe_node(server, &key);
        }
        let pods_changed = !pods.is_empty();
        for key in pods {
            self.observe_pod(server, &key);
        }
        self.retry |= nodes_changed;
        if nodes_changed || (pods_changed && self.eviction.is_some()) {
            self.plan_evictions(server);
        }
    }

    fn observe_pod(&mut self, server: &mut Server, key: &Key) {
        let pod = server.store.get(key).cloned();
        let known = self.lives.get(key).map(|life| life.uid.as_str());
        if pod
            .as_ref()
            .is_none_or(|pod| known.is_some_and(|known| known != uid(pod)))
        {
            self.forget(key);
        }
        let Some(pod) = pod else {
            return;
        };
        let known = self.waiting.remove(key);
        if is_terminal(&pod) {
            self.forget(key);
            if is_deleting(&pod) {
                kubelet::confirm(server, key);
            }
        } else if text(&pod, &["spec", "nodeName"]).is_empty() {
            self.wait(key, &pod, known.as_ref());
        } else {
            self.take_over(server, key, &pod);
        }
    }

    fn wait(&mut self, key: &Key, pod: &Arc<Value>, known: Option<&Waiting>) {
        let gated = !list(pod, &["spec", "schedulingGates"]).is_empty();
        let ours = text(pod, &["spec", "schedulerName"]) == "default-scheduler";
        if ours && !gated && !is_deleting(pod) {
            let waiting = Waiting::of(pod);
            self.retry |= known.is_none_or(|known| !known.is_like(&waiting));
            self.waiting.insert(key.clone(), waiting);
        }
    }

    /// Forgets a pod that is gone or has ended; its place is free.
    fn forget(&mut self, key: &Key) {
        self.waiting.remove(key);
        self.unconfigured.remove(key);
        if let Some(life) = self.lives.remove(key) {
            self.retry = true;
            self.account(&life, -1);
            if let Some(at) = life.next_ms {
                self.timers.remove(&(at, key.clone()));
            }
        }
    }

    /// Sets when a life goes on.
    fn set_timer(&mut self, key: &Key, at: Option<i64>) {
        let Some(life) = self.lives.get_mut(key) else {
            return;
        };
        if let Some(old) = std::mem::replace(&mut life.next_ms, at) {
            self.timers.remove(&(old, key.clone()));
        }
        if let Some(at) = at {
            self.timers.insert((at, key.clone()));
        }
    }
}
