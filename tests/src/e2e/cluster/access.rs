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

/// One verb of one rule of one role.
struct Grant<'a> {
    role: &'a Value,
    rule: &'a Value,
    verb: &'a str,
}

impl Access {
    /// Makes the account and grants the rights, in the queue's namespace and its own only.
    pub(super) async fn grant(admin: &Admin, names: &Names) -> Self {
        let (own, queue) = (names.own(), names.queue());
        let accounts = accounts(names);
        let account = json!({"metadata": {"name": ACCOUNT}});
        admin.must("POST", &accounts, &account).await;
        let mut access = Self {
            names: names.clone(),
            token: token(admin, names, json!({})).await,
            roles: Vec::new(),
        };
        let all = rbac::manifests(&own, ACCOUNT, Scope::Namespaces(&[&queue]));
        access.make(admin, all).await;
        access
    }

    /// Grants the rights of a queue's namespace in one more.
    pub(super) async fn grant_queue(&mut self, admin: &Admin, namespace: &str) {
        let own = self.names.own();
        let mut all = rbac::manifests(&own, ACCOUNT, Scope::Namespaces(&[namespace]));
        all.retain(|manifest| manifest["metadata"]["namespace"] == namespace);
        self.make(admin, all).await;
    }

    /// Grants the rights of Berth's own namespace in one more.
    pub(super) async fn grant_own(&mut self, admin: &Admin, namespace: &str) {
        let mut all = rbac::manifests(namespace, ACCOUNT, Scope::Namespaces(&[]));
        all.retain(|manifest| manifest["metadata"]["namespace"] == namespace);
        for manifest in &mut all {
            if let Some(subjects) = manifest["subjects"].as_array_mut() {
                subjects[0]["namespace"] = json!(self.names.own());
            }
        }
        self.make(admin, all).await;
    }

    /// Makes roles and bindings, and waits until they are in force.
    async fn make(&mut self, admin: &Admin, manifests: Vec<Value>) {
        let before = self.roles.len();
        for mut manifest in manifests {
            let kind = manifest["kind"].as_str().unwrap().to_lowercase();
            // Many stages share the cluster.
            if kind.starts_with("cluster") {
                manifest["metadata"]["name"] = json!(self.names.own());
            }
            if kind == "clusterrolebinding" {
                manifest["roleRef"]["name"] = json!(self.names.own());
            }
            let path = path(&manifest, &kind);
            admin.must("POST", &path, &manifest).await;
            if !kind.ends_with("binding") {
                let name = manifest["metadata"]["name"].as_str().unwrap();
                self.roles.push((format!("{path}/{name}"), manifest));
            }
        }
        self.until_granted(admin, &self.roles[before..]).await;
    }

    /// The kubeconfig of the account.
    pub(super) fn kubeconfig(&self, plane: &ControlPlane) -> String {
        let text = std::fs::read_to_string(plane.kubeconfig()).unwrap();
        let (before, rest) = text.split_once("user: {token: ").unwrap();
        let (_, after) = rest.split_once('}').unwrap();
        format!("{before}user: {{token: {}}}{after}", self.token)
    }

    /// Takes a right away. What another role grants too is still there.
    pub(super) async fn deny(&self, admin: &Admin, right: &Right) {
        let mut now = Vec::new();
        for (path, role) in &self.roles {
            let within = role["metadata"]["namespace"].as_str();
            let elsewhere = right.within.as_ref();
            if elsewhere.is_some_and(|only| only.as_deref() != within) {
                now.push(role.clone());
                continue;
            }
            let mut role = role.clone();
            for rule in role["rules"].as_array_mut().unwrap() {
                if rule["resources"][0] == right.resource && rule["apiGroups"][0] == right.group {
                    let verbs = rule["verbs"].as_array_mut().unwrap();
                    verbs.retain(|verb| right.verb != "*" && right.verb != *verb);
                }
            }
            let rules = role["rules"].as_array_mut().unwrap();
            rules.retain(|rule| rule["verbs"] != json!([]));
            admin.must("PUT", path, &role).await;
            now.push(role);
        }
        let left: Vec<Grant> = now.iter().flat_map(grants).collect();
        let taken = self.roles.iter().flat_map(|(_, role)| grants(role));
        for grant in taken.filter(|grant| !left.iter().any(|left| left.covers(grant))) {
            self.until_may(admin, &grant, false).await;
        }
    }

    /// Gives everything back.
    pub(super) async fn allow_all(&self, admin: &Admin) {
        for (path, role) in &self.roles {
            admin.must("PUT", path, role).await;
        }
        self.until_granted(admin, &self.roles).await;
    }

    async fn until_granted(&self, admin: &Admin, roles: &[(String, Value)]) {
        for grant in roles.iter().flat_map(|(_, role)| grants(role)) {
            self.until_may(admin, &grant, true).await;
        }
    }

    /// The server takes a moment to learn of its own roles, and tells nobody when it has.
    async fn until_may(&self, admin: &Admin, grant: &Grant<'_>, may: bool) {
        let user = format!("system:serviceaccount:{}:{ACCOUNT}", self.names.own());
        let review = json!({"spec": {"user": user, "resourceAttributes": {
            "namespace": grant.role["metadata"]["namespace"], "verb": grant.verb,
            "resource": grant.rule["resources"][0], "group": grant.rule["apiGroups"][0],
            "name": grant.rule["resourceNames"][0],
        }}});
        let path = "/apis/authorization.k8s.io/v1/subjectaccessreviews";
        while admin.must("POST", path, &review).await["status"]["allowed"] != may {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Grant<'_> {
    /// Whether who has this one has the other one, too.
    fn covers(&self, other: &Grant) -> bool {
        let within = &self.role["metadata"]["namespace"];
        let same = |field: &str| self.rule[field] == other.rule[field];
        self.verb == other.verb
            && ["apiGroups", "resources", "resourceNames"]
                .into_iter()
                .all(same)
            && (within.is_null() || *within == other.role["metadata"]["namespace"])
    }
}

/// All that a role grants.
fn grants(role: &Value) -> impl Iterator<Item = Grant<'_>> {
    let rules = role["rules"].as_array().into_iter().flatten();
    rules.flat_map(move |rule| {
        let verbs = rule["verbs"].as_array().into_iter().flatten();
        let verbs = verbs.filter_map(Value::as_str);
        verbs.map(move |verb| Grant { role, rule, verb })
    })
}

fn accounts(names: &Names) -> String {
    format!("/api/v1/namespaces/{}/serviceaccounts", names.own())
}

/// A token of the account, with this in its request.
pub(super) async fn token(admin: &Admin, names: &Names, mut wanted: Value) -> String {
    wanted["expirationSeconds"] = json!(7200);
    let path = format!("{}/{ACCOUNT}/token", accounts(names));
    let answer = admin.must("POST", &path, &json!({"spec": wanted})).await;
    answer["status"]["token"].as_str().unwrap().to_owned()
}

fn path(manifest: &Value, kind: &str) -> String {
    let group = "/apis/rbac.authorization.k8s.io/v1";
    match manifest["metadata"]["namespace"].as_str() {
        Some(namespace) => format!("{group}/namespaces/{namespace}/{kind}s"),
        None => format!("{group}/{kind}s"),
    }
}
