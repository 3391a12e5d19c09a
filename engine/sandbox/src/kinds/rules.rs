//! What the facts do not say of a kind: real defaults, and what may not change.

use serde_json::{Value, json};

use super::{Kind, crd, pod, service};
use crate::failure::Cause;
use crate::object::{at, default, is_deleting, name, set};

/// Holds a claim while a pod uses it.
pub(crate) const PROTECTION: &str = "kubernetes.io/pvc-protection";

/// Sets the defaults that the real server sets whenever an object is written.
pub(crate) fn defaults(kind: &Kind, object: &mut Value, old: Option<&Value>) {
    if kind.group != "events.k8s.io" {
        crate::apply::default(object, &kind.shape);
    }
    match &*kind.storage {
        "pods" => pod::defaults(object),
        "services" => service::defaults(object, old),
        "secrets" => secret(object),
        "customresourcedefinitions.apiextensions.k8s.io" => crd::defaults(object),
        "validatingadmissionpolicies.admissionregistration.k8s.io" => {
            default(object, &["spec", "failurePolicy"], "Fail");
            match_defaults(object, "matchConstraints");
        }
        "validatingadmissionpolicybindings.admissionregistration.k8s.io" => {
            match_defaults(object, "matchResources");
        }
        "persistentvolumeclaims" => default(object, &["spec", "volumeMode"], "Filesystem"),
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

/// The defaults of what an admission policy matches.
fn match_defaults(policy: &mut Value, field: &str) {
    let Some(matches) = policy["spec"]
        .get_mut(field)
        .filter(|matches| matches.is_object())
    else {
        return;
    };
    default(matches, &["matchPolicy"], "Equivalent");
    default(matches, &["namespaceSelector"], json!({}));
    default(matches, &["objectSelector"], json!({}));
    for rules in ["resourceRules", "excludeResourceRules"] {
        let rules = matches.get_mut(rules).and_then(Value::as_array_mut);
        for rule in rules.into_iter().flatten() {
            default(rule, &["scope"], "*");
        }
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
        "pods" => pod::admit(object),
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

/// Whether the real server counts the generations of the kind.
pub(crate) fn has_generation(kind: &Kind) -> bool {
    let counted = [
        "pods",
        "customresourcedefinitions.apiextensions.k8s.io",
        "validatingadmissionpolicies.admissionregistration.k8s.io",
        "validatingadmissionpolicybindings.admissionregistration.k8s.io",
        "poddisruptionbudgets.policy",
        "priorityclasses.scheduling.k8s.io",
        "networkpolicies.networking.k8s.io",
        "ingresses.networking.k8s.io",
        "endpointslices.discovery.k8s.io",
    ];
    kind.custom.is_some() || counted.contains(&&*kind.storage)
}

/// The faults of an object, and of the change that made it.
pub(crate) fn check(kind: &Kind, object: &Value, old: Option<&Value>) -> Vec<Cause> {
    let mut causes = name_faults(kind, object);
    causes.extend(old.map(|old| check_meta(old, object)).unwrap_or_default());
    let own = match (&*kind.storage, old) {
        ("pods", None) => pod::check(object),
        ("pods", Some(old)) => pod::check_change(old, object),
        ("services", None) => service::check(object),
        ("services", Some(old)) => service::check_change(old, object),
        ("secrets", Some(old)) => frozen(old, object, &["type"])
            .into_iter()
            .chain(immutable(old, object))
            .collect(),
        ("configmaps", Some(old)) => immutable(old, object),
        ("priorityclasses.scheduling.k8s.io", Some(old)) => {
            forbidden(old, object, "value", "may not be changed in an update.")
        }
        (
            "rolebindings.rbac.authorization.k8s.io"
            | "clusterrolebindings.rbac.authorization.k8s.io",
            Some(old),
        ) => forbidden(old, object, "roleRef", "cannot change roleRef"),
        ("persistentvolumeclaims", Some(old)) => claim(old, object),
        ("customresourcedefinitions.apiextensions.k8s.io", None) if !crd::is_well_named(object) => {
            let detail = "must be spec.names.plural+\".\"+spec.group";
            vec![Cause::invalid(
                "metadata.name",
                &name(object).into(),
                detail,
            )]
        }
        _ => kind.custom.as_ref().map_or_else(Vec::new, |custom| {
            crate::apply::invalid(object, &custom.schema)
        }),
    };
    causes.extend(own);
    causes
}

fn name_faults(kind: &Kind, object: &Value) -> Vec<Cause> {
    let name = name(object);
    let rbac = kind.group == "rbac.authorization.k8s.io";
    if name.is_empty() {
        return vec![Cause::required(
            "metadata.name",
            "name or generateName is required",
        )];
    }
    if rbac
        || is_subdomain(
            name,
            if &*kind.storage == "services" || &*kind.storage == "namespaces" {
                63
            } else {
                253
            },
        )
    {
        return Vec::new();
    }
    let detail = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', \
        and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is \
        '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
    vec![Cause::invalid("metadata.name", &name.into(), detail)]
}

fn is_subdomain(name: &str, longest: usize) -> bool {
    let label = |label: &str| {
        let plain = label
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        plain && !label.is_empty() && !label.starts_with('-') && !label.ends_with('-')
    };
    name.len() <= longest && name.split('.').all(label)
}

fn check_meta(old: &Value, new: &Value) -> Vec<Cause> {
    let finalizers = |object| crate::object::finalizers(object);
    let added = finalizers(new)
        .iter()
        .filter(|each| !finalizers(old).contains(each));
    let added: Vec<&Value> = added.collect();
    if is_deleting(old) && !added.is_empty() {
        let names: Vec<&str> = added.iter().filter_map(|each| each.as_str()).collect();
        let detail = format!(
            "no new finalizers can be added if the object is being deleted, found new finalizers []string{{{}}}",
            names
                .iter()
                .map(|name| format!("\"{name}\""))
                .collect::<Vec<_>>()
                .join(", ")
        );
        return vec![Cause::forbidden("metadata.finalizers", &detail)];
    }
    Vec::new()
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

fn frozen(old: &Value, new: &Value, path: &[&str]) -> Vec<Cause> {
    if at(old, path) == at(new, path) {
        return Vec::new();
    }
    let value = at(new, path).cloned().unwrap_or_default();
    vec![Cause::invalid(
        &path.join("."),
        &value,
        "field is immutable",
    )]
}

fn forbidden(old: &Value, new: &Value, field: &str, detail: &str) -> Vec<Cause> {
    if old[field] == new[field] {
        return Vec::new();
    }
    if field == "roleRef" {
        return vec![Cause::invalid(field, &new[field], detail)];
    }
    vec![Cause::forbidden(field, detail)]
}

fn immutable(old: &Value, new: &Value) -> Vec<Cause> {
    let changed = old["data"] != new["data"] || old["binaryData"] != new["binaryData"];
    let frozen = old["immutable"] == true && (changed || new["immutable"] != true);
    let cause = || Cause::forbidden("data", "field is immutable when `immutable` is set");
    if frozen { vec![cause()] } else { Vec::new() }
}

fn claim(old: &Value, new: &Value) -> Vec<Cause> {
    let bare = |claim: &Value| {
        let mut spec = claim["spec"].clone();
        for path in [
            &["resources"][..],
            &["volumeName"],
            &["volumeAttributesClassName"],
        ] {
            drop(crate::object::remove(&mut spec, path));
        }
        spec
    };
    if bare(old) == bare(new) {
        return Vec::new();
    }
    let detail = "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims";
    vec![Cause::forbidden("spec", detail)]
}
