//! The signals that ask the demo to end.

use std::future::poll_fn;
use std::task::Poll;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// What a terminal or the system sends to a process that is to end, and how people call it.
const NAMES: [(SignalKind, &str); 4] = [
    (SignalKind::interrupt(), "SIGINT"),
    (SignalKind::terminate(), "SIGTERM"),
    (SignalKind::hangup(), "SIGHUP"),
    (SignalKind::quit(), "SIGQUIT"),
];

/// A signal that came.
#[derive(Debug, Clone, Copy)]
pub struct Came {
    /// How people call it.
    pub name: &'static str,
    /// What a shell says of a program that it ended: 128 and its number.
    pub exit: u8,
}

/// From [`Signals::listen`] on none of them is lost, and none ends the process by itself: what was
/// started is ended first.
pub struct Signals(Vec<(Came, Signal)>);

impl Signals {
    /// Must be called within a runtime.
    pub fn listen() -> std::io::Result<Self> {
        let streams = NAMES.into_iter().map(|(kind, name)| {
            let exit = u8::try_from(128 + kind.as_raw_value()).unwrap_or(u8::MAX);
            Ok((Came { name, exit }, signal(kind)?))
        });
        Ok(Self(streams.collect::<std::io::Result<_>>()?))
    }

    /// The next one.
    pub async fn come(&mut self) -> Came {
        poll_fn(|context| {
            for (came, stream) in &mut self.0 {
                if stream.poll_recv(context).is_ready() {
                    return Poll::Ready(*came);
                }
            }
            Poll::Pending
        })
        .await
    }
}
