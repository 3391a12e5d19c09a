//! Gives up what speaks to a remote, at once: a program that ends must not wait for one that hangs.

use std::collections::BTreeMap;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::program::Event;

/// Stops fetches and pushes. Clones are one and the same; see [`crate::Source::with_stop`].
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    stopped: bool,
    last: u64,
    listeners: BTreeMap<u64, Sender<Event>>,
}

/// A run that hears of the stop until this is dropped.
pub(crate) struct Listening {
    stop: Stop,
    number: u64,
}

impl Stop {
    /// Not stopped yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Ends what is under way with [`crate::RemoteError::Stopped`], and refuses what comes later.
    pub fn stop(&self) {
        let mut state = self.state();
        state.stopped = true;
        for listener in state.listeners.values() {
            // It may just have ended.
            let _ = listener.send(Event::Stopped);
        }
    }

    /// Tells this run; none if it is too late to begin.
    pub(crate) fn listen(&self, run: Sender<Event>) -> Option<Listening> {
        let mut state = self.state();
        if state.stopped {
            return None;
        }
        state.last += 1;
        let number = state.last;
        state.listeners.insert(number, run);
        drop(state);
        Some(Listening {
            stop: self.clone(),
            number,
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.stop.state().listeners.remove(&self.number);
    }
}
