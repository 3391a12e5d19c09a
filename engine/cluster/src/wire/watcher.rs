//! One watch, by value: which request comes next, what its lines say, when to try again.
//!
//! ```text
//!            +---- 410, unreadable, cut before the end ----+
//!            v                                             |
//! Begin -> Initial (streaming list) -- initial-events-end -+-> Live -- closed, cut --> Live
//!      \-> Paging (no streaming lists) --- last page ------+
//! ```
//! Guarantees: `Complete` is told only after every object of one listing was told; a resumed watch
//! tells every change in between, or begins again with `Started`.

use std::ops::ControlFlow;
use std::time::Duration;

use berth_core::ids::ResourceVersion;
use berth_core::reconciler::{WatchEvent, WatchKey};
use http::Request;

use super::line::{self, Line};
use super::list::{WatchFrom, list_request, watch_request};
use super::ready::{is_ready, ready_request};
use super::status::{pause, words};
use super::{Answer, NotACall};

/// See the module.
#[derive(Debug, Clone)]
pub struct Watcher {
    key: WatchKey,
    instance: String,
    state: State,
    /// The server has no streaming lists.
    paged: bool,
    doubt: Doubt,
    /// Attempts in a row that told nothing.
    failures: u32,
    /// Something was told since the last request.
    told: bool,
    seed: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    Begin,
    Initial { started: bool },
    Paging { next: Option<String> },
    Live(ResourceVersion),
}

/// Of a server that forbids the watch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Doubt {
    None,
    /// Is it ready?
    Asking,
    /// It is ready: does it forbid it still?
    Answered,
}

/// What a watcher wants sent.
#[derive(Debug)]
pub struct Wish {
    /// The request.
    pub request: Request<Vec<u8>>,
    /// A successful answer is a stream of lines for [`Watcher::line`], not one body for
    /// [`Watcher::page`].
    pub streams: bool,
}

/// How a request of a watcher ended.
#[derive(Debug)]
pub enum Ended<'a> {
    /// The stream ended, well or cut, or no answer came at all.
    Closed,
    /// The server answered with something else than success.
    Refused(Answer<'a>),
}

impl Watcher {
    /// A watch that has told nothing yet. The seed spreads the pauses of many watches.
    pub fn new(key: WatchKey, instance: impl Into<String>, seed: u64) -> Self {
        Self {
            key,
            instance: instance.into(),
            state: State::Begin,
            paged: false,
            doubt: Doubt::None,
            failures: 0,
            told: false,
            seed,
        }
    }

    /// What it watches.
    pub const fn key(&self) -> &WatchKey {
        &self.key
    }

    /// The next request. Its answer goes to [`Self::line`] or [`Self::page`], its end to
    /// [`Self::ended`]; after a page that is not the last, and after the last, comes this again.
    pub fn next_request(&mut self) -> Result<Wish, NotACall> {
        self.told = false;
        if self.doubt == Doubt::Asking {
            return Ok(Wish {
                request: ready_request()?,
                streams: false,
            });
        }
        if self.state == State::Begin {
            self.state = if self.paged {
                State::Paging { next: None }
            } else {
                State::Initial { started: false }
            };
        }
        let from = match &self.state {
            State::Paging { next } => {
                let request = list_request(&self.key, &self.instance, next.as_deref())?;
                return Ok(Wish {
                    request,
                    streams: false,
                });
            }
            State::Live(version) => WatchFrom::Version(*version),
            State::Begin | State::Initial { .. } => WatchFrom::Streaming,
        };
        Ok(Wish {
            request: watch_request(&self.key, &self.instance, from)?,
            streams: true,
        })
    }

    /// One line of a stream. `Break`: close the stream, then call [`Self::ended`].
    pub fn line(&mut self, bytes: &[u8]) -> ControlFlow<Vec<WatchEvent>, Vec<WatchEvent>> {
        if bytes.iter().all(u8::is_ascii_whitespace) {
            return ControlFlow::Continue(Vec::new());
        }
        let line = match line::line(bytes, &self.key, &self.instance) {
            Ok(line) => line,
            Err(why) => return ControlFlow::Break(self.unreadable(why)),
        };
        match line {
            Line::Expired => {
                // It told us something useful: list again at once.
                self.told = true;
                self.state = State::Begin;
                ControlFlow::Break(Vec::new())
            }
            Line::Failed(_) => ControlFlow::Break(Vec::new()),
            Line::Change(event, version) => ControlFlow::Continue(self.tell(*event, version)),
            Line::Bookmark(version) => {
                ControlFlow::Continue(self.tell(WatchEvent::Passed(version), version))
            }
            Line::InitialEnd(version) => {
                let events = self.tell(WatchEvent::Complete(version), version);
                self.state = State::Live(version);
                ControlFlow::Continue(events)
            }
        }
    }

    /// One page of a list, or that the server is ready.
    pub fn page(&mut self, body: &[u8]) -> Vec<WatchEvent> {
        if self.doubt == Doubt::Asking {
            self.doubt = Doubt::Answered;
            return Vec::new();
        }
        let page = match line::page(body, &self.key, &self.instance) {
            Ok(page) => page,
            Err(why) => return self.unreadable(why),
        };
        self.progress();
        let first = self.state == State::Paging { next: None };
        let started = first.then_some(WatchEvent::Started);
        let told = page.events.into_iter().filter(|event| !is_silent(event));
        let mut events: Vec<_> = started.into_iter().chain(told).collect();
        self.state = if page.next.is_some() {
            State::Paging { next: page.next }
        } else {
            events.push(WatchEvent::Complete(page.version));
            State::Live(page.version)
        };
        events
    }

    /// The request is over: what that says, and how long to wait before the next one.
    pub fn ended(&mut self, how: &Ended<'_>) -> (Vec<WatchEvent>, Duration) {
        match how {
            Ended::Closed => (Vec::new(), self.closed()),
            Ended::Refused(answer) => self.refused(answer),
        }
    }

    fn closed(&mut self) -> Duration {
        if matches!(self.state, State::Initial { .. }) {
            self.state = State::Begin;
        }
        if self.told {
            return self.jitter(SHORTEST);
        }
        self.back_off()
    }

    fn refused(&mut self, answer: &Answer<'_>) -> (Vec<WatchEvent>, Duration) {
        match (self.doubt, answer.status) {
            (Doubt::None, 403) => {
                self.doubt = Doubt::Asking;
                return (Vec::new(), Duration::ZERO);
            }
            (Doubt::Asking, _) if is_ready(answer) => {
                self.doubt = Doubt::Answered;
                return (Vec::new(), Duration::ZERO);
            }
            (Doubt::Asking, _) => {
                let told = pause(answer).unwrap_or_default();
                return (Vec::new(), self.back_off().max(told));
            }
            (Doubt::None | Doubt::Answered, _) => self.doubt = Doubt::None,
        }
        let listing = matches!(self.state, State::Initial { .. });
        match answer.status {
            // "sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled"
            400 | 422 if listing && !self.paged => {
                self.paged = true;
                self.state = State::Begin;
                (Vec::new(), Duration::ZERO)
            }
            // The version or the page token is too old.
            410 => {
                self.state = State::Begin;
                (Vec::new(), self.back_off())
            }
            429 => {
                let told = pause(answer).unwrap_or_default();
                (Vec::new(), told + self.jitter(SHORTEST))
            }
            400..=499 => {
                let said = words(answer);
                let events = self.unreadable(said.message);
                self.failures = self.failures.max(6);
                (events, self.back_off())
            }
            _ => {
                if listing {
                    self.state = State::Begin;
                }
                let told = pause(answer).unwrap_or_default();
                (Vec::new(), self.back_off().max(told))
            }
        }
    }

    /// An event of the stream, after `Started` if it is the first of a listing. Bookmarks within a
    /// listing say nothing.
    fn tell(&mut self, event: WatchEvent, version: ResourceVersion) -> Vec<WatchEvent> {
        self.progress();
        let mut events = Vec::with_capacity(2);
        match &mut self.state {
            State::Initial { started } => {
                if !std::mem::replace(started, true) {
                    events.push(WatchEvent::Started);
                }
                if !is_silent(&event) {
                    events.push(event);
                }
            }
            State::Live(reached) => {
                *reached = version.max(*reached);
                events.push(event);
            }
            State::Begin | State::Paging { .. } => {}
        }
        events
    }

    fn progress(&mut self) {
        self.told = true;
        self.failures = 0;
        self.doubt = Doubt::None;
    }

    /// What is there cannot be known: begin again.
    fn unreadable(&mut self, why: String) -> Vec<WatchEvent> {
        self.told = false;
        self.state = State::Begin;
        vec![WatchEvent::Unreadable(why)]
    }

    fn back_off(&mut self) -> Duration {
        let doubled = SHORTEST * 2_u32.saturating_pow(self.failures.min(10));
        self.failures = self.failures.saturating_add(1);
        self.jitter(doubled.min(LONGEST))
    }

    /// Between half of `most` and all of it.
    fn jitter(&mut self, most: Duration) -> Duration {
        self.seed = next_random(self.seed);
        let share = u32::try_from(self.seed >> 48).unwrap_or(0);
        most / 2 + most * share / (2 * 0x1_0000)
    }
}

/// What says nothing within a listing: a bookmark, and a pod that takes no slots.
const fn is_silent(event: &WatchEvent) -> bool {
    matches!(event, WatchEvent::Passed(_) | WatchEvent::OccupantGone(_))
}

const SHORTEST: Duration = Duration::from_millis(200);
const LONGEST: Duration = Duration::from_secs(30);

/// One step of `SplitMix64`.
fn next_random(seed: u64) -> u64 {
    let seed = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mixed = (seed ^ (seed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}
