//! The kinds that the sandbox serves: the real server's facts, and what they lack.

pub(crate) mod columns;
pub(crate) mod crd;
pub(crate) mod event;
pub(crate) mod pod;
pub(crate) mod rules;
pub(crate) mod service;

use std::ops::Deref;
use std::sync::Arc;

use berth_openapi::{Resource, Shape, facts};
use serde_json::Value;

/// The resources that are served; all others answer 404: what would only be kept (network policies,
/// ingresses, volumes, endpoints) is refused.
const SERVED: &[(&str, &[&str])] = &[
    (
        "",
        &[
            "configmaps",
            "events",
            "namespaces",
            "nodes",
            "persistentvolumeclaims",
            "pods",
            "resourcequotas",
            "secrets",
            "serviceaccounts",
            "services",
        ],
    ),
    ("events.k8s.io", &["events"]),
    ("scheduling.k8s.io", &["priorityclasses"]),
    ("coordination.k8s.io", &["leases"]),
    (
        "rbac.authorization.k8s.io",
        &[
            "roles",
            "rolebindings",
            "clusterroles",
            "clusterrolebindings",
        ],
    ),
    ("apiextensions.k8s.io", &["customresourcedefinitions"]),
    (
        "authorization.k8s.io",
        &["selfsubjectaccessreviews", "selfsubjectrulesreviews"],
    ),
    ("authentication.k8s.io", &["selfsubjectreviews"]),
    ("policy", &["poddisruptionbudgets"]),
];

/// Subresources that are not simulated, whatever the facts say.
const UNSERVED: &[&str] = &[
    "attach",
    "ephemeralcontainers",
    "exec",
    "portforward",
    "proxy",
    "resize",
    "token",
];

/// One kind in one version.
#[derive(Debug)]
pub(crate) struct Kind {
    facts: Resource,
    /// Where its objects are kept: `pods`, `leases.coordination.k8s.io`.
    pub(crate) storage: Arc<str>,
    /// The type of its objects.
    pub(crate) shape: Shape,
    /// What its definition says, for kinds that users define.
    pub(crate) custom: Option<crd::Custom>,
}

impl Deref for Kind {
    type Target = Resource;

    fn deref(&self) -> &Resource {
        &self.facts
    }
}

impl Kind {
    fn built_in(resource: &Resource) -> Self {
        let mut facts = resource.clone();
        facts
            .subresources
            .retain(|each| !UNSERVED.contains(&each.name.as_str()));
        Self {
            storage: storage(&facts.group, &facts.plural),
            shape: Shape::Ref(facts.type_name.clone()),
            facts,
            custom: None,
        }
    }

    /// `pods`, `leases.coordination.k8s.io`
    pub(crate) fn resource(&self) -> String {
        if self.group.is_empty() {
            self.plural.clone()
        } else {
            format!("{}.{}", self.plural, self.group)
        }
    }

    /// The type of its objects as they are kept.
    pub(crate) fn kept_shape(&self) -> &Shape {
        let core = || facts().type_named("io.k8s.api.core.v1.Event");
        let renamed = self.group == "events.k8s.io";
        renamed.then(core).flatten().unwrap_or(&self.shape)
    }

    /// Whether the status is written apart from the rest.
    pub(crate) fn has_status(&self) -> bool {
        self.subresource("status").is_some()
    }

    /// Whether a field selector may name the path.
    pub(crate) fn selectable(&self, path: &str) -> bool {
        matches!(path, "metadata.name" | "metadata.namespace") || self.own_fields().contains(&path)
    }

    /// Whether field selectors know more of the kind than its name.
    pub(crate) fn has_own_fields(&self) -> bool {
        self.custom.is_some() || !self.own_fields().is_empty()
    }

    /// Whether a replacement need not say which version it replaces.
    pub(crate) fn replaces_blindly(&self) -> bool {
        let careful = [
            "customresourcedefinitions.apiextensions.k8s.io",
            "leases.coordination.k8s.io",
            "poddisruptionbudgets.policy",
        ];
        self.custom.is_none() && !careful.contains(&&*self.storage)
    }

    /// Whether a replacement of what is not there makes it.
    pub(crate) fn replaces_nothing(&self) -> bool {
        let lenient = ["events", "leases.coordination.k8s.io", "services"];
        lenient.contains(&&*self.storage) || self.group == "rbac.authorization.k8s.io"
    }

    fn own_fields(&self) -> &'static [&'static str] {
        match &*self.storage {
            "pods" => &[
                "spec.nodeName",
                "spec.restartPolicy",
                "spec.schedulerName",
                "spec.serviceAccountName",
                "spec.hostNetwork",
                "status.phase",
                "status.podIP",
                "status.nominatedNodeName",
            ],
            "events" => &[
                "involvedObject.kind",
                "involvedObject.namespace",
                "involvedObject.name",
                "involvedObject.uid",
                "involvedObject.apiVersion",
                "involvedObject.resourceVersion",
                "involvedObject.fieldPath",
                "reason",
                "reportingComponent",
                "source",
                "type",
            ],
            "secrets" => &["type"],
            "nodes" => &["spec.unschedulable"],
            "namespaces" => &["status.phase"],
            "services" => &["spec.clusterIP", "spec.type"],
            _ => &[],
        }
    }
}

/// All kinds that are served.
#[derive(Debug)]
pub(crate) struct Kinds {
    built_in: Vec<Arc<Kind>>,
    custom: Vec<Arc<Kind>>,
}

impl Kinds {
    pub(crate) fn built_in() -> Self {
        let served = |resource: &&Resource| {
            SERVED.iter().any(|(group, plurals)| {
                resource.group == *group && plurals.contains(&resource.plural.as_str())
            })
        };
        let kinds = facts().resources().iter().filter(served);
        Self {
            built_in: kinds
                .map(|resource| Arc::new(Kind::built_in(resource)))
                .collect(),
            custom: Vec::new(),
        }
    }

    /// Every kind, the built-in ones first.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Arc<Kind>> {
        self.built_in.iter().chain(&self.custom)
    }

    pub(crate) fn find(&self, group: &str, version: &str, plural: &str) -> Option<Arc<Kind>> {
        self.all()
            .find(|kind| kind.plural == plural && kind.group == group && kind.version == version)
            .cloned()
    }

    /// The kind of a stored object, in any version.
    pub(crate) fn stored(&self, storage: &str) -> Option<Arc<Kind>> {
        self.all().find(|kind| *kind.storage == *storage).cloned()
    }

    /// Reads the definitions of users' kinds anew.
    pub(crate) fn define<'a>(&mut self, definitions: impl Iterator<Item = &'a Value>) {
        self.custom = definitions.flat_map(crd::kinds).map(Arc::new).collect();
    }
}

/// Core events and those of events.k8s.io are one.
fn storage(group: &str, plural: &str) -> Arc<str> {
    match group {
        "" | "events.k8s.io" => plural.into(),
        _ => format!("{plural}.{group}").into(),
    }
}
