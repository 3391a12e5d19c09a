//! What of an object a write may touch.

use serde_json::{Value, json};

use super::Call;
use crate::cause::Cause;
use crate::failure::Failure;
use crate::kinds::Kind;
use crate::object::{self, at, copy, name, remove, set, text, uid};

/// Which part of an object a write may touch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// All but the status, if that is written apart.
    Main,
    /// The status.
    Status,
    /// A namespace's finalizers.
    Finalizers,
}

impl Part {
    pub(super) fn of(call: &Call) -> Self {
        match call.subresource.as_deref() {
            Some("status") => Self::Status,
            Some("finalize") => Self::Finalizers,
            _ => Self::Main,
        }
    }
}

/// The uid and the resource version that the client believes in.
pub(super) fn preconditions(call: &Call, old: &Value, new: &Value) -> Result<(), Failure> {
    let kind = &call.kind;
    let version = |object| text(object, &["metadata", "resourceVersion"]).to_owned();
    if !uid(new).is_empty() && uid(new) != uid(old) {
        if call.verb == "patch" {
            let cause = Cause::invalid("metadata.uid", &uid(new).into(), "field is immutable");
            return Err(Failure::invalid(kind, name(old), &[cause]));
        }
        return Err(other_uid(kind, old, uid(new)));
    }
    if version(new).is_empty() && !kind.replaces_blindly() {
        let detail = "must be specified for an update";
        let cause = Cause::invalid("metadata.resourceVersion", &0.into(), detail);
        return Err(Failure::unfit(
            &kind.group,
            &kind.plural,
            name(old),
            &[cause],
        ));
    }
    if !version(new).is_empty() && version(new) != version(old) {
        return Err(Failure::stale(kind, name(old)));
    }
    Ok(())
}

/// The client believes in an object of another uid.
pub(super) fn other_uid(kind: &Kind, object: &Value, wanted: &str) -> Failure {
    let why = format!(
        "StorageError: invalid object, Code: 4, Key: /registry/{}/{}/{}, ResourceVersion: 0, AdditionalErrorMsg: \
         Precondition failed: UID in precondition: {wanted}, UID in object meta: {}",
        kind.plural,
        object::namespace(object),
        name(object),
        uid(object)
    );
    Failure::conflict(kind, name(object), &why)
}

/// Takes from the old form what this write may not touch.
pub(super) fn restrict(kind: &Kind, part: Part, old: &Value, new: &mut Value) {
    match part {
        Part::Main if kind.has_status() => copy(old, new, &["status"]),
        Part::Main => {}
        Part::Status => {
            let (status, meta) = (new["status"].take(), new["metadata"].take());
            *new = old.clone();
            set(new, &["status"], status);
            if kind.custom.is_none() {
                set(new, &["metadata"], meta);
                copy(old, new, &["metadata", "ownerReferences"]);
                copy(old, new, &["metadata", "finalizers"]);
            } else if let Some(managed) = at(&meta, &["managedFields"]) {
                set(new, &["metadata", "managedFields"], managed.clone());
            }
        }
        Part::Finalizers => {
            let wanted = at(new, &["spec", "finalizers"])
                .cloned()
                .unwrap_or_else(|| json!([]));
            *new = old.clone();
            set(new, &["spec", "finalizers"], wanted);
        }
    }
}

/// Takes from the old form what no write may touch.
pub(super) fn keep_identity(old: &Value, new: &mut Value) {
    for field in [
        "name",
        "namespace",
        "uid",
        "creationTimestamp",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "generation",
        "resourceVersion",
        "generateName",
    ] {
        copy(old, new, &["metadata", field]);
    }
    copy(old, new, &["apiVersion"]);
    copy(old, new, &["kind"]);
}

/// Whether two forms differ at most in metadata and status.
pub(super) fn same_intent(old: &Value, new: &Value) -> bool {
    let bare = |object: &Value| {
        let mut object = object.clone();
        drop(remove(&mut object, &["metadata"]));
        drop(remove(&mut object, &["status"]));
        object
    };
    bare(old) == bare(new)
}
