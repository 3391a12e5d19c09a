//! Sending one request, and what its loss means.

use std::io;
use std::time::Duration;

use http::{Request, Response};
use http_body_util::{BodyExt as _, Limited};
use kube::client::Body;
use tokio::time::timeout;

use super::{Client, ConnectError};
use crate::wire::redact;

/// The most that is read of one answer; a page of 500 pods has about 10 MB.
const LARGEST: usize = 256 << 20;

/// A whole answer.
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// The header `Retry-After` in seconds.
    pub retry_after: Option<Duration>,
    /// The body.
    pub body: Vec<u8>,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Lost {
    /// No connection was made: the server never saw the request.
    #[error("no connection: {}", .0.words)]
    Before(NoConnection),
    /// The request may have arrived.
    #[error("the answer was lost: {0}")]
    After(String),
}

/// Why no connection was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoConnection {
    pub(super) words: String,
    cause: Cause,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cause {
    Refused,
    Certificate,
    Credentials,
    Other,
}

impl NoConnection {
    /// For people who connect.
    pub(super) fn error(self, server: String) -> ConnectError {
        let cause = self.words;
        match self.cause {
            Cause::Refused => ConnectError::Refused { server },
            Cause::Certificate => ConnectError::Certificate { server, cause },
            Cause::Credentials => ConnectError::Unusable { cause },
            Cause::Other => ConnectError::Unreachable { server, cause },
        }
    }
}

impl Client {
    /// Sends a request and reads the whole answer, within the timeout.
    pub async fn send(&self, request: Request<Vec<u8>>) -> Result<Reply, Lost> {
        timeout(self.timeout, self.exchange(request))
            .await
            .unwrap_or_else(|_| Err(Lost::After(format!("no answer within {:?}", self.timeout))))
    }

    /// Reads a path.
    pub(crate) async fn get(&self, path: &str) -> Result<Reply, Lost> {
        let request = Request::get(path)
            .header(http::header::ACCEPT, "application/json")
            .body(Vec::new())
            .map_err(|error| Lost::After(error.to_string()))?;
        self.send(request).await
    }

    /// Sends a request and waits for the head of the answer, within the timeout.
    pub(crate) async fn open(&self, request: Request<Vec<u8>>) -> Result<Response<Body>, Lost> {
        let sent = self.kube.send(request.map(Body::from));
        match timeout(self.timeout, sent).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) => Err(lost(&error)),
            Err(_) => Err(Lost::After(format!("no answer within {:?}", self.timeout))),
        }
    }

    /// The rest of an answer whose head is there, within the timeout.
    pub(crate) async fn rest(&self, response: Response<Body>) -> Result<Reply, Lost> {
        timeout(self.timeout, whole(response))
            .await
            .unwrap_or_else(|_| Err(Lost::After(format!("no answer within {:?}", self.timeout))))
    }

    async fn exchange(&self, request: Request<Vec<u8>>) -> Result<Reply, Lost> {
        let response = self.kube.send(request.map(Body::from)).await;
        whole(response.map_err(|error| lost(&error))?).await
    }
}

async fn whole(response: Response<Body>) -> Result<Reply, Lost> {
    let status = response.status().as_u16();
    let retry_after = response
        .headers()
        .get(http::header::RETRY_AFTER)
        .and_then(|value| value.to_str().ok()?.trim().parse().ok())
        .map(Duration::from_secs);
    let body = Limited::new(response.into_body(), LARGEST)
        .collect()
        .await
        .map_err(|error| Lost::After(redact(&error.to_string())))?
        .to_bytes()
        .to_vec();
    Ok(Reply {
        status,
        retry_after,
        body,
    })
}

/// Whether the request can have left. Errors of credentials are made before it is sent; errors of
/// connecting are marked as such by the HTTP client; all others may have come after.
fn lost(error: &kube::Error) -> Lost {
    if let kube::Error::Auth(_) = error {
        return before(&"the credentials cannot be had", Cause::Credentials);
    }
    let mut link: Option<&(dyn std::error::Error + 'static)> = Some(error);
    let mut connecting = false;
    let mut deepest = error.to_string();
    let mut cause = Cause::Other;
    while let Some(this) = link {
        if let Some(client) = this.downcast_ref::<hyper_util::client::legacy::Error>() {
            connecting |= client.is_connect();
        }
        if this.is::<kube::client::AuthError>() {
            return before(&"the credentials cannot be had", Cause::Credentials);
        }
        deepest = this.to_string();
        cause = cause_of(this).unwrap_or(cause);
        link = inner(this).or_else(|| this.source());
    }
    if connecting {
        before(&deepest, cause)
    } else {
        Lost::After(redact(&deepest))
    }
}

fn before(words: &dyn ToString, cause: Cause) -> Lost {
    let words = redact(&words.to_string());
    Lost::Before(NoConnection { words, cause })
}

/// TLS errors hide within `io::Error`, whose `source` skips them.
fn inner<'a>(
    error: &'a (dyn std::error::Error + 'static),
) -> Option<&'a (dyn std::error::Error + 'static)> {
    let inner = error.downcast_ref::<io::Error>()?.get_ref()?;
    Some(inner as &(dyn std::error::Error + 'static))
}

fn cause_of(error: &(dyn std::error::Error + 'static)) -> Option<Cause> {
    let refused = error
        .downcast_ref::<io::Error>()
        .is_some_and(|error| error.kind() == io::ErrorKind::ConnectionRefused);
    let words = error.to_string();
    if refused {
        Some(Cause::Refused)
    } else if words.contains("invalid peer certificate") {
        Some(Cause::Certificate)
    } else {
        None
    }
}
