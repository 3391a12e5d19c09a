//! What Berth keeps in its own namespace, each in one ConfigMap: the anchor and the spill.

use std::collections::BTreeMap;

use berth_core::ids::ResourceVersion;
use berth_core::reconciler::Outcome;
use http::Request;
use serde_json::{Value, json};

use super::request::{build, delete, written};
use super::url::Url;
use super::{Answer, Caller, NotACall};

/// POST without a version, PUT with one, DELETE without data.
///
/// They do not carry the instance label: they are not objects of a unit, and the watch of our
/// objects should not see them.
pub(super) fn request(
    caller: &Caller,
    name: &str,
    data: Option<&BTreeMap<String, String>>,
    version: Option<ResourceVersion>,
) -> Result<Request<Vec<u8>>, NotACall> {
    const JSON: &str = "application/json";
    let namespace = &caller.namespace;
    let url = Url::config_map(namespace, name);
    match (data, version) {
        (None, version) => {
            let body = version.map_or_else(
                || json!({"apiVersion": "v1", "kind": "DeleteOptions"}),
                |version| delete(None, version),
            );
            build("DELETE", url, JSON, &body)
        }
        (Some(data), None) => {
            let url = written(Url::config_maps(namespace));
            build("POST", url, JSON, &body(namespace, name, data, None))
        }
        (Some(data), Some(version)) => build(
            "PUT",
            written(url),
            JSON,
            &body(namespace, name, data, Some(version)),
        ),
    }
}

fn body(
    namespace: &str,
    name: &str,
    data: &BTreeMap<String, String>,
    version: Option<ResourceVersion>,
) -> Value {
    let mut body = json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": {"app.kubernetes.io/managed-by": "berth"},
        },
        "data": data,
    });
    if let Some(version) = version {
        body["metadata"]["resourceVersion"] = json!(version.to_string());
    }
    body
}

/// The version of the ConfigMap in a successful answer.
pub(super) fn kept(answer: &Answer<'_>) -> Outcome {
    let version = serde_json::from_slice::<Value>(answer.body)
        .ok()
        .and_then(|body| {
            body.pointer("/metadata/resourceVersion")?
                .as_str()?
                .parse()
                .ok()
        });
    version.map_or_else(
        || Outcome::Unknown("the answer names no resource version".into()),
        Outcome::Kept,
    )
}
