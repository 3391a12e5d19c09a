//! Keys of Secrets and `ConfigMaps` that containers cannot be made without.

use serde_json::Value;

use crate::object::{at, list, namespace, text};
use crate::store::{Key, Store};

/// One kind of source.
struct Source {
    resource: &'static str,
    /// In `env`, and in `envFrom`.
    fields: [&'static str; 2],
    /// As the kubelet calls it when there is none, and when it lacks a key.
    words: [&'static str; 2],
}

const SOURCES: [Source; 2] = [
    Source {
        resource: "secrets",
        fields: ["secretKeyRef", "secretRef"],
        words: ["secret", "Secret"],
    },
    Source {
        resource: "configmaps",
        fields: ["configMapKeyRef", "configMapRef"],
        words: ["configmap", "ConfigMap"],
    },
];

/// Whether objects of this resource configure containers.
pub(super) fn configures(resource: &str) -> bool {
    SOURCES.iter().any(|source| source.resource == resource)
}

/// Why a container cannot be made yet, in the words of the kubelet, if so.
pub(super) fn missing(store: &Store, pod: &Value, container: &Value) -> Option<String> {
    let whole = list(container, &["envFrom"]).iter();
    let keys = list(container, &["env"]).iter();
    let whole = whole.map(|one| (one, 1));
    let mut all = whole.chain(keys.filter_map(|one| Some((one.get("valueFrom")?, 0))));
    all.find_map(|(one, field)| {
        SOURCES.iter().find_map(|source| {
            let reference = one.get(source.fields[field])?;
            lacks(store, namespace(pod), source, reference)
        })
    })
}

fn lacks(store: &Store, namespace: &str, source: &Source, reference: &Value) -> Option<String> {
    if at(reference, &["optional"]) == Some(&Value::Bool(true)) {
        return None;
    }
    let name = text(reference, &["name"]);
    let [absent, incomplete] = source.words;
    let Some(object) = store.get(&Key::new(source.resource, namespace, name)) else {
        return Some(format!("{absent} \"{name}\" not found"));
    };
    let key = at(reference, &["key"])?.as_str()?;
    let words = || format!("couldn't find key {key} in {incomplete} {namespace}/{name}");
    at(object, &["data", key]).is_none().then(words)
}
