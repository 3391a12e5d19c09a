//! Effects as requests.

use berth_core::ids::{ObjectKey, ResourceVersion, Timestamp, Uid};
use berth_core::observed::marks::FINALIZER;
use berth_core::reconciler::{Effect, What};
use http::Request;
use serde_json::{Value, json};

use super::url::{Url, encode};
use super::{Caller, FIELD_MANAGER, keep};

const JSON: &str = "application/json";
/// The body is JSON, which is YAML.
const APPLY: &str = "application/apply-patch+yaml";
const STRATEGIC: &str = "application/strategic-merge-patch+json";

/// Why an effect is no call to the cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotACall {
    /// `Record` and `Reload` concern the status branch.
    #[error("this effect concerns the status branch, not the cluster")]
    Git,
    /// The parts do not make a request; with names that Kubernetes accepts this cannot happen.
    #[error("the names in this effect do not make a URL")]
    Url,
}

/// The first request of an effect. `now` only dates Events.
///
/// Which preconditions it carries:
/// - Create: none, the name is the lock.
/// - Apply: the uid in the body; the server answers 409 to another life or an absent object.
/// - Delete: uid and resourceVersion; background propagation.
/// - Release: see [`release`].
/// - Mark: the uid in the body, as for Apply.
/// - Keep: the resourceVersion, or a POST if there should be none yet.
pub fn request(
    caller: &Caller,
    now: Timestamp,
    effect: &Effect,
) -> Result<Request<Vec<u8>>, NotACall> {
    match &effect.what {
        What::Create { key, body, .. } => {
            let url = written(Url::collection(key.kind, &key.namespace));
            build("POST", url.with("fieldValidation", "Strict"), JSON, body)
        }
        What::Apply {
            key, body, dry_run, ..
        } => apply(key, body, *dry_run),
        What::Inspect { key, .. } => object_request(key),
        What::Delete { key, uid, version } => build(
            "DELETE",
            Url::object(key),
            JSON,
            &delete(Some(uid), *version),
        ),
        What::Release { key, uid, version } => release(key, uid, *version),
        What::Mark {
            key,
            uid,
            labels,
            annotations,
            finalizer,
        } => {
            let mut patch = json!({"metadata": {
                "uid": uid.0, "labels": labels, "annotations": annotations,
            }});
            if *finalizer {
                // Merged with those that are there (Kubernetes, `patchStrategy` of the field).
                patch["metadata"]["finalizers"] = json!([FINALIZER]);
            }
            build("PATCH", written(Url::object(key)), STRATEGIC, &patch)
        }
        What::Keep {
            name,
            data,
            version,
        } => keep::request(caller, name, data.as_ref(), *version),
        What::Tell { key, .. } => {
            let namespace = encode(&key.namespace);
            let path = format!("/apis/events.k8s.io/v1/namespaces/{namespace}/events");
            build(
                "POST",
                written(Url::at(path)),
                JSON,
                &event(caller, now, effect),
            )
        }
        What::Record { .. } | What::Reload => Err(NotACall::Git),
    }
}

/// Reads one object.
pub fn object_request(key: &ObjectKey) -> Result<Request<Vec<u8>>, NotACall> {
    read(Url::object(key))
}

/// A GET of one of Berth's own `ConfigMap`s.
pub fn config_map_request(namespace: &str, name: &str) -> Result<Request<Vec<u8>>, NotACall> {
    read(Url::config_map(namespace, name))
}

/// A GET of all `ConfigMap`s of Berth's in a namespace.
pub fn config_maps_request(namespace: &str) -> Result<Request<Vec<u8>>, NotACall> {
    read(Url::config_maps(namespace).with("labelSelector", "app.kubernetes.io/managed-by=berth"))
}

/// A GET.
pub(super) fn read(url: Url) -> Result<Request<Vec<u8>>, NotACall> {
    Request::get(url.into_string())
        .header(http::header::ACCEPT, JSON)
        .body(Vec::new())
        .map_err(|_| NotACall::Url)
}

/// A request with a JSON body of this media type.
pub(super) fn build(
    method: &str,
    url: Url,
    media: &str,
    body: &Value,
) -> Result<Request<Vec<u8>>, NotACall> {
    Request::builder()
        .method(method)
        .uri(url.into_string())
        .header(http::header::ACCEPT, JSON)
        .header(http::header::CONTENT_TYPE, media)
        .body(body.to_string().into_bytes())
        .map_err(|_| NotACall::Url)
}

/// In the name of our field manager.
pub(super) fn written(url: Url) -> Url {
    url.with("fieldManager", FIELD_MANAGER)
}

/// The body of a DELETE.
pub(super) fn delete(uid: Option<&Uid>, version: ResourceVersion) -> Value {
    let mut preconditions = json!({"resourceVersion": version.to_string()});
    if let Some(uid) = uid {
        preconditions["uid"] = json!(uid.0);
    }
    json!({
        "apiVersion": "v1",
        "kind": "DeleteOptions",
        "preconditions": preconditions,
        "propagationPolicy": "Background",
    })
}

fn apply(key: &ObjectKey, body: &Value, dry_run: bool) -> Result<Request<Vec<u8>>, NotACall> {
    let url = written(Url::object(key))
        .with("force", "true")
        .with("fieldValidation", "Strict");
    let url = if dry_run {
        url.with("dryRun", "All")
    } else {
        url
    };
    build("PATCH", url, APPLY, body)
}

/// Takes exactly our finalizer off, if uid and version are these.
///
/// A JSON patch removes by index, and a merge patch replaces the whole list: both need the list,
/// and neither says "this one and no other". A strategic merge patch does: `$deleteFromPrimitiveList`
/// names the values that go (kubectl sends the same; pods are built in, so the server knows the
/// patch strategy of the list), and nothing happens if it is gone already. The resourceVersion
/// makes the server answer 409 if anything changed since; versions are unique over all lives, so it
/// fences the uid too, which is immutable anyway.
fn release(
    key: &ObjectKey,
    uid: &Uid,
    version: ResourceVersion,
) -> Result<Request<Vec<u8>>, NotACall> {
    let patch = json!({"metadata": {
        "uid": uid.0,
        "resourceVersion": version.to_string(),
        "$deleteFromPrimitiveList/finalizers": [FINALIZER],
    }});
    build("PATCH", written(Url::object(key)), STRATEGIC, &patch)
}

/// An Event of `events.k8s.io/v1`. Its name holds the effect's id and the time, so that a repeated
/// call makes no second one. Lengths are the API's limits (reason 128, note 1024 bytes).
fn event(caller: &Caller, now: Timestamp, effect: &Effect) -> Value {
    let What::Tell {
        key,
        uid,
        warning,
        reason,
        note,
    } = &effect.what
    else {
        return Value::Null;
    };
    let subject = cut(&key.name, 200);
    let instant = u64::try_from(now.millis()).unwrap_or(0);
    let mut regarding = json!({
        "apiVersion": key.kind.api_version(),
        "kind": key.kind.kind(),
        "namespace": key.namespace,
        "name": key.name,
    });
    if let Some(uid) = uid {
        regarding["uid"] = json!(uid.0);
    }
    json!({
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {
            "name": format!("{subject}.{instant:x}.{:x}", effect.id.0),
            "namespace": key.namespace,
        },
        "eventTime": micro_time(now),
        "reportingController": "berth.dev/berth",
        "reportingInstance": cut(&format!("berth-{}", caller.instance), 128),
        "action": "Reconcile",
        "reason": cut(reason, 128),
        "note": cut(&super::redact(note), 1024),
        "type": if *warning { "Warning" } else { "Normal" },
        "regarding": regarding,
    })
}

/// As `MicroTime` is written.
pub(super) fn micro_time(at: Timestamp) -> String {
    let seconds = at.to_string();
    let millis = at.millis().rem_euclid(1000);
    format!("{}.{millis:03}000Z", seconds.trim_end_matches('Z'))
}

/// The first `most` bytes, not cutting a character.
pub(super) fn cut(text: &str, most: usize) -> &str {
    &text[..text.floor_char_boundary(most)]
}
