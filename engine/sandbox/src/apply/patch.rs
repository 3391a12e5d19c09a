//! The patches of an API server that are not server-side apply.

use berth_openapi::Shape;
use serde_json::Value;

use super::{go, strategic};

/// What Go calls a JSON object.
pub(super) const OBJECT: &str = "map[string]interface {}";

/// What kind of patch a body is; its media type says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PatchKind {
    /// `application/json-patch+json`
    Json,
    /// `application/merge-patch+json`
    Merge,
    /// `application/strategic-merge-patch+json`; the API server takes it for built-in types only.
    Strategic,
}

/// Why a patch gives no object; the message is the API server's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatchError {
    /// The body is no such patch: 400.
    #[error("{0}")]
    Undecodable(String),
    /// The patch does not fit the object: 422. The server does not say why; the text here does.
    #[error("the server rejected our request due to an error in our request")]
    Unfit(String),
    /// A strategic merge patch without a merge key, or with an unknown directive: 500.
    #[error("{0}")]
    Malformed(String),
}

impl PatchError {
    /// The HTTP status of the answer.
    pub fn status(&self) -> u16 {
        match self {
            Self::Undecodable(_) => 400,
            Self::Unfit(_) => 422,
            Self::Malformed(_) => 500,
        }
    }

    /// The body is a JSON value of the wrong kind.
    pub(super) fn no(go_type: &str, body: &Value) -> String {
        format!(
            "json: cannot unmarshal {} into Go value of type {go_type}",
            go::json_name(body)
        )
    }
}

/// The live object with the patch applied. Nulls that a patch leaves behind are the caller's, see
/// [`normalize`](super::normalize).
pub fn patch(
    kind: PatchKind,
    live: &Value,
    body: &Value,
    shape: &Shape,
) -> Result<Value, PatchError> {
    match kind {
        PatchKind::Json => json(live, body),
        PatchKind::Merge => merge(live, body),
        PatchKind::Strategic => strategic::merge(shape, live, body),
    }
}

fn json(live: &Value, body: &Value) -> Result<Value, PatchError> {
    if !body.is_array() {
        let words = PatchError::no("[]handlers.jsonPatchOp", body);
        return Err(PatchError::Undecodable(format!(
            "error decoding patch: {words}"
        )));
    }
    // An operation that is none is found when it is carried out.
    let mut body = body.clone();
    for operation in body.as_array_mut().into_iter().flatten() {
        lenient(operation);
    }
    let patch: json_patch::Patch =
        serde_json::from_value(body).map_err(|error| PatchError::Unfit(error.to_string()))?;
    let mut object = live.clone();
    json_patch::patch(&mut object, &patch).map_err(|error| PatchError::Unfit(error.to_string()))?;
    Ok(object)
}

/// A replacement of what is not in an object adds it: not what RFC 6902 says, but what the API
/// server does.
fn lenient(operation: &mut Value) {
    let path = operation["path"].as_str().unwrap_or_default();
    let last = path.rsplit('/').next().unwrap_or_default();
    let in_list = last.parse::<usize>().is_ok();
    if operation["op"] == "replace" && !in_list && !path.is_empty() {
        operation["op"] = "add".into();
    }
}

fn merge(live: &Value, body: &Value) -> Result<Value, PatchError> {
    if !body.is_object() {
        return Err(PatchError::Undecodable(
            "a merge patch is an object".to_owned(),
        ));
    }
    let mut object = live.clone();
    json_patch::merge(&mut object, body);
    Ok(object)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn patched(kind: PatchKind, body: &Value) -> Result<Value, PatchError> {
        patch(kind, &json!({"a": 1, "b": [1, 2]}), body, &Shape::Any)
    }

    #[test]
    fn json_patch() {
        let body = json!([{"op": "test", "path": "/a", "value": 1},
                          {"op": "replace", "path": "/b/0", "value": 9}]);
        assert_eq!(
            patched(PatchKind::Json, &body),
            Ok(json!({"a": 1, "b": [9, 2]}))
        );
        let absent = json!([{"op": "replace", "path": "/c", "value": 1}]);
        let added = patched(PatchKind::Json, &absent).unwrap();
        assert_eq!(added["c"], 1);
        let test = json!([{"op": "test", "path": "/a", "value": 2}]);
        assert!(matches!(
            patched(PatchKind::Json, &test),
            Err(PatchError::Unfit(_))
        ));
        assert!(matches!(
            patched(PatchKind::Json, &json!({})),
            Err(PatchError::Undecodable(_))
        ));
    }

    #[test]
    fn merge_patch() {
        let body = json!({"a": null, "b": [3]});
        assert_eq!(patched(PatchKind::Merge, &body), Ok(json!({"b": [3]})));
        assert!(matches!(
            patched(PatchKind::Merge, &json!([])),
            Err(PatchError::Undecodable(_))
        ));
    }
}
