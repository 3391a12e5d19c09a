//! Roles, their bindings, and classes of which one field may not change.

use serde_json::{Value, json};

use super::frozen;
use crate::cause::Cause;
use crate::kinds::Kind;
use crate::object::{list, text};

const GROUP: &str = "rbac.authorization.k8s.io";

pub(super) fn role_faults(kind: &Kind, role: &Value) -> Vec<Cause> {
    let rules = list(role, &["rules"]).iter().enumerate();
    rules
        .flat_map(|(at, rule)| rule_faults(&format!("rules[{at}]"), rule, kind.namespaced))
        .collect()
}

fn rule_faults(path: &str, rule: &Value, namespaced: bool) -> Vec<Cause> {
    let at = |field: &str| format!("{path}.{field}");
    let is_empty = |field: &str| list(rule, &[field]).is_empty();
    let required =
        |field: &str, words: &str| is_empty(field).then(|| Cause::required(&at(field), words));
    let mut causes = Vec::new();
    causes.extend(required("verbs", "verbs must contain at least one value"));
    if is_empty("nonResourceURLs") {
        let group = "resource rules must supply at least one api group";
        causes.extend(required("apiGroups", group));
        let resource = "resource rules must supply at least one resource";
        causes.extend(required("resources", resource));
        return causes;
    }
    let invalid = |words| Cause::invalid(&at("nonResourceURLs"), &rule["nonResourceURLs"], words);
    if namespaced {
        causes.push(invalid(
            "namespaced rules cannot apply to non-resource URLs",
        ));
    }
    let of_resources = ["apiGroups", "resources", "resourceNames"];
    if of_resources.iter().any(|field| !is_empty(field)) {
        let words = "rules cannot apply to both regular resources and non-resource URLs";
        causes.push(invalid(words));
    }
    causes
}

pub(super) fn binding_faults(kind: &Kind, binding: &Value, old: Option<&Value>) -> Vec<Cause> {
    let role = &binding["roleRef"];
    let mut causes = Vec::new();
    if role["apiGroup"] != GROUP {
        causes.push(Cause::unsupported(
            "roleRef.apiGroup",
            &role["apiGroup"],
            &[GROUP],
        ));
    }
    let roles: &[&str] = if kind.namespaced {
        &["Role", "ClusterRole"]
    } else {
        &["ClusterRole"]
    };
    if !roles.contains(&text(role, &["kind"])) {
        causes.push(Cause::unsupported("roleRef.kind", &role["kind"], roles));
    }
    if text(role, &["name"]).is_empty() {
        causes.push(Cause::required("roleRef.name", ""));
    }
    let subjects = list(binding, &["subjects"]).iter().enumerate();
    causes.extend(subjects.flat_map(|(at, subject)| {
        subject_faults(&format!("subjects[{at}]"), subject, kind.namespaced)
    }));
    if old.is_some_and(|old| old["roleRef"] != *role) {
        // The names are those of the real server's own form of it.
        let shown =
            json!({"APIGroup": role["apiGroup"], "Kind": role["kind"], "Name": role["name"]});
        causes.push(Cause::invalid("roleRef", &shown, "cannot change roleRef"));
    }
    causes
}

fn subject_faults(path: &str, subject: &Value, namespaced: bool) -> Vec<Cause> {
    let at = |field: &str| format!("{path}.{field}");
    let said = |field: &str| text(subject, &[field]);
    let of_group = |group: &str| {
        let known = (said("apiGroup") != group).then_some(group)?;
        let found = said("apiGroup").into();
        Some(Cause::unsupported(&at("apiGroup"), &found, &[known]))
    };
    let mut causes = Vec::new();
    if said("name").is_empty() {
        causes.push(Cause::required(&at("name"), ""));
    }
    match said("kind") {
        "ServiceAccount" => {
            causes.extend(of_group(""));
            if !namespaced && said("namespace").is_empty() {
                causes.push(Cause::required(&at("namespace"), ""));
            }
        }
        "User" | "Group" => causes.extend(of_group(GROUP)),
        other => {
            let known = ["ServiceAccount", "User", "Group"];
            causes.push(Cause::unsupported(&at("kind"), &other.into(), &known));
        }
    }
    causes
}

pub(super) fn class_faults(class: &Value, old: Option<&Value>) -> Vec<Cause> {
    let Some(old) = old else {
        return Vec::new();
    };
    let revalued = old["value"] != class["value"];
    let cause = || Cause::forbidden("value", "may not be changed in an update.");
    let causes = revalued.then(cause).into_iter();
    causes
        .chain(frozen(old, class, &["preemptionPolicy"]))
        .collect()
}
