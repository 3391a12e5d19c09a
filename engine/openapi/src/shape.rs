//! The type of a field, as far as merging, defaulting and checking need it.

use std::collections::BTreeMap;

use serde_json::Value;

/// The type of a value in an API object.
#[derive(Clone, Debug, PartialEq)]
pub enum Shape {
    /// Text; `values` holds the allowed ones, or nothing when all are.
    String {
        /// The OpenAPI format, such as `byte`.
        format: Option<String>,
        /// The enumeration, if there is one.
        values: Vec<String>,
    },
    /// A whole number.
    Integer {
        /// `int32` or `int64`.
        format: Option<String>,
    },
    /// Any JSON number.
    Number,
    /// `true` or `false`.
    Boolean,
    /// A resource quantity: a string such as `500Mi`, or a number.
    Quantity,
    /// A number or a string, such as a port or a percentage.
    IntOrString,
    /// A point in time as RFC 3339 writes it.
    Time,
    /// An object whose fields are known.
    Object(Fields),
    /// An object with free keys.
    Map {
        /// The shape of each value.
        value: Box<Shape>,
        /// Whether the map has one owner as a whole.
        atomic: bool,
    },
    /// A list.
    List {
        /// The shape of each item.
        item: Box<Shape>,
        /// How server-side apply merges it.
        kind: ListKind,
        /// The key by which a strategic merge patch merges it; it can differ from the map keys.
        patch_merge_key: Option<String>,
        /// How a strategic merge patch treats it.
        patch_strategy: PatchStrategy,
    },
    /// A value of which nothing is known.
    Any,
    /// A named type, see [`Facts::resolve`](crate::Facts::resolve).
    Ref(String),
}

impl Shape {
    /// Text without a format or an enumeration.
    pub fn text() -> Self {
        Self::String {
            format: None,
            values: Vec::new(),
        }
    }
}

/// How server-side apply merges a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListKind {
    /// The list has one owner as a whole and is replaced as a whole.
    Atomic,
    /// Each value is owned on its own.
    Set,
    /// Each item is owned on its own and is found by these fields.
    Map(Vec<String>),
}

/// What `x-kubernetes-patch-strategy` says of a field; all false means replace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PatchStrategy {
    /// Lists are merged by key or as sets.
    pub merge: bool,
    /// Fields that `$retainKeys` does not name are dropped.
    pub retain_keys: bool,
    /// Maps, merged otherwise, are replaced.
    pub replace: bool,
}

/// The fields of an object.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Fields {
    /// The fields by name.
    pub fields: BTreeMap<String, Field>,
    /// The fields that must be there.
    pub required: Vec<String>,
    /// Whether the object has one owner as a whole.
    pub atomic: bool,
    /// Whether unknown fields are kept, as a custom resource may ask for.
    pub open: bool,
    /// Whether the API server keeps such objects as a type of its own code, which knows no empty
    /// lists and maps but as absent fields; custom resources it keeps as they are written.
    pub native: bool,
}

impl Fields {
    /// The shape of the field `name`.
    pub fn shape(&self, name: &str) -> Option<&Shape> {
        self.fields.get(name).map(|field| &field.shape)
    }
}

/// One field of an object.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// The type of its value.
    pub shape: Shape,
    /// The value that the server fills in when the field is absent.
    pub default: Option<Value>,
    /// How a strategic merge patch treats it.
    pub patch_strategy: PatchStrategy,
    /// What the API server's own form of the object holds while the field is absent: `{}`, an
    /// empty text, 0, false or null. Nothing where that form knows absence, as in custom resources.
    pub zero: Option<Value>,
}

impl From<Shape> for Field {
    fn from(shape: Shape) -> Self {
        Self {
            shape,
            default: None,
            patch_strategy: PatchStrategy::default(),
            zero: None,
        }
    }
}
