//! Runs watches: one task a key, each feeding one bounded channel.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::ops::ControlFlow;
use std::time::Duration;

use berth_core::reconciler::{WatchEvent, WatchKey};
use futures::{StreamExt as _, TryStreamExt as _};
use http::Response;
use http_body_util::BodyExt as _;
use kube::client::Body;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout_at};
use tokio_util::codec::{FramedRead, LinesCodec};
use tokio_util::io::StreamReader;

use crate::client::{Client, Lost};
use crate::wire::{Ended, WATCH_LASTS, Watcher, Wish};

/// What the watches say.
pub type Told = (WatchKey, WatchEvent);

/// Messages that wait for the reconciler before the watches themselves wait.
const CAPACITY: usize = 1024;

/// A server sends a bookmark about every minute. A connection that is silent for longer than this
/// is taken for dead, and the watch resumes from its last version: one request, nothing lost.
const SILENCE: Duration = Duration::from_mins(2);

/// The longest line: an object is at most 3 MiB, in JSON somewhat more.
const LONGEST_LINE: usize = 32 << 20;

/// The watches that run now. Dropping it ends them all.
///
/// Guarantees: for each key, events come in the server's order and as [`Watcher`] says; a body is
/// dropped as soon as its fact is made; the channel is bounded, so a slow reader slows the watches
/// down. After a key is no longer wanted, events of it that were already in the channel still come.
pub struct Watches {
    client: Client,
    instance: String,
    seed: u64,
    sender: Sender<Told>,
    running: BTreeMap<WatchKey, JoinHandle<()>>,
}

impl Watches {
    /// No watch yet; and the channel that they will feed. The seed spreads their pauses.
    pub fn new(client: Client, instance: impl Into<String>, seed: u64) -> (Self, Receiver<Told>) {
        let (sender, receiver) = channel(CAPACITY);
        let watches = Self {
            client,
            instance: instance.into(),
            seed,
            sender,
            running: BTreeMap::new(),
        };
        (watches, receiver)
    }

    /// Makes exactly these watches run: ends the others, starts those that do not run yet. A watch
    /// that is started again lists again. Must be called within a tokio runtime.
    pub fn want(&mut self, keys: &BTreeSet<WatchKey>) {
        self.running.retain(|key, task| {
            let wanted = keys.contains(key);
            if !wanted {
                task.abort();
            }
            wanted
        });
        for key in keys {
            if !self.running.contains_key(key) {
                let task = tokio::spawn(self.task(key));
                self.running.insert(key.clone(), task);
            }
        }
    }

    /// The keys that are watched.
    pub fn keys(&self) -> impl Iterator<Item = &WatchKey> {
        self.running.keys()
    }

    fn task(&self, key: &WatchKey) -> impl Future<Output = ()> + Send + use<> {
        let mut hasher = DefaultHasher::new();
        (key, self.seed).hash(&mut hasher);
        let watcher = Watcher::new(key.clone(), self.instance.clone(), hasher.finish());
        run(self.client.clone(), watcher, self.sender.clone())
    }
}

impl Drop for Watches {
    fn drop(&mut self) {
        self.running.values().for_each(JoinHandle::abort);
    }
}

/// The reader of the channel is gone.
struct Closed;

async fn run(client: Client, mut watcher: Watcher, sender: Sender<Told>) {
    loop {
        let wish = match watcher.next_request() {
            Ok(wish) => wish,
            Err(error) => {
                // A namespace that makes no URL: nothing that waiting could mend.
                let words = WatchEvent::Unreadable(error.to_string());
                let _ = tell(&sender, &watcher, vec![words]).await;
                return;
            }
        };
        match once(&client, &mut watcher, wish, &sender).await {
            Ok(pause) => sleep(pause).await,
            Err(Closed) => return,
        }
    }
}

/// One request from its beginning to its end; then the pause before the next one.
async fn once(
    client: &Client,
    watcher: &mut Watcher,
    wish: Wish,
    sender: &Sender<Told>,
) -> Result<Duration, Closed> {
    let key = watcher.key().clone();
    let response = match client.open(wish.request).await {
        Ok(response) => response,
        Err(lost) => return Ok(away(watcher, &lost)),
    };
    if !response.status().is_success() {
        let Ok(reply) = client.rest(response).await else {
            return Ok(watcher.ended(&Ended::Closed).1);
        };
        let (events, pause) = watcher.ended(&Ended::Refused(reply.answer()));
        let said = crate::wire::words(&reply.answer()).message;
        // Without an event the view stays as it is, such as while the server starts.
        if events.is_empty() {
            tracing::debug!(watch = ?key, status = reply.status, said, "the server has no watch yet");
        } else {
            tracing::warn!(watch = ?key, status = reply.status, said, "the server refuses the watch");
        }
        tell(sender, watcher, events).await?;
        return Ok(pause);
    }
    if wish.streams {
        stream(response, watcher, sender).await?;
        return Ok(watcher.ended(&Ended::Closed).1);
    }
    match client.rest(response).await {
        Ok(reply) => {
            let events = watcher.page(&reply.body);
            let more = !matches!(events.first(), Some(WatchEvent::Unreadable(_)));
            tell(sender, watcher, events).await?;
            Ok(if more {
                Duration::ZERO
            } else {
                watcher.ended(&Ended::Closed).1
            })
        }
        Err(lost) => Ok(away(watcher, &lost)),
    }
}

fn away(watcher: &mut Watcher, lost: &Lost) -> Duration {
    tracing::debug!(watch = ?watcher.key(), %lost, "no answer to the watch");
    watcher.ended(&Ended::Closed).1
}

/// Reads lines until the stream ends, breaks, falls silent, or outlives its time.
async fn stream(
    response: Response<Body>,
    watcher: &mut Watcher,
    sender: &Sender<Told>,
) -> Result<(), Closed> {
    let bytes = response.into_body().into_data_stream();
    let reader = StreamReader::new(bytes.map_err(std::io::Error::other));
    let mut lines = FramedRead::new(reader, LinesCodec::new_with_max_length(LONGEST_LINE));
    let last = Instant::now() + WATCH_LASTS + SILENCE;
    loop {
        let until = last.min(Instant::now() + SILENCE);
        let Ok(Some(Ok(line))) = timeout_at(until, lines.next()).await else {
            return Ok(());
        };
        match watcher.line(line.as_bytes()) {
            ControlFlow::Continue(events) => tell(sender, watcher, events).await?,
            ControlFlow::Break(events) => return tell(sender, watcher, events).await,
        }
    }
}

async fn tell(
    sender: &Sender<Told>,
    watcher: &Watcher,
    events: Vec<WatchEvent>,
) -> Result<(), Closed> {
    for event in events {
        let told = (watcher.key().clone(), event);
        sender.send(told).await.map_err(|_| Closed)?;
    }
    Ok(())
}
