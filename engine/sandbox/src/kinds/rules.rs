//! What the facts do not say of a kind: real defaults, and what may not change.

use serde_json::{Value, json};

use super::{Kind, crd, pod, service};
use crate::object::{default, name, set};

/// Holds a claim while a pod uses it.
pub(crate) const PROTECTION: &str = "kubernetes.io/pvc-protection";

/// Sets the defaults that the real server sets whenever an object is written.
pub(crate) fn defaults(kind: &Kind, object: &mut Value, old: Option<&Value>) {
    crate::apply::default(object, kind.kept_shape());
    match &*kind.storage {
        "pods" => pod::defaults(object),
        "services" => service::defaults(object, old),
        "secrets" => secret(object),
        "customresourcedefinitions.apiextensions.k8s.io" => crd::defaults(object),
        "persistentvolumeclaims" => default(object, &["spec", "volumeMode"], "Filesystem"),
        "rolebindings.rbac.authorization.k8s.io"
        | "clusterrolebindings.rbac.authorization.k8s.io" => binding(object),
        "namespaces" => {
            let named = name(object).to_owned();
            set(
                object,
                &["metadata", "labels", "kubernetes.io/metadata.name"],
                named,
            );
        }
        "priorityclasses.scheduling.k8s.io" => {
            default(object, &["preemptionPolicy"], "PreemptLowerPriority");
        }
        _ => {}
    }
}

/// Sets what the real server sets at every write once it is known whose fields are whose.
pub(crate) fn complete(kind: &Kind, object: &mut Value) {
    match &*kind.storage {
        "pods" => pod::tolerate_trouble(object),
        "services" => service::complete(object),
        _ => {}
    }
}

/// Sets what a new object begins with.
pub(crate) fn begin(kind: &Kind, object: &mut Value, now_ms: i64) {
    if kind.has_status() && &*kind.storage != "nodes" {
        drop(crate::object::remove(object, &["status"]));
    }
    match &*kind.storage {
        "pods" => pod::admit(object, now_ms),
        "namespaces" => {
            default(object, &["spec", "finalizers"], json!(["kubernetes"]));
            set(object, &["status"], json!({"phase": "Active"}));
        }
        "services" => set(object, &["status"], json!({"loadBalancer": {}})),
        "persistentvolumeclaims" => {
            set(object, &["metadata", "finalizers"], json!([PROTECTION]));
            set(object, &["status"], json!({"phase": "Pending"}));
        }
        "resourcequotas" => set(object, &["status"], json!({})),
        "customresourcedefinitions.apiextensions.k8s.io" => crd::establish(object, now_ms),
        _ => {}
    }
}

/// Whether a change of what is wanted makes a new generation.
pub(crate) fn advances(kind: &Kind) -> bool {
    has_generation(kind) && &*kind.storage != "priorityclasses.scheduling.k8s.io"
}

/// Whether the real server counts the generations of the kind.
pub(crate) fn has_generation(kind: &Kind) -> bool {
    let counted = [
        "pods",
        "customresourcedefinitions.apiextensions.k8s.io",
        "poddisruptionbudgets.policy",
        "priorityclasses.scheduling.k8s.io",
    ];
    kind.custom.is_some() || counted.contains(&&*kind.storage)
}

/// What names a role or a person is of one group, unless it says another one.
fn binding(binding: &mut Value) {
    const GROUP: &str = "rbac.authorization.k8s.io";
    default(binding, &["roleRef", "apiGroup"], GROUP);
    let subjects = binding.get_mut("subjects").and_then(Value::as_array_mut);
    for subject in subjects.into_iter().flatten() {
        if subject["kind"] != "ServiceAccount" {
            default(subject, &["apiGroup"], GROUP);
        }
    }
}

fn secret(secret: &mut Value) {
    default(secret, &["type"], "Opaque");
    let Some(Value::Object(texts)) = crate::object::remove(secret, &["stringData"]) else {
        return;
    };
    for (key, value) in texts {
        let encoded = crate::base64::encode(value.as_str().unwrap_or_default().as_bytes());
        set(secret, &["data", &key], encoded);
    }
}
