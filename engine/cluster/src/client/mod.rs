//! The client of one API server: what [`crate::wire`] builds, sent for real.

mod config;
mod error;
mod send;

pub use config::{Options, SERVICE_ACCOUNT};
pub use error::ConnectError;
pub use send::{Lost, Reply};

use std::time::Duration;

use berth_core::ids::Timestamp;
use berth_core::reconciler::{Effect, Outcome, ServerWords};

use crate::wire::{Answer, Call, Caller, Next, pause, words};

/// A connection to one API server. Clones share their connections.
///
/// Guarantees: no limit on calls a second (the server's own fairness is the limit, and a 429 is
/// told); calls side by side use as many HTTP/1 connections as there are calls and keep them; no
/// call is repeated by itself; every call ends within the timeout of the [`Options`].
#[derive(Clone)]
pub struct Client {
    kube: kube::Client,
    server: String,
    timeout: Duration,
}

impl Client {
    /// Connects as the options say, and asks the server for its version, so that a wrong address,
    /// certificate or token is told now and each in its own words.
    pub async fn connect(options: &Options) -> Result<Self, ConnectError> {
        let config = config::load(options).await?;
        let server = config.cluster_url.to_string();
        let kube = config::client(config).await?;
        let client = Self {
            kube,
            server,
            timeout: options.timeout,
        };
        client.version().await?;
        Ok(client)
    }

    /// A client over a ready-made one, such as a service in this process.
    pub fn over(kube: kube::Client, server: impl Into<String>, timeout: Duration) -> Self {
        Self {
            kube,
            server: server.into(),
            timeout,
        }
    }

    /// The server's address, for people.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// The server's `gitVersion`, such as `v1.36.3`.
    pub async fn version(&self) -> Result<String, ConnectError> {
        #[derive(serde::Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Version {
            git_version: String,
        }
        let reply = self.get("/version").await.map_err(|lost| self.said(lost))?;
        match reply.status {
            200 => serde_json::from_slice(&reply.body)
                .map(|version: Version| version.git_version)
                .map_err(|_| self.not_ready("its version", &reply)),
            401 => Err(ConnectError::Unauthorized {
                server: self.server.clone(),
            }),
            403 => Err(ConnectError::Forbidden {
                server: self.server.clone(),
                said: words(&reply.answer()).message,
            }),
            _ => Err(self.not_ready("its version", &reply)),
        }
    }

    /// Carries one effect out. `now` only dates Events. Before each request `may_send` is asked,
    /// and nothing is sent that may not be any more: [`Outcome::too_late`].
    ///
    /// A call that could not reach the server is `Unreachable`: certainly not carried out. One whose
    /// answer was lost, or took longer than the timeout, is `Unknown`: it may have been.
    pub async fn carry(
        &self,
        caller: &Caller,
        now: Timestamp,
        effect: &Effect,
        may_send: impl Fn() -> bool,
    ) -> Outcome {
        let (mut call, mut request) = match Call::new(caller, now, effect) {
            Ok(call) => call,
            Err(error) => {
                return Outcome::Refused(ServerWords {
                    code: 0,
                    reason: "NotACall".into(),
                    message: error.to_string(),
                });
            }
        };
        loop {
            // What an earlier request did is answered by then: a later one only reads, or repeats what
            // was forbidden.
            if !may_send() {
                return Outcome::too_late();
            }
            let reply = match self.send(request).await {
                Ok(reply) => reply,
                Err(Lost::Before(cause)) => return Outcome::Unreachable(cause.words),
                Err(Lost::After(words)) => return call.lost(words),
            };
            match call.answered(&reply.answer()) {
                Next::Outcome(outcome) => return outcome,
                Next::Ask(next, again) => (call, request) = (next, again),
            }
        }
    }

    /// An answer that is not the one asked for. A server that starts or is busy says 5xx or 429.
    pub(crate) fn not_ready(&self, what: &str, reply: &Reply) -> ConnectError {
        let (server, status) = (self.server.clone(), reply.status);
        let said = || format!("{what}: {status}: {}", words(&reply.answer()).message);
        match pause(&reply.answer()) {
            Some(wait) => ConnectError::Busy {
                server,
                said: said(),
                wait,
            },
            None if (500..=599).contains(&status) => ConnectError::Broken {
                server,
                cause: said(),
            },
            None => ConnectError::NotKubernetes { server, status },
        }
    }

    /// A lost call, as an error of connecting.
    pub(crate) fn said(&self, lost: Lost) -> ConnectError {
        let server = self.server.clone();
        match lost {
            Lost::Before(cause) => cause.error(server),
            Lost::After(cause) => ConnectError::Broken { server, cause },
        }
    }
}

impl Reply {
    /// As the wire reads it.
    pub fn answer(&self) -> Answer<'_> {
        Answer {
            status: self.status,
            retry_after: self.retry_after,
            body: &self.body,
        }
    }
}
