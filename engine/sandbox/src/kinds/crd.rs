//! Kinds that users define.

use berth_openapi::{Resource, Shape, Subresource};
use serde_json::{Value, json};

use super::{Kind, storage};
use crate::clock;
use crate::object::{default, list, set, text};

/// What a definition says of a kind beside what the facts hold.
#[derive(Debug)]
pub(crate) struct Custom {
    /// The columns that it adds.
    pub(crate) columns: Vec<Column>,
    /// The structural schema of its objects.
    pub(crate) schema: Value,
}

/// A column of a user's kind.
#[derive(Debug)]
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) priority: i64,
    pub(crate) path: Vec<String>,
}

const VERBS: &[&str] = &[
    "create",
    "delete",
    "deletecollection",
    "get",
    "list",
    "patch",
    "update",
    "watch",
];

/// The kinds of a definition, one a served version.
pub(crate) fn kinds(definition: &Value) -> Vec<Kind> {
    let versions = list(definition, &["spec", "versions"]).iter();
    let served = versions.filter(|version| version["served"].as_bool() == Some(true));
    served.map(|version| kind(definition, version)).collect()
}

fn kind(definition: &Value, version: &Value) -> Kind {
    let owned = |path: &[&str]| text(definition, path).to_owned();
    let strings = |path: &[&str]| {
        let texts = list(definition, path).iter().filter_map(Value::as_str);
        texts.map(str::to_owned).collect::<Vec<_>>()
    };
    let facts = Resource {
        group: owned(&["spec", "group"]),
        version: text(version, &["name"]).to_owned(),
        kind: owned(&["spec", "names", "kind"]),
        plural: owned(&["spec", "names", "plural"]),
        singular: owned(&["spec", "names", "singular"]),
        namespaced: text(definition, &["spec", "scope"]) != "Cluster",
        verbs: VERBS.iter().map(|&verb| verb.to_owned()).collect(),
        short_names: strings(&["spec", "names", "shortNames"]),
        categories: strings(&["spec", "names", "categories"]),
        subresources: subresources(definition, version),
        type_name: String::new(),
    };
    let schema = version
        .pointer("/schema/openAPIV3Schema")
        .cloned()
        .unwrap_or_default();
    Kind {
        storage: storage(&facts.group, &facts.plural),
        shape: Shape::from_crd_schema(&schema),
        custom: Some(Custom {
            columns: columns(version),
            schema,
        }),
        facts,
    }
}

fn subresources(definition: &Value, version: &Value) -> Vec<Subresource> {
    if version.pointer("/subresources/status").is_none() {
        return Vec::new();
    }
    vec![Subresource {
        name: "status".to_owned(),
        group: text(definition, &["spec", "group"]).to_owned(),
        version: text(version, &["name"]).to_owned(),
        kind: text(definition, &["spec", "names", "kind"]).to_owned(),
        verbs: ["get", "patch", "update"].map(str::to_owned).to_vec(),
        type_name: String::new(),
    }]
}

fn columns(version: &Value) -> Vec<Column> {
    let column = |column: &Value| Column {
        name: text(column, &["name"]).to_owned(),
        kind: text(column, &["type"]).to_owned(),
        priority: column["priority"].as_i64().unwrap_or_default(),
        path: text(column, &["jsonPath"])
            .split('.')
            .filter(|key| !key.is_empty())
            .map(str::to_owned)
            .collect(),
    };
    list(version, &["additionalPrinterColumns"])
        .iter()
        .map(column)
        .collect()
}

/// Sets the names that the real server makes of the kind.
pub(crate) fn defaults(definition: &mut Value) {
    let kind = text(definition, &["spec", "names", "kind"]);
    let (singular, list_kind) = (kind.to_lowercase(), format!("{kind}List"));
    default(definition, &["spec", "names", "singular"], singular);
    default(definition, &["spec", "names", "listKind"], list_kind);
    default(
        definition,
        &["spec", "conversion"],
        json!({"strategy": "None"}),
    );
}

/// What the real server's controllers say of a new definition: it is established at once.
pub(crate) fn establish(definition: &mut Value, now_ms: i64) {
    let stored: Vec<Value> = list(definition, &["spec", "versions"])
        .iter()
        .filter(|version| version["storage"] == true)
        .map(|version| version["name"].clone())
        .collect();
    let condition = |kind: &str, reason: &str, message: &str| {
        json!({
            "type": kind, "status": "True", "reason": reason, "message": message,
            "lastTransitionTime": clock::seconds(now_ms),
        })
    };
    let names = definition["spec"]["names"].clone();
    set(
        definition,
        &["status"],
        json!({
            "acceptedNames": names,
            "storedVersions": stored,
            "conditions": [
                condition("NamesAccepted", "NoConflicts", "no conflicts found"),
                condition("Established", "InitialNamesAccepted", "the initial names have been accepted"),
            ],
        }),
    );
}
