//! Bodies: what comes in and what goes out.

use serde_json::{Value, json};

use super::Call;
use super::render::shown;
use crate::failure::Failure;
use crate::kinds::Kind;
use crate::object::{default, text};
use crate::request::Response;

/// The body as an object of the call's kind.
pub(super) fn body(call: &Call) -> Result<Value, Failure> {
    let mut object: Value = serde_json::from_slice(&call.request.body).map_err(|error| {
        Failure::bad_request(format!("the object provided is unrecognized: {error}"))
    })?;
    expect_kind(call, &mut object)?;
    Ok(object)
}

/// Fills in the kind that the path says, or refuses another one.
pub(super) fn expect_kind(call: &Call, object: &mut Value) -> Result<(), Failure> {
    if !object.is_object() {
        return Err(Failure::bad_request(
            "the object provided is unrecognized (must be of type Object)",
        ));
    }
    let kind = &call.kind;
    default(object, &["apiVersion"], call.api_version.as_str());
    default(object, &["kind"], kind.kind.as_str());
    default(object, &["metadata"], json!({}));
    let found = text(object, &["apiVersion"]);
    if found != call.api_version {
        let wanted = &call.api_version;
        let message = format!(
            "the API version in the data ({found}) does not match the expected API version ({wanted})"
        );
        return Err(Failure::bad_request(message));
    }
    let found = text(object, &["kind"]);
    if found != kind.kind {
        return Err(Failure::bad_request(other_kind(kind, found)));
    }
    Ok(())
}

fn other_kind(kind: &Kind, found: &str) -> String {
    let (wanted, version) = (&kind.kind, &kind.version);
    if kind.custom.is_some() {
        return format!(
            "the kind in the data ({found}) does not match the expected kind ({wanted})"
        );
    }
    let group = kind
        .group
        .split('.')
        .next()
        .filter(|group| !group.is_empty());
    let group = group.unwrap_or("core");
    format!(
        "{found} in version \"{version}\" cannot be handled as a {wanted}: \
         converting ({version}.{found}) to ({group}.{wanted}): unknown conversion"
    )
}

/// An answer with an object and the warnings that go with it.
pub(super) fn answer(call: &Call, status: u16, object: &Value, warnings: Vec<String>) -> Response {
    let mut response = Response::json(status, &shown(&call.kind, object));
    for warning in warnings {
        let text = format!(
            "299 - \"{}\"",
            warning.replace('\\', "\\\\").replace('"', "\\\"")
        );
        response.headers.push(("Warning".to_owned(), text));
    }
    response
}
