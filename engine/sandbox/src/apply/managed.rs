//! `metadata.managedFields`: who owns which fields.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::fields::FieldSet;

/// How a manager came to own its fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    /// By server-side apply.
    Apply,
    /// By any other write.
    Update,
}

impl Operation {
    fn name(self) -> &'static str {
        match self {
            Self::Apply => "Apply",
            Self::Update => "Update",
        }
    }
}

/// Who owns fields. An applier is the same one whatever version it applies.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Manager {
    /// The name that it gives itself.
    pub name: String,
    /// How it writes.
    pub operation: Operation,
    /// The version in which it writes; empty for an applier.
    pub version: String,
    /// The subresource that it writes to; empty for the object itself.
    pub subresource: String,
}

/// As the messages of the API server name a manager.
impl std::fmt::Display for Manager {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.name)?;
        if !self.subresource.is_empty() {
            write!(f, " with subresource {:?}", self.subresource)?;
        }
        match self.operation {
            Operation::Apply => Ok(()),
            Operation::Update => write!(f, " using {}", self.version),
        }
    }
}

/// What a manager owns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Owned {
    pub fields: FieldSet,
    pub version: String,
    pub time: Option<String>,
}

/// All managers of an object.
pub(super) type Managers = BTreeMap<Manager, Owned>;

/// Reads the managers of an object.
pub(super) fn read(object: &Value) -> Managers {
    let entries = object["metadata"]["managedFields"].as_array();
    let named = |each: &&Value| each["manager"].is_string();
    entries
        .into_iter()
        .flatten()
        .filter(named)
        .map(entry)
        .collect()
}

fn entry(entry: &Value) -> (Manager, Owned) {
    let text = |name: &str| entry[name].as_str().unwrap_or_default().to_owned();
    let operation = if entry["operation"] == "Apply" {
        Operation::Apply
    } else {
        Operation::Update
    };
    let version = text("apiVersion");
    let manager = Manager {
        name: text("manager"),
        operation,
        version: if operation == Operation::Apply {
            String::new()
        } else {
            version.clone()
        },
        subresource: text("subresource"),
    };
    let fields = FieldSet::parse(&entry["fieldsV1"]);
    (
        manager,
        Owned {
            fields,
            version,
            time: entry["time"].as_str().map(ToOwned::to_owned),
        },
    )
}

/// Writes the managers that own something, appliers first, then the oldest first.
pub(super) fn write(object: &mut Value, managers: &Managers) {
    let mut sorted: Vec<_> = managers
        .iter()
        .filter(|(_, owned)| !owned.fields.is_empty())
        .collect();
    sorted.sort_by_key(|(manager, owned)| {
        (
            manager.operation,
            &owned.time,
            &manager.name,
            &owned.version,
            &manager.subresource,
        )
    });
    let entries: Vec<_> = sorted
        .into_iter()
        .map(|(manager, owned)| print(manager, owned))
        .collect();
    let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) else {
        return;
    };
    if entries.is_empty() {
        metadata.remove("managedFields");
    } else {
        metadata.insert("managedFields".to_owned(), entries.into());
    }
}

fn print(manager: &Manager, owned: &Owned) -> Value {
    let mut entry = json!({
        "manager": manager.name,
        "operation": manager.operation.name(),
        "apiVersion": owned.version,
        "fieldsType": "FieldsV1",
        "fieldsV1": owned.fields.print(),
    });
    if let Some(time) = &owned.time {
        entry["time"] = json!(time);
    }
    if !manager.subresource.is_empty() {
        entry["subresource"] = json!(manager.subresource);
    }
    entry
}

/// The fields that nobody owns: the object's identity, and what the server alone writes.
pub(super) fn unowned() -> FieldSet {
    const META: [&str; 8] = [
        "name",
        "namespace",
        "creationTimestamp",
        "selfLink",
        "uid",
        "generation",
        "managedFields",
        "resourceVersion",
    ];
    let mut set = FieldSet::default();
    for name in ["apiVersion", "kind", "metadata"] {
        set.insert_path(&[name]);
    }
    for name in META {
        set.insert_path(&["metadata", name]);
    }
    set
}
