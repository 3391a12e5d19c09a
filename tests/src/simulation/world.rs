//! The cluster and the status branch, with somebody watching every call of Berth's.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use berth_cluster::wire::UNKNOWN;
use berth_core::ids::CommitId;
use berth_sandbox::{Body, NodePool, Options, Request, Response, Server};
use serde_json::{Value, json};

use super::branch::Branch;
use super::experiment::Experiment;
use super::rules::QUEUE_NAMESPACES;
use super::truth::Truth;
use super::wire::{Target, translate};

/// How many nodes of 8 slots the cluster begins with.
pub const NODES: usize = 12;
/// How long a renewal of the Lease holds, in milliseconds.
const LEASE: i64 = 15_000;
/// Who has a Lease that is free or gone.
const NOBODY: &str = "nobody";

/// What explains that pods are stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Excuse {
    /// The state branch was rolled back.
    RolledBack,
    /// A queue gave gangs little time to find their places.
    Hurried,
    /// A clock was an hour off: deadlines were over at once, and may have counted as failures.
    HourOff,
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
    /// The short digests of the runs that pods were made for, by experiment and identity.
    pub runs: BTreeMap<(String, (u32, u32)), String>,
    /// Why pods may be stopped though their document does not say so.
    pub excuse: Option<Excuse>,
    /// What truly became of pods.
    pub truth: Truth,
    /// What was found to be wrong.
    pub wrong: Vec<String>,
    /// How many calls were carried out.
    pub calls: u64,
    /// How often the spill was written.
    pub spills: u64,
    /// Who leads is decided by the Lease; otherwise whoever lives does.
    pub elects: bool,
    /// When somebody deleted the Lease last: whoever held it may not know yet.
    pub lease_deleted: i64,
    /// When each daemon renewed the Lease last.
    renewed: BTreeMap<u64, i64>,
    /// What happened, newest last; `None` if nobody will read it.
    trace: Option<Vec<(i64, String)>>,
}

impl World {
    /// A cluster of nodes of 8 slots.
    pub fn new(seed: u64, traced: bool) -> Self {
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
            runs: BTreeMap::new(),
            excuse: None,
            truth: Truth::default(),
            wrong: Vec::new(),
            calls: 0,
            spills: 0,
            elects: false,
            lease_deleted: i64::MIN / 2,
            renewed: BTreeMap::new(),
            trace: traced.then(Vec::new),
        };
        for name in ["berth"].into_iter().chain(QUEUE_NAMESPACES) {
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
        let status = response.status;
        self.say(|| format!("somebody: {method} {path}: {status}"));
        response
    }

    /// A call of the nth daemon.
    pub fn berth(&mut self, daemon: u64, request: &http::Request<Vec<u8>>) -> Response {
        let asked = translate(request);
        let target = Target::of(&asked);
        let before = target.as_ref().and_then(|target| self.look(target));
        let response = self.server.handle(self.now, &asked);
        let Some(target) = target.filter(|_| asked.method != "GET") else {
            return response;
        };
        self.calls += 1;
        let after = self.look(&target);
        let status = response.status;
        self.spills += u64::from(status == 201 && target.name == "berth-lab.spill");
        self.say(|| {
            let lost = matches!(response.body, Body::Lost);
            let lost = if lost { " (no answer)" } else { "" };
            format!(
                "berth {daemon}: {} {} {}: {status}{lost}",
                asked.method, target.resource, target.name
            )
        });
        if before != after {
            self.judge_writer(daemon, &target.name);
        }
        self.judge(&asked.method, &target, before.as_deref(), after.as_deref());
        response
    }

    /// A request about the Lease.
    pub fn lease(&mut self, daemon: u64, request: &http::Request<Vec<u8>>) -> Response {
        let asked = translate(request);
        let before = self.lease_now();
        let response = self.server.handle(self.now, &asked);
        let after = self.lease_now();
        if before != after {
            let holder = holder(after.as_deref());
            if holder == daemon_name(daemon) {
                self.renewed.insert(daemon, self.now);
            }
            if before.as_deref().map(holder_of) != after.as_deref().map(holder_of) {
                self.say(|| format!("the Lease is {holder}'s"));
            }
        }
        response
    }

    /// A status commit of the nth daemon.
    pub fn push(
        &mut self,
        daemon: u64,
        base: Option<CommitId>,
        files: &BTreeMap<String, Option<String>>,
    ) -> Option<CommitId> {
        let damaged = self.branch.is_damaged();
        let pushed = self.branch.push(base, files);
        self.say(|| {
            let names = files.keys().map(String::as_str).collect::<Vec<_>>();
            let said = if pushed.is_some() { "done" } else { "outpaced" };
            format!("berth {daemon}: push {}: {said}", names.join(", "))
        });
        if pushed.is_some() {
            self.judge_writer(daemon, "the status branch");
            self.judge_ends(files);
            if damaged {
                self.accuse("it pushed to a status branch that was not its own".into());
            }
        }
        pushed
    }

    /// Whoever writes must hold the Lease, and have renewed it not too long ago. One whose Lease was
    /// deleted since may not know it, as long as nobody else has it.
    fn judge_writer(&mut self, daemon: u64, what: &str) {
        if !self.elects {
            return;
        }
        let lease = self.lease_now();
        let holder = holder(lease.as_deref());
        let renewed = self.renewed.get(&daemon).copied().unwrap_or(i64::MIN / 2);
        let is_nobodys = holder == NOBODY || holder == UNKNOWN;
        let holds = holder == daemon_name(daemon) || (is_nobodys && self.lease_deleted >= renewed);
        if !holds || self.now >= renewed + LEASE {
            self.accuse(format!(
                "berth {daemon} wrote {what} without the Lease, which is {holder}'s"
            ));
        }
    }

    fn lease_now(&self) -> Option<Arc<Value>> {
        let leases = "leases.coordination.k8s.io";
        self.server.object(leases, "berth", "berth-lab")
    }

    /// Remembers what happened.
    pub fn say(&mut self, words: impl FnOnce() -> String) {
        if let Some(trace) = &mut self.trace {
            trace.push((self.now - 1_767_225_600_000, words()));
        }
    }

    /// Notes that something is wrong.
    pub fn accuse(&mut self, words: String) {
        self.say(|| format!("WRONG {words}"));
        self.wrong.push(words);
    }

    /// What happened, a line each.
    pub fn story(&self) -> Vec<String> {
        let lines = self.trace.iter().flatten();
        lines
            .map(|(at, words)| format!("{:>6}.{:03} {words}", at / 1000, at % 1000))
            .collect()
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

/// Who the nth daemon is in the Lease.
pub fn daemon_name(number: u64) -> String {
    format!("berth {number}")
}

fn holder(lease: Option<&Value>) -> String {
    let holder = lease.map(holder_of).filter(|holder| !holder.is_empty());
    holder.unwrap_or(NOBODY).to_owned()
}

fn holder_of(lease: &Value) -> &str {
    lease["spec"]["holderIdentity"].as_str().unwrap_or_default()
}

/// Labels of an object as text; empty if it is absent.
pub fn label<'a>(object: &'a Value, name: &str) -> &'a str {
    object["metadata"]["labels"]
        .get(name)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

/// The name of an object.
pub fn name_of(object: &Value) -> &str {
    object["metadata"]["name"].as_str().unwrap_or_default()
}
