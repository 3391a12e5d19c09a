//! What the identity may do, and being asked about it.

use serde_json::{Value, json};

use super::{Call, Server};
use crate::failure::Failure;
use crate::object::{set, text};
use crate::options::Denial;
use crate::request::Response;

impl Server {
    /// Refuses what the settings deny, in the words of RBAC.
    pub(super) fn authorize(&self, call: &Call) -> Result<(), Failure> {
        let mut resource = call.kind.resource();
        if let Some(subresource) = &call.subresource {
            resource = format!("{resource}/{subresource}");
        }
        // To whoever decides on rights, a Namespace lies in itself.
        let itself = call.name.as_ref().filter(|_| resource == "namespaces");
        let namespace = call.namespace.as_ref().or(itself);
        if !self.denies(call.verb, &resource, namespace.map(String::as_str)) {
            return Ok(());
        }
        let place = namespace.map_or_else(
            || "at the cluster scope".to_owned(),
            |namespace| format!("in the namespace \"{namespace}\""),
        );
        let mut plural = call.kind.plural.clone();
        if let Some(subresource) = &call.subresource {
            plural = format!("{plural}/{subresource}");
        }
        let why = format!(
            "User \"{}\" cannot {} resource \"{plural}\" in API group \"{}\" {place}",
            self.options.user, call.verb, call.kind.group,
        );
        Err(Failure::forbidden(
            &call.kind,
            call.name.as_deref().unwrap_or_default(),
            &why,
        ))
    }

    fn denies(&self, verb: &str, resource: &str, namespace: Option<&str>) -> bool {
        let fits = |pattern: &str, value: &str| pattern == "*" || pattern == value;
        let denies = |denial: &Denial| {
            let here = denial
                .namespace
                .as_deref()
                .is_none_or(|only| Some(only) == namespace);
            fits(&denial.verb, verb) && fits(&denial.resource, resource) && here
        };
        self.options.denied.iter().any(denies)
    }

    /// Answers the reviews that `kubectl auth` and clients ask for.
    pub(super) fn review(&self, call: &Call) -> Result<Response, Failure> {
        if call.verb != "create" {
            return Err(Failure::method_not_allowed());
        }
        let mut review = super::body::body(call)?;
        let status = match call.kind.kind.as_str() {
            "SelfSubjectAccessReview" => self.access(&review),
            "SelfSubjectRulesReview" => json!({
                "incomplete": !self.options.denied.is_empty(),
                "resourceRules": [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}],
                "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}],
            }),
            _ => {
                json!({"userInfo": {"username": self.options.user, "groups": ["system:authenticated"]}})
            }
        };
        set(&mut review, &["status"], status);
        Ok(Response::json(201, &review))
    }

    fn access(&self, review: &Value) -> Value {
        let asked = |field| text(review, &["spec", "resourceAttributes", field]);
        let mut resource = asked("resource").to_owned();
        if !asked("group").is_empty() {
            resource = format!("{resource}.{}", asked("group"));
        }
        if !asked("subresource").is_empty() {
            resource = format!("{resource}/{}", asked("subresource"));
        }
        let namespace = Some(asked("namespace")).filter(|namespace| !namespace.is_empty());
        json!({"allowed": !self.denies(asked("verb"), &resource, namespace)})
    }
}
