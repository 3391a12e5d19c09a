//! The one place where the server meets `apply`: patches, strict fields, managed fields.

use berth_openapi::facts;
use serde_json::{Value, json};

use super::body::{answer, expect_kind, expect_place};
use super::render::shown;
use super::write::Author;
use super::{Call, Server};
use crate::apply::{self, ApplyError, PatchError, PatchKind, Write};
use crate::cause::Cause;
use crate::clock;
use crate::failure::Failure;
use crate::kinds::event;
use crate::object::{name, uid};
use crate::request::Response;

const APPLY: &str = "application/apply-patch+yaml";
const JSON: &str = "application/json-patch+json";
const MERGE: &str = "application/merge-patch+json";
const STRATEGIC: &str = "application/strategic-merge-patch+json";

impl Server {
    pub(super) fn patch(&mut self, call: &Call) -> Result<Response, Failure> {
        let kind = match media(call) {
            APPLY => return self.apply(call),
            JSON => PatchKind::Json,
            MERGE => PatchKind::Merge,
            STRATEGIC if call.kind.custom.is_none() => PatchKind::Strategic,
            other => return Err(unsupported(call, other)),
        };
        let old = self.existing(call)?;
        let (new, warnings) = patched(call, kind, &old)?;
        expect_place(call, &new)?;
        let object = self.replace(call, &old, new, Author::Writer)?;
        Ok(answer(call, 200, &object, warnings))
    }

    /// Server-side apply.
    fn apply(&mut self, call: &Call) -> Result<Response, Failure> {
        let mut applied: Value = serde_json::from_slice(&call.request.body)
            .map_err(|error| Failure::bad_request(format!("error decoding YAML: {error}")))?;
        check_target(call, &applied)?;
        expect_kind(call, &mut applied)?;
        let force = call.request.flag("force");
        let old = self.store.get(&call.key()).cloned();
        if old.is_none() && !uid(&applied).is_empty() {
            let why = format!(
                "uid mismatch: the provided object specified uid {}, and no existing object was found",
                uid(&applied)
            );
            return Err(Failure::conflict(&call.kind, name(&applied), &why));
        }
        let now = clock::seconds(self.now_ms);
        let live = old.as_ref().map(|old| shown(&call.kind, old));
        let made = apply::apply(&write(call, &now), live.as_ref(), &applied, force);
        let mut made = made.map_err(|error| refused(&error))?;
        keep(call, &mut made);
        let (status, object) = match old {
            Some(old) => (200, self.replace(call, &old, made, Author::Applier)?),
            None if call.subresource.is_some() => {
                return Err(Failure::not_found(&call.kind, name(&made)));
            }
            None => (201, self.insert(call, made, Author::Applier)?),
        };
        Ok(answer(call, status, &object, Vec::new()))
    }
}

/// The body as an object in the form in which it is kept, with warnings of what is unknown in it.
pub(super) fn decode(call: &Call) -> Result<(Value, Vec<String>), Failure> {
    if !matches!(media(call), "" | "application/json") {
        return Err(unsupported(call, media(call)));
    }
    let read = apply::decode(&call.request.body, &call.kind.shape);
    let read = read.map_err(|error| unfit(call, &error.to_string()))?;
    let mut object = read.value;
    expect_kind(call, &mut object)?;
    if is_strict(call)
        && let Some(words) = apply::strict_error(&read.findings)
    {
        return Err(unfit(call, &words));
    }
    check_types(call, &object)?;
    apply::normalize(&mut object, &call.kind.shape);
    keep(call, &mut object);
    Ok((object, warnings(call, read.findings)))
}

fn patched(call: &Call, kind: PatchKind, old: &Value) -> Result<(Value, Vec<String>), Failure> {
    let shape = &call.kind.shape;
    let body: Value = serde_json::from_slice(&call.request.body)
        .map_err(|error| Failure::bad_request(format!("error decoding patch: {error}")))?;
    let made = apply::patch(kind, &shown(&call.kind, old), &body, shape);
    let mut object = made.map_err(|error| unpatched(&error))?;
    let findings = apply::unknown_fields(&object, shape);
    if is_strict(call)
        && let Some(words) = apply::strict_error(&findings)
    {
        let value = match kind {
            PatchKind::Strategic => apply::go_text(&body),
            PatchKind::Json | PatchKind::Merge => object.to_string(),
        };
        let cause = Cause::invalid("patch", &value.into(), &words);
        return Err(Failure::unfit("", "", "", &[cause]));
    }
    check_types(call, &object)?;
    apply::normalize(&mut object, shape);
    keep(call, &mut object);
    Ok((object, warnings(call, findings)))
}

fn unpatched(error: &PatchError) -> Failure {
    let reason = match error {
        PatchError::Undecodable(_) => "BadRequest",
        PatchError::Unfit(_) => "Invalid",
        PatchError::Malformed(_) => "",
    };
    let mut failure = Failure::new(error.status(), reason, error.to_string());
    if matches!(error, PatchError::Unfit(_)) {
        failure.details = json!({});
    }
    failure
}

/// Notes whose fields these are after a create, a replacement or a patch.
pub(super) fn own(call: &Call, old: Option<&Value>, new: Value, now_ms: i64) -> Value {
    let now = clock::seconds(now_ms);
    if call.kind.group != "events.k8s.io" {
        return apply::update(&write(call, &now), old, new);
    }
    let old = old.map(|old| shown(&call.kind, old));
    let new = shown(&call.kind, &new);
    let mut owned = apply::update(&write(call, &now), old.as_ref(), new);
    event::to_core(&mut owned);
    owned
}

/// What `apply` needs to know of a call.
fn write<'a>(call: &'a Call, now: &'a str) -> Write<'a> {
    Write {
        shape: &call.kind.shape,
        manager: call.manager(),
        api_version: &call.api_version,
        subresource: call.subresource.as_deref(),
        now,
    }
}

/// Brings an object into the form in which it is kept.
fn keep(call: &Call, object: &mut Value) {
    if call.kind.group == "events.k8s.io" {
        event::to_core(object);
    }
}

/// Refuses values of a wrong type.
fn check_types(call: &Call, object: &Value) -> Result<(), Failure> {
    let kind = &call.kind;
    let words = match &kind.custom {
        // The rest is for the schema to judge.
        Some(_) => facts()
            .step(&kind.shape, "metadata")
            .and_then(|shape| apply::mismatch(&object["metadata"], shape, "ObjectMeta")),
        None => apply::mismatch(object, &kind.shape, &kind.kind),
    };
    match words {
        Some(words) => Err(unfit(call, &words)),
        None => Ok(()),
    }
}

fn is_strict(call: &Call) -> bool {
    call.request.param("fieldValidation") == Some("Strict")
}

fn warnings(call: &Call, findings: Vec<String>) -> Vec<String> {
    match call.request.param("fieldValidation") {
        Some("Ignore") => Vec::new(),
        _ => findings,
    }
}

fn unfit(call: &Call, words: &str) -> Failure {
    let (kind, version) = (&call.kind.kind, &call.kind.version);
    Failure::bad_request(format!(
        "{kind} in version \"{version}\" cannot be handled as a {kind}: {words}"
    ))
}

fn refused(error: &ApplyError) -> Failure {
    let message = error.to_string();
    match error {
        ApplyError::Conflicts(conflicts) => {
            let mut failure = Failure::new(409, "Conflict", message);
            failure.details = json!({"causes": conflicts.causes()});
            failure
        }
        ApplyError::ManagedFields => Failure::bad_request(message),
        ApplyError::Mistyped(_) => Failure::new(500, "", message),
    }
}

/// An apply names its kind itself, and the name in it is the one in the path.
fn check_target(call: &Call, applied: &Value) -> Result<(), Failure> {
    if applied.get("apiVersion").is_none() || applied.get("kind").is_none() {
        return Err(Failure::bad_request("invalid object type: /, Kind="));
    }
    if name(applied).is_empty() {
        return Ok(());
    }
    expect_place(call, applied)
}

fn media<'a>(call: &'a Call) -> &'a str {
    let media = call.request.content_type.split(';').next();
    media.unwrap_or_default().trim()
}

fn unsupported(call: &Call, media: &str) -> Failure {
    let message = match media {
        super::protobuf::MEDIA => {
            "the sandbox reads JSON, not protobuf; with kubectl, use \
             `create --dry-run=client -o yaml | kubectl apply -f -`"
        }
        STRATEGIC if call.kind.custom.is_some() => {
            "the body of the request was in an unknown format - accepted media types include: \
             application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml"
        }
        "application/yaml" if call.verb != "patch" => "the sandbox reads JSON, not YAML",
        _ if call.verb == "patch" => "415: Unsupported Media Type",
        _ => {
            "the body of the request was in an unknown format - accepted media types include: \
             application/json, application/yaml, application/vnd.kubernetes.protobuf"
        }
    };
    let mut failure = Failure::new(415, "UnsupportedMediaType", message);
    if call.verb == "patch" && call.kind.custom.is_none() {
        failure.details = json!({});
    }
    failure
}
