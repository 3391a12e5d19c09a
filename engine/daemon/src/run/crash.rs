//! A hook for tests, around each effect. `BERTH_CRASH=before:3` ends the process before the third
//! effect is carried out, `after:3` once it was, before anybody learns its outcome. `hold:create`
//! holds everything back from the first create on, until the process gets a SIGCONT: what is held
//! was given out and is about to be sent.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// When to do so. Clones count together.
#[derive(Debug, Clone, Default)]
pub struct Crash {
    at: Option<Moment>,
    count: Arc<AtomicU64>,
    /// Something is held; and it is let go.
    held: CancellationToken,
    go: CancellationToken,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Moment {
    Before(u64),
    After(u64),
    Hold(String),
}

impl Crash {
    /// As `BERTH_CRASH` says; never, if it is not set or not of the form.
    pub fn from_env() -> Self {
        let text = std::env::var("BERTH_CRASH").ok();
        Self {
            at: text.and_then(|text| parse(&text)),
            ..Self::default()
        }
    }

    /// Counts an effect of this kind that is about to be carried out; gives its number, from 1.
    pub async fn before(&self, kind: &str) -> u64 {
        let number = self.count.fetch_add(1, Ordering::Relaxed) + 1;
        match &self.at {
            Some(Moment::Before(at)) if *at == number => std::process::abort(),
            Some(Moment::Hold(first)) if first == kind || self.held.is_cancelled() => {
                self.hold(kind).await;
            }
            _ => {}
        }
        number
    }

    /// The effect of this number was carried out.
    pub fn after(&self, number: u64) {
        if self.at == Some(Moment::After(number)) {
            std::process::abort();
        }
    }

    async fn hold(&self, kind: &str) {
        self.held.cancel();
        let Ok(mut goes_on) = signal(SignalKind::from_raw(CONTINUE)) else {
            return;
        };
        tracing::info!(kind, "held back");
        tokio::select! {
            _ = goes_on.recv() => self.go.cancel(),
            () = self.go.cancelled() => {}
        }
    }
}

/// SIGCONT.
const CONTINUE: i32 = rustix::process::Signal::CONT.as_raw();

fn parse(text: &str) -> Option<Moment> {
    let (when, what) = text.split_once(':')?;
    match when {
        "before" => Some(Moment::Before(what.parse().ok()?)),
        "after" => Some(Moment::After(what.parse().ok()?)),
        "hold" => Some(Moment::Hold(what.to_owned())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_moment_is_read() {
        assert_eq!(parse("before:3"), Some(Moment::Before(3)));
        assert_eq!(parse("after:12"), Some(Moment::After(12)));
        assert_eq!(parse("hold:create"), Some(Moment::Hold("create".into())));
        for bad in ["", "before", "during:1", "after:x"] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }
}
