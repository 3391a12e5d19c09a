//! The kubelets: they start pods, let them run, stop them, and say what became of them.

use std::sync::Arc;

use serde_json::Value;

use super::notes::{Writer, note};
use super::scheduler::{Amounts, with_pod};
use super::script::{OnTerm, Script};
use super::{Nodes, configured, status};
use crate::clock;
use crate::kinds::pod;
use crate::object::{is_deleting, number, text, uid};
use crate::server::Server;
use crate::server::delete::DeleteOptions;
use crate::store::Key;

/// A pod on a node.
#[derive(Debug)]
pub(super) struct Life {
    pub(super) uid: String,
    pub(super) node: String,
    pub(super) requests: Amounts,
    pub(super) next_ms: Option<i64>,
    stage: Stage,
}

/// How far a life is, and so what its timer means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// The containers start next, or once what configures them is there.
    Starting,
    /// The image does not come.
    Stuck,
    /// The program ends next, if it ends.
    Running { started_ms: i64, end: End },
    /// The program was asked to stop and ends next.
    Stopping { started_ms: i64, end: End },
}

/// How a program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// It exits.
    Exit(i64),
    /// Too little memory.
    Oom,
    /// It ran longer than the pod may.
    Deadline,
    /// It never ran.
    Unknown,
}

impl Nodes {
    /// Runs a bound pod, or stops it if it was asked to go.
    pub(super) fn take_over(&mut self, server: &mut Server, key: &Key, pod: &Arc<Value>) {
        if !self.lives.contains_key(key) {
            let life = Life {
                uid: uid(pod).to_owned(),
                node: text(pod, &["spec", "nodeName"]).to_owned(),
                requests: with_pod(pod::requests(pod)),
                next_ms: None,
                stage: Stage::Starting,
            };
            self.account(&life, 1);
            self.lives.insert(key.clone(), life);
            let delay = i64::try_from(server.options.start_delay.as_millis()).unwrap_or_default();
            self.set_timer(key, Some(server.now_ms + delay));
        }
        if is_deleting(pod) {
            self.stop(server, key, pod);
        }
    }

    fn stop(&mut self, server: &mut Server, key: &Key, pod: &Value) {
        let now_ms = server.now_ms;
        self.unconfigured.remove(key);
        let Some(life) = self.lives.get_mut(key) else {
            return;
        };
        let killed_ms =
            clock::parse(text(pod, &["metadata", "deletionTimestamp"])).unwrap_or(now_ms);
        let next_ms = life.next_ms.unwrap_or(i64::MAX);
        let (end, at) = match life.stage {
            Stage::Starting | Stage::Stuck => (End::Unknown, now_ms),
            Stage::Stopping { end, .. } if next_ms <= killed_ms => (end, next_ms),
            Stage::Stopping { .. } => (End::Exit(137), killed_ms),
            Stage::Running { end, .. } => match Script::of(pod, None).on_term {
                OnTerm::Exit { after_ms, .. } if next_ms <= now_ms + after_ms => (end, next_ms),
                OnTerm::Exit { code, after_ms } if now_ms + after_ms <= killed_ms => {
                    (End::Exit(code), now_ms + after_ms)
                }
                OnTerm::Hang if next_ms <= killed_ms => (end, next_ms),
                _ => (End::Exit(137), killed_ms),
            },
        };
        let started_ms = match life.stage {
            Stage::Running { started_ms, .. } | Stage::Stopping { started_ms, .. } => started_ms,
            Stage::Starting | Stage::Stuck => now_ms,
        };
        let asked_before = matches!(life.stage, Stage::Stopping { .. });
        life.stage = Stage::Stopping { started_ms, end };
        if !asked_before {
            note(
                server,
                Writer::Kubelet,
                pod,
                "Killing",
                "Stopping its containers",
            );
        }
        self.set_timer(key, Some(at));
    }

    /// Lets every life go on whose time has come and whose node is there.
    pub(super) fn advance(&mut self, server: &mut Server) {
        let due = self
            .timers
            .iter()
            .take_while(|(at, _)| *at <= server.now_ms);
        let due: Vec<Key> = due
            .map(|(_, key)| key.clone())
            .filter(|key| !self.is_lost(key))
            .collect();
        for key in due {
            self.go_on(server, &key);
        }
    }

    fn go_on(&mut self, server: &mut Server, key: &Key) {
        let fired_ms = self.lives.get(key).and_then(|life| life.next_ms);
        self.set_timer(key, None);
        let pod = server.store.get(key).cloned();
        let (Some(life), Some(pod), Some(fired_ms)) = (self.lives.get_mut(key), pod, fired_ms)
        else {
            return;
        };
        match life.stage {
            Stage::Stuck => {}
            Stage::Starting => self.start(server, key, &pod, fired_ms),
            Stage::Running { started_ms, end } if restarts(&pod, end) => {
                let mut again = Value::clone(&pod);
                status::restart(
                    &mut again,
                    end,
                    &script(server, &pod),
                    (started_ms, fired_ms),
                );
                server.save(key.clone(), again);
                self.run(server, key, &pod, fired_ms);
            }
            Stage::Running { started_ms, end } | Stage::Stopping { started_ms, end } => {
                let mut ended = Value::clone(&pod);
                status::end(
                    &mut ended,
                    end,
                    &script(server, &pod),
                    (started_ms, fired_ms),
                );
                server.save(key.clone(), ended);
                self.forget(key);
            }
        }
    }

    fn start(&mut self, server: &mut Server, key: &Key, pod: &Value, now_ms: i64) {
        let mut started = pod.clone();
        if script(server, pod).pull_error {
            status::stick(&mut started, now_ms);
            server.save(key.clone(), started);
            note(
                server,
                Writer::Kubelet,
                pod,
                "Failed",
                "Error: ImagePullBackOff",
            );
            if let Some(life) = self.lives.get_mut(key) {
                life.stage = Stage::Stuck;
            }
            return;
        }
        let store = &server.store;
        let missing = |container: &Value| configured::missing(store, pod, container);
        if let Some(why) = status::unconfigured(&mut started, now_ms, missing) {
            self.unconfigured.insert(key.clone());
            if started != *pod {
                server.save(key.clone(), started);
                let words = format!("Error: {why}");
                note(server, Writer::Kubelet, pod, "Failed", &words);
            }
            return;
        }
        self.addresses += 1;
        let [_, _, high, low] = self.addresses.to_be_bytes();
        let address = format!("10.244.{high}.{low}");
        let host = self
            .lives
            .get(key)
            .map(|life| life.node.clone())
            .unwrap_or_default();
        let host = server
            .store
            .get(&Key::new("nodes", "", &host))
            .map(|node| host_address(node));
        status::start(&mut started, &address, &host.unwrap_or_default(), now_ms);
        server.save(key.clone(), started);
        note(
            server,
            Writer::Kubelet,
            pod,
            "Started",
            "Started its containers",
        );
        self.run(server, key, pod, now_ms);
    }

    /// Sets when and how the program ends.
    fn run(&mut self, server: &Server, key: &Key, pod: &Value, now_ms: i64) {
        let script = script(server, pod);
        let deadline =
            number(pod, &["spec", "activeDeadlineSeconds"]).map(|seconds| now_ms + seconds * 1000);
        let own = script.run_ms.map(|run_ms| now_ms + run_ms);
        let end = if script.oom {
            End::Oom
        } else {
            End::Exit(script.code)
        };
        let (at, end) = match (own, deadline) {
            (own, Some(deadline)) if own.is_none_or(|own| deadline < own) => {
                (Some(deadline), End::Deadline)
            }
            (own, _) => (own, end),
        };
        if let Some(life) = self.lives.get_mut(key) {
            life.stage = Stage::Running {
                started_ms: now_ms,
                end,
            };
        }
        self.set_timer(key, at);
    }
}

fn script(server: &Server, pod: &Value) -> Script {
    let default = server.options.default_run;
    Script::of(
        pod,
        default.and_then(|run| i64::try_from(run.as_millis()).ok()),
    )
}

fn restarts(pod: &Value, end: End) -> bool {
    match text(pod, &["spec", "restartPolicy"]) {
        "Always" => end != End::Deadline,
        "OnFailure" => !matches!(end, End::Exit(0) | End::Deadline),
        _ => false,
    }
}

fn host_address(node: &Value) -> String {
    let addresses = crate::object::list(node, &["status", "addresses"]);
    let internal = addresses
        .iter()
        .find(|address| text(address, &["type"]) == "InternalIP");
    internal
        .map(|address| text(address, &["address"]).to_owned())
        .unwrap_or_default()
}

/// Says that a pod's containers are gone: the object goes unless a finalizer holds it.
pub(super) fn confirm(server: &mut Server, key: &Key) {
    let Some(pod) = server.store.get(key).cloned() else {
        return;
    };
    if number(&pod, &["metadata", "deletionGracePeriodSeconds"]).unwrap_or_default() > 0 {
        server.remove(key, &pod, &DeleteOptions::force());
    }
}
