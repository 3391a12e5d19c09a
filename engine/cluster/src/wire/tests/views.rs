//! Whatever is cut, expires or is refused: a view that is said to be complete is what was there.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use berth_core::reconciler::{WatchEvent, WatchKey};
use proptest::prelude::*;

use super::super::{Ended, Watcher};
use super::*;

type State = BTreeMap<String, u64>;

/// Pods of one namespace, with all that ever happened to them.
struct Server {
    /// The state after each revision; the index is the revision.
    states: Vec<State>,
    /// What each revision did; the first did nothing.
    log: Vec<(&'static str, String)>,
    /// Watches from before this must list again.
    oldest: u64,
    streams: bool,
}

impl Server {
    fn new(streams: bool) -> Self {
        Self {
            states: vec![State::new()],
            log: vec![("", String::new())],
            oldest: 0,
            streams,
        }
    }

    fn revision(&self) -> u64 {
        self.log.len() as u64 - 1
    }

    fn now(&self) -> &State {
        &self.states[self.states.len() - 1]
    }

    fn change(&mut self, name: u8, deletes: bool) {
        let mut state = self.now().clone();
        let (name, revision) = (format!("p{}", name % 4), self.revision() + 1);
        let kind = match (state.contains_key(&name), deletes) {
            (false, true) => return,
            (true, true) => "DELETED",
            (true, false) => "MODIFIED",
            (false, false) => "ADDED",
        };
        if deletes {
            state.remove(&name);
        } else {
            state.insert(name.clone(), revision);
        }
        self.states.push(state);
        self.log.push((kind, name));
    }

    /// A status with a body, or a status 200 with lines, each ready to be sent.
    fn answer(&self, query: &BTreeMap<String, String>) -> (u16, Vec<Vec<u8>>) {
        let number = |name: &str| query.get(name).and_then(|text| text.parse::<u64>().ok());
        if query.contains_key("limit") {
            return self.page(query.get("continue").map(String::as_str));
        }
        if query.contains_key("sendInitialEvents") && !self.streams {
            return (422, Vec::new());
        }
        let mut lines = Vec::new();
        let from = number("resourceVersion").unwrap_or_else(|| {
            let added = self
                .now()
                .iter()
                .map(|(name, at)| event("ADDED", name, *at));
            lines.extend(added);
            lines.push(bookmark(self.revision(), true));
            self.revision()
        });
        if from < self.oldest {
            let gone = status(410, "Expired", "too old");
            return (
                200,
                vec![json!({"type": "ERROR", "object": gone}).to_string().into()],
            );
        }
        for revision in from + 1..=self.revision() {
            let (kind, name) = &self.log[usize::try_from(revision).unwrap()];
            lines.push(event(kind, name, revision));
            lines.push(bookmark(revision, false));
        }
        (200, lines)
    }

    /// Two items a page, of the state that the token names.
    fn page(&self, token: Option<&str>) -> (u16, Vec<Vec<u8>>) {
        let (at, skip) = token.map_or((self.revision(), 0), |token| {
            let (at, skip) = token.split_once('-').unwrap();
            (at.parse().unwrap(), skip.parse().unwrap())
        });
        if at < self.oldest {
            return (410, Vec::new());
        }
        let state = &self.states[usize::try_from(at).unwrap()];
        let items: Vec<Value> = state
            .iter()
            .skip(skip)
            .take(2)
            .map(|(n, v)| named(n, *v))
            .collect();
        let more = state.len() > skip + 2;
        let next = if more {
            format!("{at}-{}", skip + 2)
        } else {
            String::new()
        };
        let meta = json!({"resourceVersion": at.to_string(), "continue": next});
        (
            200,
            vec![json!({"metadata": meta, "items": items}).to_string().into()],
        )
    }
}

fn named(name: &str, version: u64) -> Value {
    let mut pod = pod(&version.to_string());
    pod["metadata"]["name"] = json!(name);
    pod
}

fn event(kind: &str, name: &str, version: u64) -> Vec<u8> {
    json!({"type": kind, "object": named(name, version)})
        .to_string()
        .into()
}

fn bookmark(version: u64, end: bool) -> Vec<u8> {
    let mut meta = json!({"resourceVersion": version.to_string()});
    if end {
        meta["annotations"] = json!({"k8s.io/initial-events-end": "true"});
    }
    json!({"type": "BOOKMARK", "object": {"metadata": meta}})
        .to_string()
        .into()
}

/// Who listens: what it takes to be there.
#[derive(Default)]
struct View {
    seen: State,
    /// Not told yet in the listing that is under way.
    stale: Vec<String>,
    complete: bool,
}

impl View {
    fn hear(&mut self, events: Vec<WatchEvent>, server: &Server) {
        for event in events {
            match event {
                WatchEvent::Started => {
                    self.complete = false;
                    self.stale = self.seen.keys().cloned().collect();
                }
                WatchEvent::Object(fact) => {
                    let name = fact.key.name.to_string();
                    self.stale.retain(|other| *other != name);
                    self.seen.insert(name, fact.version.0);
                }
                WatchEvent::ObjectGone(key, _) => drop(self.seen.remove(&*key.name)),
                WatchEvent::Complete(version) => {
                    self.seen.retain(|name, _| !self.stale.contains(name));
                    self.complete = true;
                    self.holds(server, version);
                }
                WatchEvent::Passed(version) => {
                    assert!(self.complete);
                    self.holds(server, version);
                }
                other => panic!("{other:?}"),
            }
        }
    }

    fn holds(&self, server: &Server, version: ResourceVersion) {
        let there = &server.states[usize::try_from(version.0).unwrap()];
        assert_eq!(&self.seen, there, "at {version}");
    }
}

/// One request, of which at most so many lines arrive.
fn serve(watcher: &mut Watcher, view: &mut View, server: &Server, most: usize) {
    let wish = watcher.next_request().unwrap();
    let query = wish.request.uri().query().unwrap_or_default();
    let pair = |text: &str| {
        let (name, value) = text.split_once('=').unwrap();
        (name.to_owned(), value.to_owned())
    };
    let query = query.split('&').map(pair).collect();
    let (status, lines) = server.answer(&query);
    if status != 200 {
        let answer = Answer {
            status,
            retry_after: None,
            body: b"{}",
        };
        view.hear(watcher.ended(&Ended::Refused(answer)).0, server);
        return;
    }
    for line in lines.iter().take(most) {
        if !wish.streams {
            view.hear(watcher.page(line), server);
            return;
        }
        match watcher.line(line) {
            ControlFlow::Continue(events) => view.hear(events, server),
            ControlFlow::Break(events) => {
                view.hear(events, server);
                break;
            }
        }
    }
    view.hear(watcher.ended(&Ended::Closed).0, server);
}

#[derive(Debug, Clone)]
enum Step {
    Change(u8, bool),
    Forget,
    Serve(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (any::<u8>(), prop::bool::weighted(0.3)).prop_map(|(n, d)| Step::Change(n, d)),
        1 => Just(Step::Forget),
        5 => (0_usize..9).prop_map(Step::Serve),
    ];
    prop::collection::vec(step, 0..80)
}

proptest! {
    #[test]
    fn what_is_complete_is_what_is_there(steps in steps(), streams in any::<bool>()) {
        let mut server = Server::new(streams);
        let mut watcher = Watcher::new(WatchKey::Ours(ObjectKind::Pod, "vision".into()), "i1", 1);
        let mut view = View::default();
        for step in steps {
            match step {
                Step::Change(name, deletes) => server.change(name, deletes),
                Step::Forget => server.oldest = server.revision(),
                Step::Serve(most) => serve(&mut watcher, &mut view, &server, most),
            }
        }
        for _ in 0..8 {
            serve(&mut watcher, &mut view, &server, usize::MAX);
        }
        prop_assert!(view.complete);
        prop_assert_eq!(&view.seen, server.now());
    }
}
