//! Between Berth's requests and the sandbox's: the same bytes, without a socket.

use std::time::Duration;

use berth_cluster::wire::Answer;
use berth_sandbox::{Body, Request, Response};
use serde_json::Value;

/// What a call is about.
#[derive(Debug)]
pub struct Target {
    /// Such as `pods`.
    pub resource: String,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl Target {
    /// What a request names; `None` if it is no object of a namespace of the core group.
    pub fn of(request: &Request) -> Option<Self> {
        let parts: Vec<&str> = request.path.trim_matches('/').split('/').collect();
        let ["api", "v1", "namespaces", namespace, resource, rest @ ..] = parts.as_slice() else {
            return None;
        };
        let name = match rest.first() {
            Some(name) => (*name).to_owned(),
            None => serde_json::from_slice::<Value>(&request.body)
                .ok()?
                .pointer("/metadata/name")?
                .as_str()?
                .to_owned(),
        };
        Some(Self {
            resource: (*resource).to_owned(),
            namespace: (*namespace).to_owned(),
            name,
        })
    }
}

/// The same request for the sandbox.
pub fn translate(request: &http::Request<Vec<u8>>) -> Request {
    let mut asked = Request::new(request.method().as_str(), request.uri().path());
    let query = request.uri().query().unwrap_or_default();
    asked.query = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(key), decode(value))
        })
        .collect();
    let header = |name: &str| {
        let value = request
            .headers()
            .get(name)
            .and_then(|value| value.to_str().ok());
        value.unwrap_or_default().to_owned()
    };
    asked.content_type = header("content-type");
    asked.accept = header("accept");
    asked.user_agent = "berth".into();
    asked.body.clone_from(request.body());
    asked
}

/// A whole answer, as Berth takes it.
pub fn answer(response: &Response) -> Answer<'_> {
    Answer {
        status: response.status,
        retry_after: retry_after(response),
        body: match &response.body {
            Body::Full(bytes) => bytes,
            Body::Watch(_) | Body::Lost => &[],
        },
    }
}

/// `Retry-After` in seconds.
fn retry_after(response: &Response) -> Option<Duration> {
    let header = response
        .headers
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case("retry-after"));
    let seconds = header.and_then(|(_, value)| value.parse().ok());
    seconds.map(Duration::from_secs)
}

fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = (bytes[at] == b'%')
            .then(|| text.get(at + 1..at + 3))
            .flatten()
            .and_then(|pair| u8::from_str_radix(pair, 16).ok());
        if let Some(byte) = hex {
            out.push(byte);
            at += 3;
        } else {
            out.push(if bytes[at] == b'+' { b' ' } else { bytes[at] });
            at += 1;
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}
