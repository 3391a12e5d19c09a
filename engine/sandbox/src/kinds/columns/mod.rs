//! The columns of `kubectl get`.

use serde_json::Value;

mod others;
mod pods;

use super::Kind;
use crate::clock;
use crate::object::{at, name, text};

/// A column: its heading, its type, and whether only `-o wide` shows it.
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) priority: i64,
}

/// The columns of a kind; a name with `+` is for `-o wide`.
fn headings(kind: &Kind) -> &'static [&'static str] {
    match &*kind.storage {
        "pods" => &[
            "Name",
            "Ready",
            "Status",
            "Restarts",
            "Age",
            "+IP",
            "+Node",
            "+Nominated Node",
            "+Readiness Gates",
        ],
        "services" => &[
            "Name",
            "Type",
            "Cluster-IP",
            "External-IP",
            "Port(s)",
            "Age",
            "+Selector",
        ],
        "nodes" => &[
            "Name",
            "Status",
            "Roles",
            "Age",
            "Version",
            "+Internal-IP",
            "+External-IP",
            "+OS-Image",
            "+Kernel-Version",
            "+Container-Runtime",
        ],
        "namespaces" => &["Name", "Status", "Age"],
        "configmaps" => &["Name", "Data", "Age"],
        "secrets" => &["Name", "Type", "Data", "Age"],
        "events" => &[
            "Last Seen",
            "Type",
            "Reason",
            "Object",
            "+Subobject",
            "+Source",
            "Message",
            "+First Seen",
            "+Count",
            "+Name",
        ],
        "persistentvolumeclaims" => &[
            "Name",
            "Status",
            "Volume",
            "Capacity",
            "Access Modes",
            "StorageClass",
            "VolumeAttributesClass",
            "Age",
            "+VolumeMode",
        ],
        "resourcequotas" => &["Name", "Request", "Limit", "Age"],
        "poddisruptionbudgets.policy" => &[
            "Name",
            "Min Available",
            "Max Unavailable",
            "Allowed Disruptions",
            "Age",
        ],
        "priorityclasses.scheduling.k8s.io" => {
            &["Name", "Value", "Global-Default", "Age", "PreemptionPolicy"]
        }
        "leases.coordination.k8s.io" => &["Name", "Holder", "Age"],
        "customresourcedefinitions.apiextensions.k8s.io" => &["Name", "Created At"],
        "rolebindings.rbac.authorization.k8s.io"
        | "clusterrolebindings.rbac.authorization.k8s.io" => &[
            "Name",
            "Role",
            "Age",
            "+Users",
            "+Groups",
            "+ServiceAccounts",
        ],
        "roles.rbac.authorization.k8s.io" | "clusterroles.rbac.authorization.k8s.io" => {
            &["Name", "Created At"]
        }
        _ => &["Name", "Age"],
    }
}

/// Whether a table without rows has none at all, as those have that the real server prints by no rule
/// of their own.
pub(crate) fn is_bare(kind: &Kind) -> bool {
    headings(kind).contains(&"Created At")
}

/// The columns of a kind's table.
pub(crate) fn columns(kind: &Kind) -> Vec<Column> {
    if let Some(custom) = kind
        .custom
        .as_ref()
        .filter(|custom| !custom.columns.is_empty())
    {
        let own = custom.columns.iter().map(|column| Column {
            name: column.name.clone(),
            kind: column.kind.clone(),
            priority: column.priority,
        });
        return std::iter::once(column("Name")).chain(own).collect();
    }
    headings(kind)
        .iter()
        .map(|heading| column(heading))
        .collect()
}

fn column(heading: &str) -> Column {
    let (name, priority) = heading
        .strip_prefix('+')
        .map_or((heading, 0), |name| (name, 1));
    let kind = match name {
        "Value" | "Allowed Disruptions" => "integer",
        "Global-Default" => "boolean",
        "Created At" => "date",
        _ => "string",
    };
    Column {
        name: name.to_owned(),
        kind: kind.to_owned(),
        priority,
    }
}

/// The cells of an object, in the order of [`columns`].
pub(crate) fn cells(kind: &Kind, object: &Value, now_ms: i64) -> Vec<Value> {
    if let Some(custom) = kind
        .custom
        .as_ref()
        .filter(|custom| !custom.columns.is_empty())
    {
        let own = custom
            .columns
            .iter()
            .map(|column| custom_cell(column, object, now_ms));
        return std::iter::once(name(object).into()).chain(own).collect();
    }
    let age = || since(object, &["metadata", "creationTimestamp"], now_ms);
    let plain = |path: &[&str]| or_none(text(object, path));
    let named = name(object).to_owned();
    let cells: Vec<String> = match &*kind.storage {
        "pods" => return pods::cells(object, now_ms),
        "services" => others::service(object, age()),
        "nodes" => others::node(object, age()),
        "namespaces" => vec![named, text(object, &["status", "phase"]).to_owned(), age()],
        "configmaps" => vec![named, count(object, &["data", "binaryData"]), age()],
        "secrets" => vec![
            named,
            text(object, &["type"]).to_owned(),
            count(object, &["data"]),
            age(),
        ],
        "events" => others::event(object, now_ms),
        "persistentvolumeclaims" => others::claim(object, age()),
        "resourcequotas" => vec![
            named,
            others::quota(object, "requests."),
            others::quota(object, "limits."),
            age(),
        ],
        "poddisruptionbudgets.policy" => others::budget(object, age()),
        "priorityclasses.scheduling.k8s.io" => vec![
            named,
            object["value"].to_string(),
            (object["globalDefault"] == true).to_string(),
            age(),
            text(object, &["preemptionPolicy"]).to_owned(),
        ],
        "leases.coordination.k8s.io" => vec![
            named,
            text(object, &["spec", "holderIdentity"]).to_owned(),
            age(),
        ],
        "customresourcedefinitions.apiextensions.k8s.io"
        | "roles.rbac.authorization.k8s.io"
        | "clusterroles.rbac.authorization.k8s.io" => {
            vec![named, plain(&["metadata", "creationTimestamp"])]
        }
        "rolebindings.rbac.authorization.k8s.io"
        | "clusterrolebindings.rbac.authorization.k8s.io" => others::binding(object, age()),
        _ => vec![named, age()],
    };
    let cells = headings(kind).iter().zip(cells);
    cells.map(|(heading, cell)| typed(heading, cell)).collect()
}

/// A cell as a number or a truth value, where the real server has it so.
fn typed(heading: &str, cell: String) -> Value {
    match heading.trim_start_matches('+') {
        "Data" | "Value" | "Count" | "Allowed Disruptions" => {
            cell.parse::<i64>().unwrap_or_default().into()
        }
        "Global-Default" => (cell == "true").into(),
        _ => cell.into(),
    }
}

fn or_none(text: &str) -> String {
    if text.is_empty() {
        "<none>".to_owned()
    } else {
        text.to_owned()
    }
}

fn since(object: &Value, path: &[&str], now_ms: i64) -> String {
    clock::parse(text(object, path))
        .map_or_else(|| "<unknown>".to_owned(), |then| clock::age(now_ms - then))
}

fn count(object: &Value, fields: &[&str]) -> String {
    let entries = fields.iter().filter_map(|field| object[*field].as_object());
    entries.map(serde_json::Map::len).sum::<usize>().to_string()
}

fn custom_cell(column: &super::crd::Column, object: &Value, now_ms: i64) -> Value {
    let path: Vec<&str> = column.path.iter().map(String::as_str).collect();
    match at(object, &path) {
        Some(Value::String(_)) if column.kind == "date" => since(object, &path, now_ms).into(),
        found => found.cloned().unwrap_or_default(),
    }
}
