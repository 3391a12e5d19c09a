//! The one tree that YAML is read into and objects are made of. Every node knows its place.

/// Which text a node came from: an index into the [`SourceTable`](crate::diagnostic::SourceTable)
/// of its snapshot, or the engine itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceId(pub u32);

impl SourceId {
    /// Nodes that Berth made, which stand in no file.
    pub const ENGINE: Self = Self(u32::MAX);
}

/// A stretch of a source text. Lines and columns count from 1; bytes from 0, the end is exclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Span {
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
    /// Line of the first byte.
    pub line: u32,
    /// Column of the first character, in characters.
    pub column: u32,
}

/// Where a node stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The text.
    pub source: SourceId,
    /// Where in it.
    pub span: Span,
}

impl Place {
    /// The place of what Berth itself made.
    pub const ENGINE: Self = Self {
        source: SourceId::ENGINE,
        span: Span {
            start: 0,
            end: 0,
            line: 0,
            column: 0,
        },
    };
}

/// A value and its place.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// What it is.
    pub value: Value,
    /// Where it came from.
    pub place: Place,
}

/// What a node is: the JSON data model, maps in the order of the text.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// `null`
    Null,
    /// `true`, `false`
    Bool(bool),
    /// Any number.
    Number(serde_json::Number),
    /// Text.
    String(Box<str>),
    /// A list.
    List(Vec<Node>),
    /// A map: the place of each key, and its value. Keys are unique.
    Map(Vec<(Key, Node)>),
}

/// A key of a map and its place.
#[derive(Debug, Clone, PartialEq)]
pub struct Key {
    /// The text of the key.
    pub name: Box<str>,
    /// Where it stands.
    pub place: Place,
}

impl Node {
    /// A node that Berth itself made.
    pub fn engine(value: &serde_json::Value) -> Self {
        Self::from_json(value, Place::ENGINE)
    }

    /// A tree of this JSON value, every node at `place`.
    pub fn from_json(json: &serde_json::Value, place: Place) -> Self {
        let value = match json {
            serde_json::Value::Null => Value::Null,
            serde_json::Value::Bool(flag) => Value::Bool(*flag),
            serde_json::Value::Number(number) => Value::Number(number.clone()),
            serde_json::Value::String(text) => Value::String(text.as_str().into()),
            serde_json::Value::Array(items) => Value::List(
                items
                    .iter()
                    .map(|item| Self::from_json(item, place))
                    .collect(),
            ),
            serde_json::Value::Object(map) => Value::Map(
                map.iter()
                    .map(|(name, item)| {
                        (
                            Key {
                                name: name.as_str().into(),
                                place,
                            },
                            Self::from_json(item, place),
                        )
                    })
                    .collect(),
            ),
        };
        Self { value, place }
    }

    /// The same tree without places.
    pub fn to_json(&self) -> serde_json::Value {
        match &self.value {
            Value::Null => serde_json::Value::Null,
            Value::Bool(flag) => (*flag).into(),
            Value::Number(number) => serde_json::Value::Number(number.clone()),
            Value::String(text) => serde_json::Value::String(text.to_string()),
            Value::List(items) => items.iter().map(Self::to_json).collect(),
            Value::Map(entries) => serde_json::Value::Object(
                entries
                    .iter()
                    .map(|(key, item)| (key.name.to_string(), item.to_json()))
                    .collect(),
            ),
        }
    }

    /// The value under `name`, if this is a map that has it.
    pub fn get(&self, name: &str) -> Option<&Self> {
        self.entries()
            .iter()
            .find(|(key, _)| &*key.name == name)
            .map(|(_, item)| item)
    }

    /// The node at this path of keys.
    pub fn at(&self, path: &[&str]) -> Option<&Self> {
        path.iter().try_fold(self, |node, name| node.get(name))
    }

    /// The entries of a map; nothing for anything else.
    pub fn entries(&self) -> &[(Key, Self)] {
        match &self.value {
            Value::Map(entries) => entries,
            _ => &[],
        }
    }

    /// The items of a list; nothing for anything else.
    pub fn items(&self) -> &[Self] {
        match &self.value {
            Value::List(items) => items,
            _ => &[],
        }
    }

    /// The text, if this is a string.
    pub fn as_str(&self) -> Option<&str> {
        match &self.value {
            Value::String(text) => Some(text),
            _ => None,
        }
    }
}
