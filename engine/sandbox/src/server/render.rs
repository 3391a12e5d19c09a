//! How objects are shown: whole, as a table, or by their metadata alone.

use serde_json::{Value, json};

use crate::kinds::{Kind, columns, event};
use crate::object::{self, text};
use crate::request::Request;

/// What the client asked to see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rendering {
    /// The objects.
    Whole,
    /// Rows with what `includeObject` says.
    Table(Include),
    /// `PartialObjectMetadata`.
    Metadata,
}

/// What a row carries beside its cells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Include {
    Nothing,
    Metadata,
    Object,
}

impl Rendering {
    pub(crate) fn of(request: &Request) -> Self {
        Self::wanted(request).unwrap_or(Self::Whole)
    }

    /// The first form that the client takes and that there is; `None` if there is none.
    pub(crate) fn wanted(request: &Request) -> Option<Self> {
        if request.accept.is_empty() {
            return Some(Self::Whole);
        }
        let mut ranges = request.accept.split(',');
        ranges.find_map(|range| Self::in_range(range, request))
    }

    fn in_range(range: &str, request: &Request) -> Option<Self> {
        let mut parts = range.split(';').map(str::trim);
        let media = parts.next().unwrap_or_default();
        if !is_json(media) {
            return None;
        }
        match parts.find_map(|part| part.strip_prefix("as=")) {
            None => Some(Self::Whole),
            Some("Table") => Some(Self::Table(match request.param("includeObject") {
                Some("None") => Include::Nothing,
                Some("Object") => Include::Object,
                _ => Include::Metadata,
            })),
            Some("PartialObjectMetadata" | "PartialObjectMetadataList") => Some(Self::Metadata),
            Some(_) => None,
        }
    }

    /// One object as JSON, as an answer or in a watch; `headed` tables leave their columns out.
    pub(crate) fn object(self, kind: &Kind, object: &Value, now_ms: i64, headed: bool) -> String {
        match self {
            Self::Whole => whole(kind, object),
            Self::Metadata => metadata(object).to_string(),
            Self::Table(include) => {
                let mut table = table(kind);
                let version = &object["metadata"]["resourceVersion"];
                table["metadata"]["resourceVersion"] = version.clone();
                table["rows"] = json!([row(kind, object, include, now_ms)]);
                if headed {
                    table["columnDefinitions"] = Value::Null;
                }
                table.to_string()
            }
        }
    }

    /// A list of objects as JSON.
    pub(crate) fn list<'a>(
        self,
        kind: &Kind,
        objects: impl Iterator<Item = &'a Value>,
        meta: Value,
        now_ms: i64,
    ) -> String {
        match self {
            Self::Whole => {
                let items: Vec<String> = objects.map(|object| item(kind, object)).collect();
                let name = format!("{}List", kind.kind);
                items_of(&name, &kind.api_version(), &meta, &items)
            }
            Self::Metadata => {
                let items: Vec<String> = objects.map(|each| metadata(each).to_string()).collect();
                items_of("PartialObjectMetadataList", "meta.k8s.io/v1", &meta, &items)
            }
            Self::Table(include) => {
                let mut table = table(kind);
                table["metadata"] = meta;
                let rows = objects.map(|object| row(kind, object, include, now_ms));
                let rows: Vec<Value> = rows.collect();
                if !(rows.is_empty() && columns::is_bare(kind)) {
                    table["rows"] = rows.into();
                }
                table.to_string()
            }
        }
    }
}

/// Whether a media range takes JSON; the real server knows no `application/*`.
pub(crate) fn is_json(range: &str) -> bool {
    let media = range.split(';').next().unwrap_or_default();
    matches!(media.trim(), "application/json" | "*/*")
}

/// Objects are many and large: they are written without being copied into a list first.
fn items_of(kind: &str, api_version: &str, meta: &Value, items: &[String]) -> String {
    let items = items.join(",");
    format!(
        "{{\"kind\":\"{kind}\",\"apiVersion\":\"{api_version}\",\"metadata\":{meta},\"items\":[{items}]}}"
    )
}

/// An object in a list: the list says of what kind it is, but for users' kinds.
fn item(kind: &Kind, object: &Value) -> String {
    if kind.custom.is_some() {
        return whole(kind, object);
    }
    let renamed = (kind.group == "events.k8s.io").then(|| shown(kind, object));
    let fields = renamed.as_ref().unwrap_or(object).as_object();
    let fields = fields.into_iter().flatten();
    let fields = fields.filter(|(name, _)| !matches!(name.as_str(), "apiVersion" | "kind"));
    let fields: Vec<String> = fields
        .map(|(name, value)| format!("\"{name}\":{value}"))
        .collect();
    format!("{{{}}}", fields.join(","))
}

fn whole(kind: &Kind, object: &Value) -> String {
    if text(object, &["apiVersion"]) == kind.api_version() {
        return object.to_string();
    }
    shown(kind, object).to_string()
}

/// The object in the version that was asked for.
pub(crate) fn shown(kind: &Kind, object: &Value) -> Value {
    let mut object = object.clone();
    if kind.group == "events.k8s.io" {
        event::to_new(&mut object);
    }
    object::set(&mut object, &["apiVersion"], kind.api_version());
    object
}

fn metadata(object: &Value) -> Value {
    json!({
        "kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": object["metadata"],
    })
}

fn table(kind: &Kind) -> Value {
    let definitions = columns::columns(kind).into_iter().map(|column| {
        let format = if column.name == "Name" { "name" } else { "" };
        json!({
            "name": column.name, "type": column.kind, "format": format, "description": "",
            "priority": column.priority,
        })
    });
    json!({
        "kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": {},
        "columnDefinitions": definitions.collect::<Vec<_>>(), "rows": null,
    })
}

fn row(kind: &Kind, object: &Value, include: Include, now_ms: i64) -> Value {
    let mut row = json!({"cells": columns::cells(kind, object, now_ms)});
    match include {
        Include::Nothing => {}
        Include::Metadata => row["object"] = metadata(object),
        Include::Object => row["object"] = shown(kind, object),
    }
    row
}
