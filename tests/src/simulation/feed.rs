//! The watches of one life of the daemon.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use berth_cluster::wire::{Ended, Watcher};
use berth_core::reconciler::{WatchEvent, WatchKey};
use berth_sandbox::{Body, WatchId, WatchPoll};

use super::wire::answer;
use super::world::World;

/// One watch.
#[derive(Debug)]
pub struct Feed {
    watcher: Watcher,
    open: Option<WatchId>,
    not_before: i64,
    /// All that there is was told.
    pub complete: bool,
    /// What a planted fault holds back.
    pub late: Vec<WatchEvent>,
}

/// Those of one daemon, by what they watch.
pub type Feeds = BTreeMap<WatchKey, Feed>;

impl Feed {
    /// One that has told nothing.
    pub fn new(key: WatchKey, instance: String) -> Self {
        Self {
            watcher: Watcher::new(key, instance, 7),
            open: None,
            not_before: 0,
            complete: false,
            late: Vec::new(),
        }
    }

    /// When it may be opened next, if it is not open.
    pub fn opens_at(&self) -> Option<i64> {
        self.open.is_none().then_some(self.not_before)
    }

    /// Ends it.
    pub fn close(&mut self, world: &mut World) {
        if let Some(open) = self.open.take() {
            world.server.close_watch(open);
        }
    }

    /// What it has to say, and whether it was opened or ended.
    pub fn listen(&mut self, daemon: u64, world: &mut World) -> (Vec<WatchEvent>, bool) {
        let before = self.open;
        let events = match self.open {
            Some(open) => self.poll(world, open),
            None if world.now < self.not_before => Vec::new(),
            None => self.begin(daemon, world),
        };
        for event in &events {
            match event {
                WatchEvent::Complete(_) => self.complete = true,
                WatchEvent::Started | WatchEvent::Unreadable(_) => self.complete = false,
                _ => {}
            }
        }
        (events, self.open != before)
    }

    fn begin(&mut self, daemon: u64, world: &mut World) -> Vec<WatchEvent> {
        let Ok(wish) = self.watcher.next_request() else {
            return Vec::new();
        };
        let response = world.berth(daemon, &wish.request);
        match &response.body {
            Body::Watch(open) => {
                self.open = Some(*open);
                Vec::new()
            }
            Body::Lost => self.ended(world, &Ended::Closed),
            Body::Full(body) if response.status == 200 && !wish.streams => {
                let events = self.watcher.page(body);
                self.ended(world, &Ended::Closed);
                events
            }
            Body::Full(_) => self.ended(world, &Ended::Refused(answer(&response))),
        }
    }

    fn poll(&mut self, world: &mut World, open: WatchId) -> Vec<WatchEvent> {
        match world.server.poll_watch(world.now, open) {
            WatchPoll::Idle => Vec::new(),
            WatchPoll::Closed => self.ended(world, &Ended::Closed),
            WatchPoll::Lines(lines) => {
                let mut events = Vec::new();
                for line in lines {
                    match self.watcher.line(&line) {
                        ControlFlow::Continue(more) => events.extend(more),
                        ControlFlow::Break(more) => {
                            events.extend(more);
                            world.server.close_watch(open);
                            events.extend(self.ended(world, &Ended::Closed));
                            break;
                        }
                    }
                }
                events
            }
        }
    }

    fn ended(&mut self, world: &World, how: &Ended<'_>) -> Vec<WatchEvent> {
        self.open = None;
        let (events, pause) = self.watcher.ended(how);
        self.not_before = world.now + i64::try_from(pause.as_millis()).unwrap_or(0);
        events
    }
}

/// A planted fault: the listing is called complete as soon as it begins. Gives what is told at once,
/// and what is told later.
pub fn hasten(events: Vec<WatchEvent>) -> (Vec<WatchEvent>, Vec<WatchEvent>) {
    let done = |event: &WatchEvent| matches!(event, WatchEvent::Complete(_));
    if events.first() != Some(&WatchEvent::Started) || !events.iter().any(done) {
        return (events, Vec::new());
    }
    let is_said = |event: &WatchEvent| *event == WatchEvent::Started || done(event);
    events.into_iter().partition(is_said)
}
