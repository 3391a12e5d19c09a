//! Reads an OpenAPI schema as a [`Shape`].

use serde_json::{Map, Value};

use crate::shape::{Field, Fields, ListKind, PatchStrategy, Shape};

/// The name of the type that every object's `metadata` has.
const OBJECT_META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";

impl Shape {
    /// The shape of a custom resource, from the structural schema of a version of its definition.
    ///
    /// `apiVersion`, `kind` and `metadata` are added, as the server does. What a schema says of
    /// values (patterns, bounds, rules) is not part of a shape.
    pub fn from_crd_schema(schema: &Value) -> Self {
        let mut shape = Self::from_schema(schema);
        match &mut shape {
            Self::Object(fields) => embed(fields),
            other => {
                let mut fields = Fields {
                    open: matches!(other, Self::Any),
                    ..Fields::default()
                };
                embed(&mut fields);
                *other = Self::Object(fields);
            }
        }
        shape
    }

    /// The shape that a schema of the facts, or a part of a structural schema, describes.
    pub(crate) fn from_schema(schema: &Value) -> Self {
        if let Some(name) = schema["ref"].as_str() {
            return Self::Ref(name.to_owned());
        }
        if schema["x-kubernetes-int-or-string"] == true || schema["format"] == "int-or-string" {
            return Self::IntOrString;
        }
        match schema["type"].as_str() {
            Some("string") => text(schema),
            Some("integer") => Self::Integer {
                format: owned(&schema["format"]),
            },
            Some("number") => Self::Number,
            Some("boolean") => Self::Boolean,
            Some("array") => list(schema),
            Some("object") => object(schema),
            _ => Self::Any,
        }
    }

    /// The shape of the type `name`; a few have a meaning that their schema does not say.
    pub(crate) fn of_type(name: &str, schema: &Value) -> Self {
        match name {
            "io.k8s.apimachinery.pkg.api.resource.Quantity" => Self::Quantity,
            "io.k8s.apimachinery.pkg.apis.meta.v1.Time"
            | "io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime" => Self::Time,
            _ => native(timed(name, Self::from_schema(schema))),
        }
    }
}

/// Times that the server's types hold by value: without one they are there, as null. The documents
/// do not tell them from those that may be absent.
const TIMES: &[(&str, &[&str])] = &[
    (
        "io.k8s.api.core.v1.PodCondition",
        &["lastProbeTime", "lastTransitionTime"],
    ),
    (
        "io.k8s.api.core.v1.NodeCondition",
        &["lastHeartbeatTime", "lastTransitionTime"],
    ),
    (
        "io.k8s.api.core.v1.PersistentVolumeClaimCondition",
        &["lastProbeTime", "lastTransitionTime"],
    ),
    ("io.k8s.api.core.v1.ContainerStateRunning", &["startedAt"]),
    (
        "io.k8s.api.core.v1.ContainerStateTerminated",
        &["startedAt", "finishedAt"],
    ),
    (
        "io.k8s.api.core.v1.Event",
        &["eventTime", "firstTimestamp", "lastTimestamp"],
    ),
    (
        "io.k8s.api.events.v1.Event",
        &[
            "eventTime",
            "deprecatedFirstTimestamp",
            "deprecatedLastTimestamp",
        ],
    ),
];

fn timed(name: &str, mut shape: Shape) -> Shape {
    let times = TIMES.iter().find(|(known, _)| *known == name);
    if let (Shape::Object(fields), Some((_, times))) = (&mut shape, times) {
        for time in *times {
            if let Some(field) = fields.fields.get_mut(*time) {
                field.zero = Some(Value::Null);
            }
        }
    }
    shape
}

/// A required field of a type of the server is there even while it has no value.
fn native(mut shape: Shape) -> Shape {
    if let Shape::Object(Fields {
        fields,
        required,
        native,
        ..
    }) = &mut shape
    {
        *native = true;
        for name in required {
            if let Some(field) = fields.get_mut(name) {
                field.zero.get_or_insert(Value::Null);
            }
        }
    }
    shape
}

fn text(schema: &Value) -> Shape {
    Shape::String {
        format: owned(&schema["format"]),
        values: strings(&schema["enum"]),
    }
}

fn list(schema: &Value) -> Shape {
    let kind = match schema["x-kubernetes-list-type"].as_str() {
        Some("set") => ListKind::Set,
        Some("map") => ListKind::Map(strings(&schema["x-kubernetes-list-map-keys"])),
        _ => ListKind::Atomic,
    };
    Shape::List {
        item: Box::new(Shape::from_schema(&schema["items"])),
        kind,
        patch_merge_key: owned(&schema["x-kubernetes-patch-merge-key"]),
        patch_strategy: strategy(schema),
    }
}

fn object(schema: &Value) -> Shape {
    let atomic = schema["x-kubernetes-map-type"] == "atomic";
    let open = schema["x-kubernetes-preserve-unknown-fields"] == true;
    let embedded = schema["x-kubernetes-embedded-resource"] == true;
    match (&schema["properties"], &schema["additionalProperties"]) {
        (Value::Object(properties), _) => fields(schema, properties, atomic, open, embedded),
        (_, value @ Value::Object(_)) => Shape::Map {
            value: Box::new(Shape::from_schema(value)),
            atomic,
        },
        (_, Value::Bool(true)) => Shape::Map {
            value: Box::new(Shape::Any),
            atomic,
        },
        _ if embedded => fields(schema, &Map::new(), atomic, open, embedded),
        _ => Shape::Any,
    }
}

fn fields(
    schema: &Value,
    properties: &Map<String, Value>,
    atomic: bool,
    open: bool,
    embedded: bool,
) -> Shape {
    let fields = properties
        .iter()
        .map(|(name, each)| (name.clone(), field(each)))
        .collect();
    let mut fields = Fields {
        fields,
        required: strings(&schema["required"]),
        atomic,
        open,
        native: false,
    };
    if embedded {
        embed(&mut fields);
    }
    Shape::Object(fields)
}

fn field(schema: &Value) -> Field {
    Field {
        shape: Shape::from_schema(schema),
        default: schema.get("default").cloned(),
        patch_strategy: strategy(schema),
        zero: (schema["zero"] == true).then(|| zero(schema)),
    }
}

fn zero(schema: &Value) -> Value {
    match schema["type"].as_str() {
        Some("string") => "".into(),
        Some("integer" | "number") => 0.into(),
        Some("boolean") => false.into(),
        _ => Value::Object(Map::new()),
    }
}

/// Adds what every API object has.
fn embed(fields: &mut Fields) {
    let meta = Shape::Ref(OBJECT_META.to_owned());
    for (name, shape) in [
        ("apiVersion", Shape::text()),
        ("kind", Shape::text()),
        ("metadata", meta),
    ] {
        fields.fields.insert(name.to_owned(), shape.into());
    }
}

fn strategy(schema: &Value) -> PatchStrategy {
    let words = schema["x-kubernetes-patch-strategy"]
        .as_str()
        .unwrap_or_default();
    let says = |word| words.split(',').any(|each| each == word);
    PatchStrategy {
        merge: says("merge"),
        retain_keys: says("retainKeys"),
        replace: says("replace"),
    }
}

fn owned(value: &Value) -> Option<String> {
    value.as_str().map(ToOwned::to_owned)
}

fn strings(value: &Value) -> Vec<String> {
    value
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn reads_a_structural_schema() {
        let shape = Shape::from_crd_schema(&json!({
            "type": "object",
            "required": ["spec"],
            "properties": {"spec": {"type": "object", "properties": {
                "size": {"type": "integer", "format": "int32", "default": 3},
                "port": {"x-kubernetes-int-or-string": true},
                "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
                "tags": {"type": "object", "additionalProperties": {"type": "string"}},
                "items": {
                    "type": "array", "items": {"type": "object"},
                    "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"],
                },
            }}},
        }));
        let Shape::Object(root) = shape else {
            panic!("not an object")
        };
        assert_eq!(root.required, ["spec"]);
        assert_eq!(
            root.shape("metadata"),
            Some(&Shape::Ref(OBJECT_META.to_owned()))
        );
        let Some(Shape::Object(spec)) = root.shape("spec") else {
            panic!("no spec")
        };
        assert_eq!(spec.fields["size"].default, Some(json!(3)));
        assert_eq!(spec.shape("port"), Some(&Shape::IntOrString));
        assert_eq!(spec.shape("free"), Some(&Shape::Any));
        assert!(matches!(
            spec.shape("tags"),
            Some(Shape::Map { atomic: false, .. })
        ));
        let Some(Shape::List { kind, .. }) = spec.shape("items") else {
            panic!("no list")
        };
        assert_eq!(kind, &ListKind::Map(vec!["name".to_owned()]));
    }

    #[test]
    fn a_schema_that_says_nothing_still_has_metadata() {
        let Shape::Object(open) = Shape::from_crd_schema(&json!({
            "type": "object", "x-kubernetes-preserve-unknown-fields": true,
        })) else {
            panic!("not an object")
        };
        assert!(open.open && open.shape("metadata").is_some());
    }
}
