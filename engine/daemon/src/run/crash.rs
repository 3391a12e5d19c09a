//! A hook for tests: the process dies around its nth effect. `BERTH_CRASH=before:3` aborts before
//! the third effect is carried out, `after:3` once it was, before anybody learns its outcome.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// When to die. Clones count together.
#[derive(Debug, Clone, Default)]
pub struct Crash {
    at: Option<Moment>,
    count: Arc<AtomicU64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Moment {
    Before(u64),
    After(u64),
}

impl Crash {
    /// As `BERTH_CRASH` says; never, if it is not set or not of the form.
    pub fn from_env() -> Self {
        let text = std::env::var("BERTH_CRASH").ok();
        Self {
            at: text.and_then(|text| parse(&text)),
            count: Arc::default(),
        }
    }

    /// Counts an effect that is about to be carried out; gives its number, from 1.
    pub fn before(&self) -> u64 {
        let number = self.count.fetch_add(1, Ordering::Relaxed) + 1;
        if self.at == Some(Moment::Before(number)) {
            std::process::abort();
        }
        number
    }

    /// The effect of this number was carried out.
    pub fn after(&self, number: u64) {
        if self.at == Some(Moment::After(number)) {
            std::process::abort();
        }
    }
}

fn parse(text: &str) -> Option<Moment> {
    let (when, number) = text.split_once(':')?;
    let number = number.parse().ok()?;
    match when {
        "before" => Some(Moment::Before(number)),
        "after" => Some(Moment::After(number)),
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
        for bad in ["", "before", "during:1", "after:x"] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }
}
