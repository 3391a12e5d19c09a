//! The server's `Status` bodies, and its words made fit for people.

use std::time::Duration;

use berth_core::reconciler::ServerWords;

use super::request::cut;
use super::{Answer, redact};

/// A `v1 Status`, as far as it matters (`k8s.io/apimachinery`, `meta/v1` Status).
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    kind: String,
    /// Such as `AlreadyExists`; empty if the server gave none.
    #[serde(default)]
    pub reason: String,
    /// For people.
    #[serde(default)]
    pub message: String,
    /// The HTTP status again; in watch lines the only one.
    #[serde(default)]
    pub code: u16,
    /// What it is about.
    #[serde(default)]
    pub details: Details,
}

/// What a [`Status`] is about.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Details {
    /// The name of the object.
    pub name: String,
    /// The resource, such as `pods`.
    pub kind: String,
    /// When to come back.
    pub retry_after_seconds: u64,
    /// Which fields are wrong.
    pub causes: Vec<Cause>,
}

/// One reason of a [`Status`].
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(default)]
pub struct Cause {
    /// The path of the field.
    pub field: String,
}

impl Status {
    /// Reads a body; `None` if it is no Status.
    pub fn read(body: &[u8]) -> Option<Self> {
        serde_json::from_slice::<Self>(body)
            .ok()
            .filter(|status| status.kind == "Status")
    }

    /// Whether this 422 is about another life of the object: the server answers to an apply with a
    /// uid that is not the live one "metadata.uid: field is immutable".
    pub fn is_other_life(&self) -> bool {
        self.details
            .causes
            .iter()
            .any(|cause| cause.field == "metadata.uid")
    }

    /// Whether this 404 is about the object of this name, not about its namespace or the route.
    pub fn is_absence_of(&self, name: &str) -> bool {
        let named = if self.details.name.is_empty() {
            self.message.contains(&format!("\"{name}\""))
        } else {
            self.details.name == name
        };
        self.reason == "NotFound" && self.details.kind != "namespaces" && named
    }
}

/// What the server says in an answer that is no success: cut to 1,000 bytes, without what looks
/// like a secret, and with the next thing to do where it is known.
pub fn words(answer: &Answer<'_>) -> ServerWords {
    let status = Status::read(answer.body);
    let (reason, said) = match &status {
        Some(status) => (status.reason.clone(), status.message.clone()),
        None => (
            String::new(),
            String::from_utf8_lossy(cut_bytes(answer.body)).into_owned(),
        ),
    };
    let said = redact(said.trim());
    let message = match help(answer.status, &said) {
        Some(help) => format!("{}; help: {help}", cut(&said, 1000)),
        None => cut(&said, 1000).to_owned(),
    };
    ServerWords {
        code: answer.status,
        reason,
        message,
    }
}

/// How long the server wants us to wait, if it says so: the header, else the body of a 429 or 5xx,
/// else a second after a 429.
pub fn pause(answer: &Answer<'_>) -> Option<Duration> {
    let throttles = answer.status == 429;
    if !throttles && !(500..=599).contains(&answer.status) {
        return None;
    }
    let in_body = || {
        let seconds = Status::read(answer.body)?.details.retry_after_seconds;
        (seconds > 0).then(|| Duration::from_secs(seconds))
    };
    let pause = answer.retry_after.or_else(in_body);
    let pause = pause.or(throttles.then_some(Duration::from_secs(1)))?;
    Some(pause.min(MOST_PAUSE))
}

/// A proxy that says "come back tomorrow" must not stop the cluster for a day.
const MOST_PAUSE: Duration = Duration::from_mins(5);

fn cut_bytes(body: &[u8]) -> &[u8] {
    &body[..body.len().min(4000)]
}

/// What to do about well-known refusals.
fn help(code: u16, said: &str) -> Option<String> {
    let missing = said.strip_prefix("namespaces \"");
    if let Some(namespace) = missing.and_then(|rest| rest.strip_suffix("\" not found")) {
        return Some(format!(
            "create the namespace, `kubectl create namespace {namespace}`, or name another one in the \
             Queue"
        ));
    }
    match code {
        401 => Some("the token or certificate is not accepted: renew it in the kubeconfig".into()),
        403 => right(said).or_else(|| {
            said.contains("exceeded quota")
                .then(|| "raise the ResourceQuota or lower the Queue's quota".into())
        }),
        _ => None,
    }
}

/// The right that is missing, from `User "u" cannot VERB resource "R" in API group "G" ...`
/// (`k8s.io/apiserver`, `responsewriters.ForbiddenErrorf`).
fn right(said: &str) -> Option<String> {
    let (_, rest) = said.split_once(" cannot ")?;
    let (verb, rest) = rest.split_once(" resource \"")?;
    let (resource, rest) = rest.split_once('"')?;
    let place = rest
        .split_once("in the namespace \"")
        .and_then(|(_, rest)| rest.split_once('"'))
        .map_or_else(
            || "at the cluster scope".to_owned(),
            |(namespace, _)| format!("in the namespace {namespace}"),
        );
    Some(format!(
        "grant `{verb}` on `{resource}` {place} to Berth's account, as docs/reference/rbac.md lists"
    ))
}
