//! The cases, by what they are about.

use serde_json::{Value, json};

use super::runner::Case;

macro_rules! cases {
    ($($file:ident: $($name:ident)*;)*) => {
        $(mod $file;)*

        /// Every case.
        pub(super) fn all() -> Vec<Case> {
            vec![$($(Case {
                name: concat!(stringify!($file), "::", stringify!($name)),
                run: |api| Box::pin($file::$name(api)),
            },)*)*]
        }
    };
}

cases! {
    discovery: versions resources aggregated unknown_paths;
    tables: of_pods of_others of_nothing watched;
    creation: named generated twice nameless bad_names wrong_kind wrong_namespace no_namespace warnings;
    strict: unknown_fields duplicates warned ignored wrong_types patches applied;
    apply: creates_and_changes conflicts forced removes shared list_keys dry_run managers uid_to_absent subresource quantities;
    patches: json merge strategic malformed wrong_media immutable;
    versions: replace_conflict patch_precondition noop uid_precondition generations;
    selectors: labels fields unsupported deletion;
    lists: pages metadata missing versions_of_lists everywhere;
    watches: changes selected bookmarks streamed too_new ended;
    compaction: watch_compaction list_compaction pages_compaction;
    deletion: plain preconditions finalizers graceful forced collection dry_run absent;
    owners: background foreground orphan missing_owner;
    namespaces: missing terminating system ordered;
    custom: defined instances removed columns held status;
    pods: defaults invalid binding gates immutable priority;
    nodes: succeeds fails cannot_pull evicted hangs exits_on_term finalizer_keeps conditional_exit oom unconfigured;
    placing: too_large full taints selectors cordon;
    quota: refuses counts;
    negotiation: accepts unacceptable unsupported metadata_watch;
    dry: writes refusals subresources;
    access: accounts roles classes strangers;
    eviction: budgets refusals;
    kubectl: apply managers waits describes;
    served: all discovered accounts roles clusterroles rolebindings clusterrolebindings budgets index document;
    kinds: events new_events leases secrets services claims reviews;
}

/// A ConfigMap.
fn config(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"a": "1"}})
}

/// A pod that waits for a scheduler that does not exist.
fn idle_pod(name: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name},
        "spec": {
            "schedulerName": "nobody", "restartPolicy": "Never",
            // Named, as the real control plane of the tests has no admission that would.
            "serviceAccountName": "default",
            "containers": [{"name": "task", "image": "registry.example.com/train:1"}],
        },
    })
}

/// A pod that runs on a simulated node, with annotations `sandbox.berth.dev/...`.
fn pod(name: &str, annotations: &[(&str, &str)]) -> Value {
    let mut pod = idle_pod(name);
    pod["spec"]["schedulerName"] = "default-scheduler".into();
    for (key, value) in annotations {
        pod["metadata"]["annotations"][format!("sandbox.berth.dev/{key}")] = (*value).into();
    }
    pod
}

/// The fields of one manager, as `managedFields` says them.
fn fields_of<'a>(object: &'a Value, manager: &str) -> &'a Value {
    let managers = object["metadata"]["managedFields"].as_array();
    let entry = managers
        .into_iter()
        .flatten()
        .find(|entry| entry["manager"] == manager);
    entry.map_or(&Value::Null, |entry| &entry["fieldsV1"])
}
