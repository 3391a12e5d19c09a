//! The API: requests in, answers out.

mod admission;
mod body;
mod budget;
mod change;
mod collect;
pub(crate) mod delete;
mod discovery;
mod open_api;
mod options;
mod part;
pub(crate) mod pods;
pub(crate) mod population;
mod protobuf;
mod quota;
mod read;
mod render;
mod review;
mod route;
mod schemas;
mod watch;
mod write;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use crate::failure::Failure;
use crate::faults::Fate;
use crate::kinds::{Kind, Kinds};
use crate::nodes::Nodes;
use crate::options::Options;
use crate::random::Random;
use crate::request::{Body, Request, Response, WatchId, WatchPoll};
use crate::store::{Event, Key, Store};
use render::Rendering;
use watch::Watch;

/// A Kubernetes API server with its controllers, scheduler and kubelets, all simulated.
///
/// The caller owns the time: it passes `now_ms`, milliseconds since the epoch that never go
/// back, and calls [`Server::tick`] when [`Server::due`] says so.
#[derive(Debug)]
pub struct Server {
    pub(crate) store: Store,
    pub(crate) kinds: Kinds,
    pub(crate) options: Options,
    pub(crate) random: Random,
    fortune: Random,
    pub(crate) now_ms: i64,
    watches: BTreeMap<WatchId, Watch>,
    opened: u64,
    addresses: u32,
    collected: u64,
    nodes: Nodes,
    answers: BTreeMap<(&'static str, Arc<str>, u16), u64>,
}

/// One change of one object, as the log has it.
#[derive(Debug, Clone)]
pub struct Change {
    /// The revision that it made.
    pub revision: u64,
    /// `pods`, `leases.coordination.k8s.io`.
    pub resource: Arc<str>,
    /// The object as it is since, or as it was last.
    pub object: Arc<Value>,
    /// The object went away.
    pub gone: bool,
}

impl Change {
    fn of(event: &Event) -> Self {
        Self {
            revision: event.revision,
            resource: Arc::clone(&event.key.resource),
            object: Arc::clone(&event.object),
            gone: event.current.is_none(),
        }
    }
}

/// A request for a resource, understood.
pub(crate) struct Call<'a> {
    pub(crate) request: &'a Request,
    pub(crate) kind: Arc<Kind>,
    pub(crate) api_version: String,
    pub(crate) namespace: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) subresource: Option<String>,
    pub(crate) verb: &'static str,
}

impl Call<'_> {
    /// Where the named object is kept.
    pub(crate) fn key(&self) -> Key {
        Key {
            resource: Arc::clone(&self.kind.storage),
            namespace: self.namespace.clone().unwrap_or_default(),
            name: self.name.clone().unwrap_or_default(),
        }
    }

    /// Whether the request only asks what would be.
    pub(crate) fn is_dry_run(&self) -> bool {
        self.request.param("dryRun") == Some("All")
    }

    /// Who is told to have set the fields.
    pub(crate) fn manager(&self) -> &str {
        let agent = || {
            self.request
                .user_agent
                .split('/')
                .next()
                .unwrap_or("unknown")
        };
        self.request
            .param("fieldManager")
            .filter(|name| !name.is_empty())
            .unwrap_or_else(agent)
    }
}

impl Server {
    /// A server with its first namespaces and nodes.
    pub fn new(options: Options) -> Self {
        let mut server = Self {
            store: Store::new(options.history),
            kinds: Kinds::built_in(),
            random: Random::new(options.seed),
            fortune: Random::new(options.seed ^ 0x5eed),
            now_ms: options.start_ms,
            watches: BTreeMap::new(),
            opened: 0,
            addresses: 1,
            collected: 0,
            nodes: Nodes::default(),
            answers: BTreeMap::new(),
            options,
        };
        server.populate();
        server
    }

    /// Answers a request.
    pub fn handle(&mut self, now_ms: i64, request: &Request) -> Response {
        self.now_ms = self.now_ms.max(now_ms);
        let writes = request.method != "GET";
        let fate = self.options.faults.fate(&mut self.fortune, writes);
        let mut response = match fate {
            Fate::Refused(failure) => failure.into(),
            Fate::LostBefore => lost(),
            Fate::Fine => self.answer(request),
            Fate::LostAfter => {
                if let Body::Watch(id) = self.answer(request).body {
                    self.close_watch(id);
                }
                lost()
            }
        };
        response.delay = self.options.faults.holdup(&mut self.fortune);
        response
    }

    fn answer(&mut self, request: &Request) -> Response {
        let translated =
            (request.content_type == protobuf::MEDIA).then(|| protobuf::translated(request));
        let translated = translated.flatten();
        let request = translated.as_ref().unwrap_or(request);
        let answer = match self.fixed(request) {
            Some(answer) => answer,
            None => self
                .call(request)
                .and_then(|call| self.carry_out_counted(&call)),
        };
        answer.unwrap_or_else(Response::from)
    }

    /// Understands a request for a resource.
    fn call<'a>(&self, request: &'a Request) -> Result<Call<'a>, Failure> {
        let route = route::parse(&request.path).ok_or_else(Failure::no_such_path)?;
        let kind = self.kinds.find(&route.group, &route.version, &route.plural);
        let kind = kind.ok_or_else(|| unserved(&route.group, &route.version, &route.plural))?;
        let misplaced = match (kind.namespaced, &route.namespace) {
            (true, None) => route.name.is_some(),
            (namespaced, namespace) => !namespaced && namespace.is_some(),
        };
        if misplaced {
            return Err(Failure::no_such_path());
        }
        if let Some(subresource) = &route.subresource
            && kind.subresource(subresource).is_none()
        {
            return Err(unserved_part(&kind, subresource));
        }
        let verb = verb(request, route.name.is_some()).ok_or_else(Failure::method_not_allowed)?;
        if route.subresource.is_none() && !kind.verbs.iter().any(|known| known == verb) {
            return Err(Failure::method_not_allowed());
        }
        let call = Call {
            request,
            api_version: kind.api_version(),
            kind,
            namespace: route.namespace,
            name: route.name,
            subresource: route.subresource,
            verb,
        };
        self.authorize(&call)?;
        Ok(call)
    }

    fn carry_out_counted(&mut self, call: &Call) -> Result<Response, Failure> {
        let answer = self.carry_out(call);
        let status = match &answer {
            Ok(response) => response.status,
            Err(failure) => failure.code,
        };
        let counted = (call.verb, Arc::clone(&call.kind.storage), status);
        *self.answers.entry(counted).or_default() += 1;
        answer
    }

    fn carry_out(&mut self, call: &Call) -> Result<Response, Failure> {
        if let Some(subresource) = &call.subresource
            && let Some(answer) = self.subresource(call, subresource)
        {
            return answer;
        }
        if call.kind.group.starts_with("auth") {
            return self.review(call);
        }
        if Rendering::wanted(call.request).is_none() {
            let takes_json = call.request.accept.split(',').any(render::is_json);
            return Err(Failure::not_acceptable(takes_json));
        }
        options::check(call)?;
        match call.verb {
            "get" => self.get(call),
            "list" => self.list(call),
            "watch" => self.open_watch(call),
            "create" => self.create(call),
            "update" => self.update(call),
            "patch" => self.patch(call),
            "delete" => self.delete(call),
            _ => self.delete_all(call),
        }
    }

    /// Reads what a watch has to say.
    pub fn poll_watch(&mut self, now_ms: i64, id: WatchId) -> WatchPoll {
        self.now_ms = self.now_ms.max(now_ms);
        self.poll(id)
    }

    /// Ends a watch; without effect if it has ended.
    pub fn close_watch(&mut self, id: WatchId) {
        self.watches.remove(&id);
    }

    /// Lets the controllers, the scheduler and the kubelets act.
    pub fn tick(&mut self, now_ms: i64) {
        self.now_ms = self.now_ms.max(now_ms);
        let mut nodes = std::mem::take(&mut self.nodes);
        // Each sees what the other did; a bound keeps a fault of ours from spinning.
        for _ in 0..64 {
            let before = self.store.revision();
            self.collect();
            nodes.tick(self);
            if self.store.revision() == before {
                break;
            }
        }
        self.nodes = nodes;
    }

    /// When [`Server::tick`] next has work; `None`: not before a request changes something.
    pub fn due(&self) -> Option<i64> {
        if self.collected != self.store.revision() {
            return Some(self.now_ms);
        }
        self.nodes.due()
    }

    /// The revision of the newest change.
    pub fn revision(&self) -> u64 {
        self.store.revision()
    }

    /// How many requests for resources were answered so far: by verb, resource as in
    /// [`Server::object`], and status. Those that the caller has no right to are not among them.
    pub fn answers(&self) -> &BTreeMap<(&'static str, Arc<str>, u16), u64> {
        &self.answers
    }

    /// An object as it is kept; `resource` is `pods` or `leases.coordination.k8s.io`.
    pub fn object(&self, resource: &str, namespace: &str, name: &str) -> Option<Arc<Value>> {
        self.store
            .get(&Key::new(resource, namespace, name))
            .cloned()
    }

    /// All objects of a resource.
    pub fn objects(&self, resource: &str) -> Vec<Arc<Value>> {
        let objects = self.store.list(resource, None);
        objects.map(|(_, object)| Arc::clone(object)).collect()
    }

    /// What changed after a revision, oldest first; `None` if the log does not reach back so far.
    pub fn changes(&self, after: u64) -> Option<Vec<Change>> {
        let events = self.store.since(after).ok()?;
        Some(events.map(Change::of).collect())
    }

    /// The settings, to change faults and refusals on the way.
    pub fn options_mut(&mut self) -> &mut Options {
        &mut self.options
    }

    /// Forgets the event log: a watch that is behind gets 410.
    pub fn compact(&mut self) {
        self.store.compact();
    }

    /// Ends all watches without a word, as a restart of the server does.
    pub fn cut_watches(&mut self) {
        self.watches.clear();
    }
}

fn verb(request: &Request, named: bool) -> Option<&'static str> {
    Some(match (request.method.as_str(), named) {
        ("GET", _) if request.flag("watch") => "watch",
        ("GET", true) => "get",
        ("GET", false) => "list",
        ("POST", _) => "create",
        ("PUT", true) => "update",
        ("PATCH", true) => "patch",
        ("DELETE", true) => "delete",
        ("DELETE", false) => "deletecollection",
        _ => return None,
    })
}

/// A kind that the real server knows and the sandbox does not is told apart from nonsense.
fn unserved(group: &str, version: &str, plural: &str) -> Failure {
    match berth_openapi::facts().resource(group, version, plural) {
        Some(resource) => {
            Failure::not_served(&format!("{} ({})", resource.plural, resource.api_version()))
        }
        None => Failure::no_such_path(),
    }
}

/// A subresource that the real server has and the sandbox has not is told apart from nonsense.
fn unserved_part(kind: &Kind, subresource: &str) -> Failure {
    let known = berth_openapi::facts().resource(&kind.group, &kind.version, &kind.plural);
    match known.and_then(|known| known.subresource(subresource)) {
        Some(_) => Failure::not_simulated(&format!("{}/{subresource}", kind.plural)),
        None => Failure::no_such_path(),
    }
}

fn lost() -> Response {
    Response {
        status: 0,
        headers: Vec::new(),
        body: Body::Lost,
        delay: Duration::ZERO,
    }
}
