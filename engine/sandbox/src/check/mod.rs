//! What the real server refuses of an object, in its words.

mod budget;
mod claim;
mod container;
mod definition;
mod event;
mod lease;
mod meta;
mod names;
mod pod;
mod rbac;
mod secret;
mod service;

pub(crate) use meta::manager_faults;

use serde_json::Value;

use crate::cause::Cause;
use crate::kinds::Kind;
use crate::object::at;

/// The faults of an object, and of the change that made it.
pub(crate) fn faults(kind: &Kind, object: &Value, old: Option<&Value>) -> Vec<Cause> {
    let mut causes = meta::faults(kind, object, old);
    causes.extend(own(kind, object, old));
    causes
}

fn own(kind: &Kind, object: &Value, old: Option<&Value>) -> Vec<Cause> {
    match &*kind.storage {
        "pods" => pod::faults(object, old),
        "services" => service::faults(object, old),
        "secrets" => secret::faults(object, old),
        "configmaps" => secret::config_faults(object, old),
        "events" => event::faults(kind, object),
        "leases.coordination.k8s.io" => lease::faults(object),
        "persistentvolumeclaims" => claim::faults(object, old),
        "priorityclasses.scheduling.k8s.io" => rbac::class_faults(object, old),
        "poddisruptionbudgets.policy" => budget::faults(object),
        "roles.rbac.authorization.k8s.io" | "clusterroles.rbac.authorization.k8s.io" => {
            rbac::role_faults(kind, object)
        }
        "rolebindings.rbac.authorization.k8s.io"
        | "clusterrolebindings.rbac.authorization.k8s.io" => {
            rbac::binding_faults(kind, object, old)
        }
        "customresourcedefinitions.apiextensions.k8s.io" => definition::faults(object),
        _ => custom(kind, object, old.is_some()),
    }
}

fn custom(kind: &Kind, object: &Value, is_update: bool) -> Vec<Cause> {
    let Some(custom) = &kind.custom else {
        return Vec::new();
    };
    let mut causes = crate::apply::invalid(object, &custom.schema);
    // Of a change the real server looks at each part by itself, and names it so.
    for cause in causes.iter_mut().filter(|_| is_update) {
        let last = cause.field.rsplit('.').next().unwrap_or_default();
        let (path, last) = (
            format!("{} in body", cause.field),
            format!("{last} in body"),
        );
        cause.message = cause.message.replace(&path, &last);
    }
    causes
}

/// The causes of words about a field's text.
fn worded(field: &str, text: &str, words: Vec<String>) -> impl Iterator<Item = Cause> {
    let invalid = move |words: String| Cause::invalid(field, &text.into(), &words);
    words.into_iter().map(invalid)
}

/// A field that may not change at all.
fn frozen(old: &Value, new: &Value, path: &[&str]) -> Option<Cause> {
    let changed = at(old, path) != at(new, path);
    let value = at(new, path).cloned().unwrap_or_default();
    changed.then(|| Cause::invalid(&path.join("."), &value, "field is immutable"))
}
