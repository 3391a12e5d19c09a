//! Bodies: what comes in and what goes out.

use berth_openapi::{Shape, facts};
use serde_json::{Value, json};

use super::Call;
use super::render::shown;
use crate::apply;
use crate::failure::Failure;
use crate::kinds::Kind;
use crate::object::{default, name, namespace, text};
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
    let kind = &call.kind;
    if !object.is_object() {
        return Err(Failure::bad_request(no_object(call, object)));
    }
    default(object, &["apiVersion"], call.api_version.as_str());
    default(object, &["kind"], kind.kind.as_str());
    default(object, &["metadata"], json!({}));
    let found = text(object, &["apiVersion"]);
    if found != call.api_version {
        let (found, wanted) = (found.to_owned(), &call.api_version);
        let named = text(object, &["kind"]);
        let message = if kind.custom.is_some() || is_known(&found, named) {
            format!(
                "the API version in the data ({found}) does not match the expected API version ({wanted})"
            )
        } else {
            unregistered(kind, &found, named)
        };
        return Err(Failure::bad_request(message));
    }
    let found = text(object, &["kind"]);
    if found != kind.kind {
        return Err(Failure::bad_request(other_kind(kind, found, object)));
    }
    Ok(())
}

/// Refuses an object that says of itself to be elsewhere than the path says.
pub(super) fn expect_place(call: &Call, object: &Value) -> Result<(), Failure> {
    let (given, path) = (name(object), call.name.as_deref().unwrap_or_default());
    let own = namespace(object);
    let elsewhere = |namespace: &String| !own.is_empty() && own != namespace;
    if call.namespace.as_ref().is_some_and(elsewhere) {
        return Err(misplaced());
    }
    if given.is_empty() {
        let message = format!(
            "the name of the object ({path} based on URL) was undeterminable: name must be provided"
        );
        return Err(Failure::bad_request(message));
    }
    if given != path {
        let message =
            format!("the name of the object ({given}) does not match the name on the URL ({path})");
        return Err(Failure::bad_request(message));
    }
    Ok(())
}

pub(super) fn misplaced() -> Failure {
    Failure::bad_request(
        "the namespace of the provided object does not match the namespace sent on the request",
    )
}

/// Whether the real server has such a kind.
fn is_known(api_version: &str, kind: &str) -> bool {
    let mut known = facts().resources().iter();
    known.any(|each| each.kind == kind && each.api_version() == api_version)
}

fn unregistered(kind: &Kind, api_version: &str, found: &str) -> String {
    // The words end with where its source makes its table of kinds.
    let version = api_version.rsplit('/').next().unwrap_or_default();
    format!(
        "{found} in version {version:?} cannot be handled as a {}: no kind {found:?} is registered for version \
         {api_version:?} in scheme \"pkg/runtime/scheme.go:110\"",
        kind.kind
    )
}

fn no_object(call: &Call, value: &Value) -> String {
    const SHOWN: usize = 30;
    let hex = |bytes: &[u8]| {
        let digits = bytes.iter().map(|byte| format!("{byte:02x}"));
        digits.collect::<Vec<_>>().concat()
    };
    let body = &call.request.body;
    let summary = match body.get(..SHOWN) {
        Some(first) => format!("{} ...", hex(first)),
        None => hex(body),
    };
    format!(
        "the object provided is unrecognized (must be of type {}): couldn't get version/kind; json parse error: json: \
         cannot unmarshal {} into Go value of type struct {{ APIVersion string \"json:\\\"apiVersion,omitempty\\\"\"; \
         Kind string \"json:\\\"kind,omitempty\\\"\" }} ({summary})",
        call.kind.kind,
        apply::json_name(value)
    )
}

fn other_kind(kind: &Kind, found: &str, object: &Value) -> String {
    let (wanted, version) = (&kind.kind, &kind.version);
    if kind.custom.is_some() {
        return format!(
            "the kind in the data ({found}) does not match the expected kind ({wanted})"
        );
    }
    // It is read as what it says to be before it is compared.
    let resources = facts().resources().iter();
    let mut same = resources.filter(|each| each.group == kind.group && each.kind == found);
    let Some(other) = same.next() else {
        return unregistered(kind, &kind.api_version(), found);
    };
    let shape = Shape::Ref(other.type_name.clone());
    if let Some(words) = apply::mismatch(object, &shape, found) {
        return format!(
            "{found} in version \"{version}\" cannot be handled as a {wanted}: {words}"
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
