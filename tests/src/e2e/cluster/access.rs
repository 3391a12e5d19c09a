//! Berth's account on the real control plane: exactly the rights that the reference lists.

use std::time::Duration;

use berth_cluster::rbac::{self, Scope};
use serde_json::{Value, json};

use super::real::Admin;
use crate::controlplane::ControlPlane;
use crate::e2e::names::Names;

/// The name of the account.
const ACCOUNT: &str = "berth";

/// Something that Berth may do.
#[derive(Debug, Clone)]
pub struct Right {
    /// `create`, `list`, ...; `*` for all.
    pub verb: &'static str,
    /// Empty for the core group.
    pub group: &'static str,
    /// `pods`, `leases`.
    pub resource: &'static str,
    /// The namespace of the role that grants it, none for the role of the cluster; or any role.
    pub within: Option<Option<String>>,
}

/// To create pods; every stage has it once its roles are in force.
pub const CREATE_PODS: Right = Right {
    verb: "create",
    group: "",
    resource: "pods",
    within: None,
};

/// The account and its roles.
#[derive(Debug, Clone)]
pub(super) struct Access {
    names: Names,
    token: String,
    /// Path and body, as the reference has them.
    roles: Vec<(String, Value)>,
}

impl Access {
    /// Makes the account and grants the rights, in the queue's namespace and its own only.
    pub(super) async fn grant(admin: &Admin, names: &Names) -> Self {
        let (own, queue) = (names.own(), names.queue());
        let accounts = format!("/api/v1/namespaces/{own}/serviceaccounts");
        let account = json!({"metadata": {"name": ACCOUNT}});
        admin.must("POST", &accounts, &account).await;
        let mut roles = Vec::new();
        for mut manifest in rbac::manifests(&own, ACCOUNT, Scope::Namespaces(&[&queue])) {
            let kind = manifest["kind"].as_str().unwrap().to_lowercase();
            // Many stages share the cluster.
            if kind.starts_with("cluster") {
                manifest["metadata"]["name"] = json!(own);
            }
            if kind == "clusterrolebinding" {
                manifest["roleRef"]["name"] = json!(own);
            }
            let path = path(&manifest, &kind);
            admin.must("POST", &path, &manifest).await;
            if !kind.ends_with("binding") {
                let name = manifest["metadata"]["name"].as_str().unwrap();
                roles.push((format!("{path}/{name}"), manifest));
            }
        }
        let wanted = json!({"spec": {"expirationSeconds": 7200}});
        let path = format!("{accounts}/{ACCOUNT}/token");
        let answer = admin.must("POST", &path, &wanted).await;
        let token = answer["status"]["token"].as_str().unwrap().to_owned();
        let access = Self {
            names: names.clone(),
            token,
            roles,
        };
        access.until_may(admin, &CREATE_PODS, true).await;
        access
    }

    /// The kubeconfig of the account.
    pub(super) fn kubeconfig(&self, plane: &ControlPlane) -> String {
        let text = std::fs::read_to_string(plane.kubeconfig()).unwrap();
        let (before, rest) = text.split_once("user: {token: ").unwrap();
        let (_, after) = rest.split_once('}').unwrap();
        format!("{before}user: {{token: {}}}{after}", self.token)
    }

    /// Takes a right away.
    pub(super) async fn deny(&self, admin: &Admin, right: &Right) {
        for (path, role) in &self.roles {
            let within = role["metadata"]["namespace"].as_str();
            if right
                .within
                .as_ref()
                .is_some_and(|only| only.as_deref() != within)
            {
                continue;
            }
            let mut role = role.clone();
            for rule in role["rules"].as_array_mut().unwrap() {
                if rule["resources"][0] == right.resource {
                    let verbs = rule["verbs"].as_array_mut().unwrap();
                    verbs.retain(|verb| right.verb != "*" && right.verb != *verb);
                }
            }
            let rules = role["rules"].as_array_mut().unwrap();
            rules.retain(|rule| rule["verbs"] != json!([]));
            admin.must("PUT", path, &role).await;
        }
        self.until_may(admin, right, false).await;
    }

    /// Gives everything back.
    pub(super) async fn allow_all(&self, admin: &Admin) {
        for (path, role) in &self.roles {
            admin.must("PUT", path, role).await;
        }
        self.until_may(admin, &CREATE_PODS, true).await;
    }

    /// The server takes a moment to learn of its own roles.
    async fn until_may(&self, admin: &Admin, right: &Right, may: bool) {
        let user = format!("system:serviceaccount:{}:{ACCOUNT}", self.names.own());
        let namespace = match &right.within {
            Some(within) => within.clone().unwrap_or_default(),
            None => self.names.queue(),
        };
        let name = if right.resource == "namespaces" {
            "kube-system"
        } else {
            ""
        };
        // One verb of a rule stands for all: they are granted together.
        let verb = match (right.verb, right.resource) {
            ("*", "events" | "leases") => "create",
            ("*", _) => "get",
            (verb, _) => verb,
        };
        let review = json!({"spec": {"user": user, "resourceAttributes": {
            "namespace": namespace, "verb": verb, "resource": right.resource, "group": right.group,
            "name": name,
        }}});
        let path = "/apis/authorization.k8s.io/v1/subjectaccessreviews";
        while admin.must("POST", path, &review).await["status"]["allowed"] != may {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

fn path(manifest: &Value, kind: &str) -> String {
    let group = "/apis/rbac.authorization.k8s.io/v1";
    match manifest["metadata"]["namespace"].as_str() {
        Some(namespace) => format!("{group}/namespaces/{namespace}/{kind}s"),
        None => format!("{group}/{kind}s"),
    }
}
