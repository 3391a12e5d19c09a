//! A hook for tests, around each effect. `BERTH_CRASH=before:create:3` ends the process before the
//! third create is carried out, `after:create:3` once it was, before anybody learns its outcome.
//! `hold:create` holds everything back from the first create on, until the process gets a SIGCONT:
//! what is held was given out and is about to be sent.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// When to do so. Clones count together.
#[derive(Debug, Clone, Default)]
pub struct Crash {
    at: Option<Moment>,
    /// How many there were of each kind.
    counts: Arc<Mutex<BTreeMap<&'static str, u64>>>,
    /// Something is held; and it is let go.
    held: CancellationToken,
    go: CancellationToken,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Moment {
    Before(Nth),
    After(Nth),
    Hold(String),
}

/// One of the effects of a kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nth {
    kind: String,
    /// Counted from 1.
    number: u64,
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

    /// Counts an effect of this kind that is about to be carried out; gives which one it is.
    pub async fn before(&self, kind: &'static str) -> Nth {
        let this = self.count(kind);
        match &self.at {
            Some(Moment::Before(at)) if *at == this => std::process::abort(),
            Some(Moment::Hold(first)) if first == kind || self.held.is_cancelled() => {
                self.hold(kind).await;
            }
            _ => {}
        }
        this
    }

    /// This effect was carried out.
    pub fn after(&self, this: Nth) {
        if self.at == Some(Moment::After(this)) {
            std::process::abort();
        }
    }

    fn count(&self, kind: &'static str) -> Nth {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let number = counts.entry(kind).or_default();
        *number += 1;
        Nth {
            kind: kind.to_owned(),
            number: *number,
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
        "before" => nth(what).map(Moment::Before),
        "after" => nth(what).map(Moment::After),
        "hold" => Some(Moment::Hold(what.to_owned())),
        _ => None,
    }
}

fn nth(text: &str) -> Option<Nth> {
    let (kind, number) = text.split_once(':')?;
    Some(Nth {
        kind: kind.to_owned(),
        number: number.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_moment_is_read() {
        let third = nth("create:3").unwrap();
        assert_eq!((&*third.kind, third.number), ("create", 3));
        assert_eq!(
            parse("before:create:3"),
            Some(Moment::Before(third.clone()))
        );
        assert_eq!(parse("after:create:3"), Some(Moment::After(third)));
        assert_eq!(parse("hold:create"), Some(Moment::Hold("create".into())));
        for bad in [
            "",
            "before",
            "before:3",
            "during:create:1",
            "after:create:x",
        ] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn each_kind_is_counted_by_itself() {
        let crash = Crash::default();
        crash.count("record");
        crash.count("create");
        assert_eq!(crash.clone().count("create"), nth("create:2").unwrap());
    }
}
