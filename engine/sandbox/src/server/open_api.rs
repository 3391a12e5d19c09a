//! As much of `/openapi/v3` as kubectl needs to apply and to explain.

use serde_json::{Value, json};

use super::Server;
use super::schemas::schemas;
use crate::failure::Failure;
use crate::kinds::Kind;
use crate::request::Response;

impl Server {
    pub(super) fn open_api_index(&self) -> Response {
        let mut paths = serde_json::Map::new();
        for group in std::iter::once(String::new()).chain(self.groups()) {
            for version in self.versions(&group) {
                let path = path(&group, &version);
                let url = format!("/openapi/v3/{path}");
                paths.insert(path, json!({"serverRelativeURL": url}));
            }
        }
        Response::json(200, &json!({"paths": paths}))
    }

    pub(super) fn open_api(&self, group: &str, version: &str) -> Result<Response, Failure> {
        let of = |kind: &&Kind| kind.group == group && kind.version == version;
        let kinds: Vec<&Kind> = self.kinds.all().map(|kind| &**kind).filter(of).collect();
        let paths: serde_json::Map<String, Value> = kinds.iter().map(|kind| entry(kind)).collect();
        if paths.is_empty() {
            return Err(Failure::no_such_path());
        }
        Ok(Response::json(
            200,
            &json!({
                "openapi": "3.0.0", "info": {"title": "Kubernetes", "version": berth_openapi::facts().version()},
                "paths": paths,
                "components": {"schemas": schemas(kinds.into_iter())},
            }),
        ))
    }
}

fn path(group: &str, version: &str) -> String {
    if group.is_empty() {
        format!("api/{version}")
    } else {
        format!("apis/{group}/{version}")
    }
}

/// The path of an object: its patch says that the server validates fields.
fn entry(kind: &Kind) -> (String, Value) {
    let namespace = if kind.namespaced {
        "namespaces/{namespace}/"
    } else {
        ""
    };
    let path = format!(
        "/{}/{namespace}{}/{{name}}",
        path(&kind.group, &kind.version),
        kind.plural
    );
    let parameter = |name: &str| json!({"name": name, "in": "query", "schema": {"type": "string", "uniqueItems": true}});
    let parameters: Vec<Value> = ["dryRun", "fieldManager", "fieldValidation", "force"]
        .map(parameter)
        .to_vec();
    let operation = json!({
        "patch": {
            "x-kubernetes-action": "patch",
            "x-kubernetes-group-version-kind": {"group": kind.group, "version": kind.version, "kind": kind.kind},
            "parameters": parameters,
            "responses": {"200": {"description": "OK"}},
        },
    });
    (path, operation)
}
