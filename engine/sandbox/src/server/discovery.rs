//! What the server says of itself: versions, groups, resources.

use std::collections::BTreeSet;

use berth_openapi::facts;
use serde_json::{Value, json};

use super::Server;
use crate::failure::Failure;
use crate::kinds::Kind;
use crate::request::{Request, Response};

const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";

impl Server {
    /// Answers the paths that name no resource; `None` for all others.
    pub(super) fn fixed(&self, request: &Request) -> Option<Result<Response, Failure>> {
        let path = request.path.trim_matches('/');
        let parts: Vec<&str> = path.split('/').collect();
        let answer = match parts.as_slice() {
            ["livez" | "readyz" | "healthz"] => Response::of(200, "text/plain", b"ok".to_vec()),
            ["version"] => Response::json(200, &version()),
            ["api" | "apis"] if request.accept.contains("as=APIGroupDiscoveryList") => {
                self.aggregated(path == "api")
            }
            ["api"] => Response::json(
                200,
                &json!({
                    "kind": "APIVersions", "versions": ["v1"],
                    "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": "127.0.0.1"}],
                }),
            ),
            ["apis"] => {
                let groups: Vec<Value> = self
                    .groups()
                    .iter()
                    .map(|group| self.group(group))
                    .collect();
                Response::json(
                    200,
                    &json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}),
                )
            }
            ["api", version] => return Some(self.resources("", version)),
            ["apis", group] => return Some(self.one_group(group)),
            ["apis", group, version] => return Some(self.resources(group, version)),
            ["openapi", "v3"] => self.open_api_index(),
            ["openapi", "v3", "api", version] => return Some(self.open_api("", version)),
            ["openapi", "v3", "apis", group, version] => {
                return Some(self.open_api(group, version));
            }
            _ => return None,
        };
        Some(Ok(answer))
    }

    /// The groups beside the core, in the real server's order, users' last.
    pub(super) fn groups(&self) -> Vec<String> {
        let mut groups: Vec<String> = Vec::new();
        for kind in self.kinds.all() {
            if !kind.group.is_empty() && !groups.contains(&kind.group) {
                groups.push(kind.group.clone());
            }
        }
        groups
    }

    /// The versions of a group, the newest first.
    pub(super) fn versions(&self, group: &str) -> Vec<String> {
        let kinds = self.kinds.all().filter(|kind| kind.group == group);
        let versions: BTreeSet<&str> = kinds.map(|kind| kind.version.as_str()).collect();
        let mut versions: Vec<String> = versions.into_iter().map(str::to_owned).collect();
        versions.sort_by_key(|version| (version.contains("alpha"), version.contains("beta")));
        versions
    }

    fn group(&self, group: &str) -> Value {
        let version = |version: &String| json!({"groupVersion": format!("{group}/{version}"), "version": version});
        let versions: Vec<Value> = self.versions(group).iter().map(version).collect();
        json!({"name": group, "versions": versions, "preferredVersion": versions.first()})
    }

    fn one_group(&self, group: &str) -> Result<Response, Failure> {
        if self.versions(group).is_empty() {
            return Err(Failure::no_such_path());
        }
        let mut answer = self.group(group);
        answer["kind"] = "APIGroup".into();
        answer["apiVersion"] = "v1".into();
        Ok(Response::json(200, &answer))
    }

    fn resources(&self, group: &str, version: &str) -> Result<Response, Failure> {
        let kinds = self
            .kinds
            .all()
            .filter(|kind| kind.group == group && kind.version == version);
        let resources: Vec<Value> = kinds.flat_map(|kind| resource_and_below(kind)).collect();
        if resources.is_empty() {
            return Err(Failure::no_such_path());
        }
        let group_version = if group.is_empty() {
            version.to_owned()
        } else {
            format!("{group}/{version}")
        };
        Ok(Response::json(
            200,
            &json!({
                "kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": resources,
            }),
        ))
    }

    fn aggregated(&self, core: bool) -> Response {
        let groups = if core {
            vec![String::new()]
        } else {
            self.groups()
        };
        let items: Vec<Value> = groups
            .iter()
            .map(|group| self.aggregated_group(group))
            .collect();
        let list = json!({
            "kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {}, "items": items,
        });
        Response::of(200, AGGREGATED, list.to_string().into_bytes())
    }

    fn aggregated_group(&self, group: &str) -> Value {
        let version = |version: String| {
            let kinds = self
                .kinds
                .all()
                .filter(|kind| kind.group == group && kind.version == version);
            let resources: Vec<Value> = kinds.map(|kind| aggregated_resource(kind)).collect();
            json!({"version": version, "resources": resources, "freshness": "Current"})
        };
        let versions: Vec<Value> = self.versions(group).into_iter().map(version).collect();
        let mut meta = json!({"creationTimestamp": null});
        if !group.is_empty() {
            meta["name"] = group.into();
        }
        json!({"metadata": meta, "versions": versions})
    }
}

fn version() -> Value {
    let version = facts().version();
    let mut numbers = version.trim_start_matches('v').split('.');
    json!({
        "major": numbers.next(), "minor": numbers.next(), "gitVersion": format!("{version}+berth-sandbox"),
        "gitCommit": "", "gitTreeState": "clean", "buildDate": "2026-01-01T00:00:00Z", "goVersion": "none",
        "compiler": "none", "platform": "linux/amd64",
    })
}

fn resource_and_below(kind: &Kind) -> Vec<Value> {
    let mut resource = json!({
        "name": kind.plural, "singularName": kind.singular, "namespaced": kind.namespaced, "kind": kind.kind,
        "verbs": kind.verbs,
    });
    if !kind.short_names.is_empty() {
        resource["shortNames"] = kind.short_names.clone().into();
    }
    if !kind.categories.is_empty() {
        resource["categories"] = kind.categories.clone().into();
    }
    let below = kind.subresources.iter().map(|below| {
        let mut entry = json!({
            "name": format!("{}/{}", kind.plural, below.name), "singularName": "", "namespaced": kind.namespaced,
            "kind": below.kind, "verbs": below.verbs,
        });
        if below.group != kind.group {
            entry["group"] = below.group.as_str().into();
            entry["version"] = below.version.as_str().into();
        }
        entry
    });
    std::iter::once(resource).chain(below).collect()
}

fn aggregated_resource(kind: &Kind) -> Value {
    let below = kind.subresources.iter().map(|below| {
        json!({
            "subresource": below.name, "verbs": below.verbs,
            "responseKind": {"group": below.group, "version": below.version, "kind": below.kind},
        })
    });
    let mut resource = json!({
        "resource": kind.plural, "singularResource": kind.singular, "verbs": kind.verbs,
        "scope": if kind.namespaced { "Namespaced" } else { "Cluster" },
        "responseKind": {"group": kind.group, "version": kind.version, "kind": kind.kind},
        "subresources": below.collect::<Vec<_>>(),
    });
    if !kind.short_names.is_empty() {
        resource["shortNames"] = kind.short_names.clone().into();
    }
    if !kind.categories.is_empty() {
        resource["categories"] = kind.categories.clone().into();
    }
    resource
}
