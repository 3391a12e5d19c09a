//! Refusals, in the words of the real server.

use serde_json::{Value, json};

use crate::cause::Cause;
use crate::kinds::Kind;
use crate::request::Response;

/// A refused request: it becomes a `Status`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Failure {
    pub(crate) code: u16,
    pub(crate) reason: &'static str,
    pub(crate) message: String,
    pub(crate) details: Value,
    pub(crate) retry_after: Option<u32>,
    /// Where a list that cannot go on as it began can go on nevertheless.
    pub(crate) continues: Option<String>,
}

impl Failure {
    pub(crate) fn new(code: u16, reason: &'static str, message: impl Into<String>) -> Self {
        Self {
            code,
            reason,
            message: message.into(),
            details: Value::Null,
            retry_after: None,
            continues: None,
        }
    }

    fn about(mut self, kind: &Kind, name: &str) -> Self {
        self.details = json!({"name": name, "kind": kind.plural});
        if !kind.group.is_empty() {
            self.details["group"] = kind.group.as_str().into();
        }
        self
    }

    pub(crate) fn not_found(kind: &Kind, name: &str) -> Self {
        Self::new(
            404,
            "NotFound",
            format!("{} \"{name}\" not found", kind.resource()),
        )
        .about(kind, name)
    }

    /// The path leads nowhere.
    pub(crate) fn no_such_path() -> Self {
        Self::new(
            404,
            "NotFound",
            "the server could not find the requested resource",
        )
    }

    pub(crate) fn already_exists(kind: &Kind, name: &str, is_deleting: bool) -> Self {
        let prefix = if is_deleting {
            "object is being deleted: "
        } else {
            ""
        };
        let message = format!("{prefix}{} \"{name}\" already exists", kind.resource());
        Self::new(409, "AlreadyExists", message).about(kind, name)
    }

    pub(crate) fn conflict(kind: &Kind, name: &str, why: &str) -> Self {
        let resource = kind.resource();
        let message = format!("Operation cannot be fulfilled on {resource} \"{name}\": {why}");
        Self::new(409, "Conflict", message).about(kind, name)
    }

    /// A deletion's precondition does not hold; here the real server names the kind.
    pub(crate) fn mismatch(kind: &Kind, name: &str, why: &str) -> Self {
        let mut group_kind = kind.kind.clone();
        if !kind.group.is_empty() {
            group_kind = format!("{group_kind}.{}", kind.group);
        }
        let message = format!("Operation cannot be fulfilled on {group_kind} \"{name}\": {why}");
        let mut failure = Self::new(409, "Conflict", message).about(kind, name);
        failure.details["kind"] = kind.kind.as_str().into();
        failure
    }

    /// The object changed since the client read it.
    pub(crate) fn stale(kind: &Kind, name: &str) -> Self {
        let why = "the object has been modified; please apply your changes to the latest version and try again";
        Self::conflict(kind, name, why)
    }

    pub(crate) fn forbidden(kind: &Kind, name: &str, why: &str) -> Self {
        let subject = if name.is_empty() {
            kind.resource()
        } else {
            format!("{} \"{name}\"", kind.resource())
        };
        Self::new(403, "Forbidden", format!("{subject} is forbidden: {why}")).about(kind, name)
    }

    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(400, "BadRequest", message)
    }

    pub(crate) fn invalid(kind: &Kind, name: &str, causes: &[Cause]) -> Self {
        Self::unfit(&kind.group, &kind.kind, name, causes)
    }

    /// The options of a request are wrong, not its object.
    pub(crate) fn bad_options(kind: &str, causes: &[Cause]) -> Self {
        Self::unfit("meta.k8s.io", kind, "", causes)
    }

    /// Something of a group and a kind has faults.
    pub(crate) fn unfit(group: &str, kind: &str, name: &str, causes: &[Cause]) -> Self {
        let mut texts: Vec<String> = Vec::new();
        for cause in causes {
            let text = format!("{}: {}", cause.field, cause.message);
            if !texts.contains(&text) {
                texts.push(text);
            }
        }
        let texts = match texts.as_slice() {
            [one] => one.clone(),
            many => format!("[{}]", many.join(", ")),
        };
        let dot = if group.is_empty() { "" } else { "." };
        let message = format!("{kind}{dot}{group} \"{name}\" is invalid: {texts}");
        let mut failure = Self::new(422, "Invalid", message);
        let cause = |cause: &Cause| json!({"reason": cause.reason, "message": cause.message, "field": cause.field});
        let causes: Vec<Value> = causes.iter().map(cause).collect();
        failure.details = json!({"causes": causes});
        for (field, text) in [("group", group), ("kind", kind), ("name", name)] {
            if !text.is_empty() {
                failure.details[field] = text.into();
            }
        }
        failure
    }

    pub(crate) fn expired(message: &str) -> Self {
        Self::new(410, "Expired", message)
    }

    pub(crate) fn method_not_allowed() -> Self {
        let words = "the server does not allow this method on the requested resource";
        let mut failure = Self::new(405, "MethodNotAllowed", words);
        failure.details = json!({});
        failure
    }

    /// The client takes no form of the answer that there is.
    pub(crate) fn not_acceptable(takes_json: bool) -> Self {
        let words = if takes_json {
            "only the following media types are accepted: application/json"
        } else {
            "406: Not Acceptable\n\nAvailable representations: application/json"
        };
        Self::new(406, "NotAcceptable", words)
    }

    /// A kind that the sandbox does not simulate: not found, as of a server that does not serve it, so
    /// that clients go on without it.
    pub(crate) fn not_served(what: &str) -> Self {
        let words = format!("the sandbox does not simulate {what}");
        Self::new(404, "NotFound", words)
    }

    /// A feature that the sandbox does not simulate.
    pub(crate) fn not_simulated(what: &str) -> Self {
        Self::new(
            501,
            "NotImplemented",
            format!("the sandbox does not simulate {what}"),
        )
    }

    pub(crate) fn too_many_requests(seconds: u32) -> Self {
        let mut failure = Self::new(
            429,
            "TooManyRequests",
            "Too many requests, please try again later.",
        );
        failure.details = json!({"retryAfterSeconds": seconds});
        failure.retry_after = Some(seconds);
        failure
    }

    /// The `Status` object.
    pub(crate) fn status(&self) -> Value {
        let mut status = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": self.message, "code": self.code,
        });
        if !self.reason.is_empty() {
            status["reason"] = self.reason.into();
        }
        if !self.details.is_null() {
            status["details"] = self.details.clone();
        }
        if let Some(token) = &self.continues {
            status["metadata"]["continue"] = token.as_str().into();
        }
        status
    }
}

impl From<Failure> for Response {
    fn from(failure: Failure) -> Self {
        let mut response = Self::json(failure.code, &failure.status());
        if let Some(seconds) = failure.retry_after {
            response
                .headers
                .push(("Retry-After".to_owned(), seconds.to_string()));
        }
        response
    }
}
