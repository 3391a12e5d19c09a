//! One bell for everything that may change what a test sees.

use tokio::sync::watch;

/// Rings; clones ring the same bell.
#[derive(Debug, Clone)]
pub struct Wake(watch::Sender<u64>);

impl Wake {
    /// A silent one.
    pub fn new() -> Self {
        Self(watch::Sender::new(0))
    }

    /// Wakes whoever listens.
    pub fn ring(&self) {
        self.0.send_modify(|count| *count += 1);
    }

    /// Listens from now on.
    pub fn listen(&self) -> watch::Receiver<u64> {
        self.0.subscribe()
    }
}

impl Default for Wake {
    fn default() -> Self {
        Self::new()
    }
}
