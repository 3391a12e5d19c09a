//! A watch that misses nothing it can be told of, for what tests see.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use http::Request;
use serde_json::Value;

use crate::e2e::scene::Seen;

/// Before the next try when the server does not answer.
const PAUSE: Duration = Duration::from_millis(100);

/// The objects of one resource, and everything that happens to them.
pub(super) struct Follower<F> {
    client: kube::Client,
    path: String,
    tell: F,
    live: BTreeMap<String, Arc<Value>>,
    version: String,
}

impl<F: FnMut(Seen) + Send> Follower<F> {
    /// Begins with a list; everything after it will be told.
    pub(super) async fn begin(client: kube::Client, path: &str, tell: F) -> Self {
        let mut follower = Self {
            client,
            path: path.to_owned(),
            tell,
            live: BTreeMap::new(),
            version: String::new(),
        };
        follower.list().await.unwrap();
        follower
    }

    /// Follows for ever, through restarts of the server.
    pub(super) async fn follow(mut self) {
        loop {
            let goes_on = if self.version.is_empty() {
                self.list().await.is_ok()
            } else {
                self.watch().await
            };
            if !goes_on {
                tokio::time::sleep(PAUSE).await;
            }
        }
    }

    async fn list(&mut self) -> Result<(), kube::Error> {
        let request = Request::get(&self.path).body(Vec::new()).unwrap();
        let list: Value = self.client.request(request).await?;
        let items = list["items"].as_array().cloned().unwrap_or_default();
        let mut before = std::mem::take(&mut self.live);
        for item in items {
            before.remove(uid(&item));
            self.take(item, false);
        }
        // What went away while nobody was told.
        for object in before.into_values() {
            (self.tell)(Seen { object, gone: true });
        }
        self.version = text(&list["metadata"]["resourceVersion"]);
        Ok(())
    }

    /// One watch to its end; false if there was none.
    async fn watch(&mut self) -> bool {
        let joint = if self.path.contains('?') { '&' } else { '?' };
        let path = format!(
            "{}{joint}watch=true&resourceVersion={}",
            self.path, self.version
        );
        let request = Request::get(path).body(Vec::new()).unwrap();
        let Ok(events) = self.client.request_events::<Value>(request).await else {
            return false;
        };
        let mut events = std::pin::pin!(events);
        while let Some(Ok(event)) = events.next().await {
            use kube::core::WatchEvent::{Added, Bookmark, Deleted, Error, Modified};
            match event {
                Added(object) | Modified(object) => self.take(object, false),
                Deleted(object) => self.take(object, true),
                Bookmark(_) => {}
                Error(_) => self.version.clear(),
            }
        }
        true
    }

    fn take(&mut self, object: Value, gone: bool) {
        self.version = text(&object["metadata"]["resourceVersion"]);
        let object = Arc::new(object);
        if gone {
            self.live.remove(uid(&object));
        } else {
            self.live
                .insert(uid(&object).to_owned(), Arc::clone(&object));
        }
        (self.tell)(Seen { object, gone });
    }
}

fn uid(object: &Value) -> &str {
    object["metadata"]["uid"].as_str().unwrap_or_default()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
