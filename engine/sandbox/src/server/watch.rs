//! Watches: what happened since a revision, seen through selectors.

use std::sync::Arc;

use serde_json::{Value, json};

use super::options::number;
use super::read::{revision, selector};
use super::render::Rendering;
use super::{Call, Server};
use crate::failure::Failure;
use crate::kinds::Kind;
use crate::object::set;
use crate::request::{Response, WatchId, WatchPoll};
use crate::selector::Selector;
use crate::store::Event;

const INITIAL_EVENTS_END: &str = "k8s.io/initial-events-end";
const BOOKMARK_EVERY_MS: i64 = 60_000;
const LAST_BOOKMARK_MS: i64 = 2_000;

/// A client's watch.
#[derive(Debug)]
pub(super) struct Watch {
    kind: Arc<Kind>,
    namespace: Option<String>,
    selector: Selector,
    rendering: Rendering,
    /// What was told so far.
    told: u64,
    /// Told before all else: the objects that there are.
    initial: Vec<(&'static str, Arc<Value>)>,
    bookmarks: bool,
    /// Whether the end of the initial objects must be told.
    announces: bool,
    headed: bool,
    bookmarked_ms: i64,
    ends_ms: Option<i64>,
}

impl Server {
    pub(super) fn open_watch(&mut self, call: &Call) -> Result<Response, Failure> {
        if self.fortune.per_mille(self.options.faults.compacted) {
            self.store.compact();
        }
        let wanted = revision(call.request.param("resourceVersion").unwrap_or_default());
        let wanted = wanted.map_err(|words| Failure::new(500, "", words))?;
        let streams = call.request.flag("sendInitialEvents");
        let timeout = number(call, "timeoutSeconds")?.filter(|seconds| *seconds > 0);
        let mut watch = Watch {
            kind: Arc::clone(&call.kind),
            namespace: call.namespace.clone(),
            selector: selector(call)?,
            rendering: Rendering::of(call.request),
            told: if wanted == 0 {
                self.store.revision()
            } else {
                wanted
            },
            initial: Vec::new(),
            bookmarks: call.request.flag("allowWatchBookmarks"),
            announces: streams,
            headed: false,
            bookmarked_ms: self.now_ms,
            ends_ms: timeout.map(|seconds| self.now_ms + seconds * 1000),
        };
        if streams || (wanted == 0 && call.request.param("sendInitialEvents") != Some("false")) {
            watch.told = self.store.revision();
            watch.initial = self.initial(&watch);
        }
        self.opened += 1;
        let id = WatchId(self.opened);
        self.watches.insert(id, watch);
        Ok(Response::watch(id))
    }

    fn initial(&self, watch: &Watch) -> Vec<(&'static str, Arc<Value>)> {
        let objects = self
            .store
            .list(&watch.kind.storage, watch.namespace.as_deref());
        let objects = objects.filter(|(_, object)| watch.selector.matches(object));
        objects
            .map(|(_, object)| ("ADDED", Arc::clone(object)))
            .collect()
    }

    pub(super) fn poll(&mut self, id: WatchId) -> WatchPoll {
        if self.fortune.per_mille(self.options.faults.cut_watch) {
            self.watches.remove(&id);
        }
        let Some(mut watch) = self.watches.remove(&id) else {
            return WatchPoll::Closed;
        };
        let (lines, behind) = self.lines(&mut watch);
        let over = behind || watch.ends_ms.is_some_and(|end| end <= self.now_ms);
        if !over {
            self.watches.insert(id, watch);
        }
        match (lines.is_empty(), over) {
            (false, _) => WatchPoll::Lines(lines),
            (true, true) => WatchPoll::Closed,
            (true, false) => WatchPoll::Idle,
        }
    }

    /// What is new for a watch, and whether it is behind the log.
    fn lines(&self, watch: &mut Watch) -> (Vec<Vec<u8>>, bool) {
        let now_ms = self.now_ms;
        let initial = std::mem::take(&mut watch.initial);
        let mut lines: Vec<Vec<u8>> = Vec::new();
        for (kind, object) in initial {
            lines.push(watch.line(kind, &object, now_ms));
        }
        if std::mem::take(&mut watch.announces) {
            lines.push(watch.bookmark(true));
        }
        let Ok(events) = self.store.since(watch.told) else {
            lines.push(expired());
            return (lines, true);
        };
        for event in events {
            if let Some(kind) = watch.concern(event) {
                lines.push(watch.line(kind, &told(event, kind), now_ms));
            }
        }
        watch.told = self.store.revision().max(watch.told);
        if watch.bookmarks && lines.is_empty() && watch.wants_bookmark(now_ms) {
            watch.bookmarked_ms = now_ms;
            lines.push(watch.bookmark(false));
        }
        (lines, false)
    }
}

impl Watch {
    /// Bookmarks come regularly, and shortly before the end.
    fn wants_bookmark(&self, now_ms: i64) -> bool {
        let last = self.ends_ms.map(|end| end - LAST_BOOKMARK_MS);
        let is_last = last.is_some_and(|last| self.bookmarked_ms < last && last <= now_ms);
        is_last || now_ms - self.bookmarked_ms >= BOOKMARK_EVERY_MS
    }

    /// What an event is to this watch; `None` if it does not see it.
    fn concern(&self, event: &Event) -> Option<&'static str> {
        let elsewhere = self
            .namespace
            .as_ref()
            .is_some_and(|namespace| *namespace != event.key.namespace);
        if *event.key.resource != *self.kind.storage || elsewhere {
            return None;
        }
        let seen = |object: &Option<Arc<Value>>| {
            object
                .as_ref()
                .is_some_and(|object| self.selector.matches(object))
        };
        match (seen(&event.previous), seen(&event.current)) {
            (false, true) => Some("ADDED"),
            (true, true) => Some("MODIFIED"),
            (true, false) => Some("DELETED"),
            (false, false) => None,
        }
    }

    fn line(&mut self, kind: &str, object: &Value, now_ms: i64) -> Vec<u8> {
        let headed = std::mem::replace(&mut self.headed, true);
        let shown = self.rendering.object(&self.kind, object, now_ms, headed);
        line(kind, &shown)
    }

    fn bookmark(&self, announces: bool) -> Vec<u8> {
        let mut meta = json!({"resourceVersion": self.told.to_string()});
        if announces {
            meta["annotations"] = json!({INITIAL_EVENTS_END: "true"});
        }
        let plain = || json!({"kind": self.kind.kind, "apiVersion": self.kind.api_version(), "metadata": meta});
        let object = match self.rendering {
            Rendering::Table(_) => json!({
                "kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": {"resourceVersion": self.told.to_string()},
                "columnDefinitions": null, "rows": [],
            }),
            Rendering::Metadata => json!({
                "kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": meta,
            }),
            Rendering::Whole => plain(),
        };
        line("BOOKMARK", &object.to_string())
    }
}

fn line(kind: &str, object: &str) -> Vec<u8> {
    format!(
        "{{\"type\":\"{kind}\",\"object\":{object}}}
"
    )
    .into_bytes()
}

/// What an event tells: of what does not fit a selector any more, the last form that did.
fn told(event: &Event, kind: &str) -> Arc<Value> {
    match (kind, &event.previous, &event.current) {
        ("DELETED", Some(previous), Some(_)) => {
            let mut last = Value::clone(previous);
            set(
                &mut last,
                &["metadata", "resourceVersion"],
                event.revision.to_string(),
            );
            Arc::new(last)
        }
        _ => Arc::clone(&event.object),
    }
}

fn expired() -> Vec<u8> {
    let failure = Failure::expired("The resourceVersion for the provided watch is too old.");
    line("ERROR", &failure.status().to_string())
}
