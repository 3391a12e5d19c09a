//! The rights that Berth needs, all of them, as data.

use std::fmt::Write as _;

use serde_json::{Value, json};

/// One right, and why Berth needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// The API group; empty for the core group.
    pub group: &'static str,
    /// The resource.
    pub resource: &'static str,
    /// Only these objects; empty for all.
    pub names: &'static [&'static str],
    /// What is done with it.
    pub verbs: &'static [&'static str],
    /// For people.
    pub why: &'static str,
}

/// Of the cluster as a whole: read only.
pub const CLUSTER: &[Rule] = &[
    Rule {
        group: "",
        resource: "namespaces",
        names: &["kube-system"],
        verbs: &["get"],
        why: "its uid tells which cluster this is",
    },
    Rule {
        group: "",
        resource: "nodes",
        names: &[],
        verbs: &["list", "watch"],
        why: "free slots, and whether the node of a lost pod still lives",
    },
    Rule {
        group: "",
        resource: "pods",
        names: &[],
        verbs: &["list", "watch"],
        why: "slots that others take (`capacity: observed`)",
    },
];

/// In each namespace of a queue.
pub const QUEUE: &[Rule] = &[
    Rule {
        group: "",
        resource: "pods",
        names: &[],
        verbs: &["create", "delete", "get", "list", "patch", "watch"],
        why: "the pods of experiments; patch takes the finalizer off, and puts labels and annotations of Berth back",
    },
    Rule {
        group: "",
        resource: "services",
        names: &[],
        verbs: &["create", "delete", "get", "list", "patch", "watch"],
        why: "the address of a trial's first rank",
    },
    Rule {
        group: "events.k8s.io",
        resource: "events",
        names: &[],
        verbs: &["create"],
        why: "tells people, on the object, what Berth did",
    },
];

/// In Berth's own namespace.
pub const OWN: &[Rule] = &[
    Rule {
        group: "",
        resource: "configmaps",
        names: &[],
        verbs: &["create", "delete", "get", "list", "update"],
        why: "the anchor `berth-<cluster>` and the spill `berth-<cluster>.spill`; list finds, at the first start, \
              the anchor of a cluster that was renamed",
    },
    Rule {
        group: "coordination.k8s.io",
        resource: "leases",
        names: &[],
        verbs: &["create", "get", "update"],
        why: "elects the one daemon that writes",
    },
];

/// Where the rights of queues hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope<'a> {
    /// In all namespaces: a new queue needs no new right.
    Everywhere,
    /// Only in these namespaces.
    Namespaces(&'a [&'a str]),
}

/// The objects that grant everything Berth needs to one service account: roles and their bindings,
/// in an order in which they can be applied.
pub fn manifests(namespace: &str, account: &str, scope: Scope<'_>) -> Vec<Value> {
    let subject = json!([{"kind": "ServiceAccount", "name": account, "namespace": namespace}]);
    let mut all = Vec::new();
    let cluster: Vec<Rule> = match scope {
        Scope::Everywhere => [CLUSTER, QUEUE].concat(),
        Scope::Namespaces(_) => CLUSTER.to_vec(),
    };
    all.extend(granted("Cluster", "berth", None, &cluster, &subject));
    if let Scope::Namespaces(queues) = scope {
        for queue in queues {
            all.extend(granted("", "berth-queue", Some(queue), QUEUE, &subject));
        }
    }
    all.extend(granted("", "berth", Some(namespace), OWN, &subject));
    all
}

/// A role and its binding.
fn granted(
    prefix: &str,
    name: &str,
    namespace: Option<&str>,
    rules: &[Rule],
    subjects: &Value,
) -> [Value; 2] {
    let mut metadata = json!({"name": name});
    if let Some(namespace) = namespace {
        metadata["namespace"] = json!(namespace);
    }
    let version = "rbac.authorization.k8s.io/v1";
    let role = format!("{prefix}Role");
    let rules: Vec<Value> = merged(rules).iter().map(body).collect();
    [
        json!({"apiVersion": version, "kind": role, "metadata": metadata, "rules": rules}),
        json!({
            "apiVersion": version,
            "kind": format!("{role}Binding"),
            "metadata": metadata,
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": role, "name": name},
            "subjects": subjects,
        }),
    ]
}

/// Without a rule that another one contains.
fn merged(rules: &[Rule]) -> Vec<Rule> {
    let contains = |a: &Rule, b: &Rule| {
        (a.group, a.resource, a.names) == (b.group, b.resource, b.names)
            && b.verbs.iter().all(|verb| a.verbs.contains(verb))
    };
    let kept = |rule: &&Rule| {
        !rules
            .iter()
            .any(|other| other != *rule && contains(other, rule))
    };
    rules.iter().filter(kept).copied().collect()
}

fn body(rule: &Rule) -> Value {
    let mut body = json!({
        "apiGroups": [rule.group],
        "resources": [rule.resource],
        "verbs": rule.verbs,
    });
    if !rule.names.is_empty() {
        body["resourceNames"] = json!(rule.names);
    }
    body
}

/// The page `docs/reference/rbac.md`, generated from the rules.
pub fn reference() -> String {
    let mut page = String::from(
        "# The rights that Berth needs\n\n\
         Generated from `engine/cluster/src/rbac.rs`; a test fails when this page differs.\n\n\
         These are all: the test `edge` does everything against a real API server with these rights and \
         no others. And each is needed: the test `verbs` takes every single verb away, and sees the refusal \
         that names it. Berth reads no Secrets, makes no namespaces and asks for no access reviews.\n",
    );
    table(&mut page, "Of the cluster, read only", CLUSTER);
    table(&mut page, "In each namespace of a queue", QUEUE);
    table(&mut page, "In Berth's own namespace", OWN);
    page.push_str(
        "\nWithout the rights of the cluster on nodes and pods the views of them stay unreadable, \
         and nothing is decided from them: queues with `capacity: observed` admit nothing, and \
         lost nodes hold their trials.\n",
    );
    yaml(&mut page, "For all namespaces", Scope::Everywhere);
    page.push_str("\nA queue in a new namespace needs no new right.\n");
    yaml(
        &mut page,
        "Only in the queues' namespaces",
        Scope::Namespaces(&["vision"]),
    );
    page.push_str(
        "\nRepeat the Role and the RoleBinding `berth-queue` for each namespace of a queue. Where a queue \
         goes away, keep them until `applied.yaml` on the status branch no longer names its namespace.\n",
    );
    page
}

fn table(page: &mut String, title: &str, rules: &[Rule]) {
    let _ = write!(
        page,
        "\n## {title}\n\n| Resource | Verbs | Why |\n|---|---|---|\n"
    );
    for rule in rules {
        let group = if rule.group.is_empty() {
            String::new()
        } else {
            format!(".{}", rule.group)
        };
        let only = if rule.names.is_empty() {
            String::new()
        } else {
            format!(" (only `{}`)", rule.names.join("`, `"))
        };
        let verbs = rule.verbs.join(", ");
        let _ = writeln!(
            page,
            "| `{}{group}`{only} | {verbs} | {} |",
            rule.resource, rule.why
        );
    }
}

/// The manifests as they are applied: JSON is YAML, one document a line group.
fn yaml(page: &mut String, title: &str, scope: Scope<'_>) {
    let _ = write!(page, "\n## {title}\n\n```yaml\n");
    for (at, manifest) in manifests("berth", "berth", scope).iter().enumerate() {
        if at > 0 {
            page.push_str("---\n");
        }
        block(page, manifest, 0);
    }
    page.push_str("```\n");
}

/// Block-style YAML of a manifest: names and words of our own, which never need quotes but for the
/// empty group.
fn block(page: &mut String, value: &Value, depth: usize) {
    let indent = "  ".repeat(depth);
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                let _ = write!(page, "{indent}{name}:");
                nested(page, field, depth);
            }
        }
        Value::Array(items) => {
            for item in items {
                let mut text = String::new();
                block(&mut text, item, depth + 1);
                let inner = "  ".repeat(depth + 1);
                let text = text.strip_prefix(&inner).unwrap_or(&text);
                let _ = write!(page, "{indent}- {text}");
            }
        }
        other => {
            let _ = writeln!(page, "{indent}{}", scalar(other));
        }
    }
}

fn nested(page: &mut String, field: &Value, depth: usize) {
    match field {
        Value::Array(items) if items.iter().all(Value::is_string) => {
            let items: Vec<String> = items.iter().map(scalar).collect();
            let _ = writeln!(page, " [{}]", items.join(", "));
        }
        Value::Object(_) | Value::Array(_) => {
            page.push('\n');
            block(page, field, depth + 1);
        }
        other => {
            let _ = writeln!(page, " {}", scalar(other));
        }
    }
}

fn scalar(value: &Value) -> String {
    match value {
        Value::String(text) if text.is_empty() => "\"\"".into(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Set `BERTH_BLESS=1` to write the page anew.
    #[test]
    fn the_committed_page_is_the_generated_one() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference/rbac.md");
        if std::env::var_os("BERTH_BLESS").is_some() {
            std::fs::write(path, reference()).unwrap();
        }
        let committed = std::fs::read_to_string(path).unwrap_or_default();
        assert_eq!(committed, reference(), "run the test with BERTH_BLESS=1");
    }

    #[test]
    fn namespaced_rights_write_only_in_the_named_namespaces() {
        let all = manifests("berth", "sa", Scope::Namespaces(&["vision", "nlp"]));
        for manifest in all.iter().filter(|m| m["kind"] == "ClusterRole") {
            for rule in manifest["rules"].as_array().unwrap() {
                let verbs = rule["verbs"].as_array().unwrap();
                let reads = ["get", "list", "watch"];
                assert!(
                    verbs
                        .iter()
                        .all(|verb| reads.contains(&verb.as_str().unwrap()))
                );
            }
        }
        let places: Vec<_> = all
            .iter()
            .filter(|m| m["kind"] == "RoleBinding")
            .map(|m| m["metadata"]["namespace"].as_str().unwrap())
            .collect();
        assert_eq!(places, ["vision", "nlp", "berth"]);
    }

    #[test]
    fn no_rule_is_granted_twice() {
        let all = manifests("berth", "sa", Scope::Everywhere);
        let pods = all[0]["rules"].as_array().unwrap().iter();
        assert_eq!(
            pods.filter(|rule| rule["resources"][0] == "pods").count(),
            1
        );
    }
}
