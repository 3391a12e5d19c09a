//! Lets the validator walk our trees without converting them.

use std::borrow::Cow;

use jsonschema::JsonType;
use jsonschema::json::{Array, Json, JsonNumber, Node as JsonNode, NodeIdentity, Object};

use crate::object::{Key, Node, Place, Value};

/// Our trees, as the validator sees them.
pub(super) struct NodeJson;

/// A text that is in no tree.
pub(super) struct Scratch(Node);

impl Default for Scratch {
    fn default() -> Self {
        Self(Node {
            value: Value::Null,
            place: Place::ENGINE,
        })
    }
}

impl Json for NodeJson {
    type Node<'a> = &'a Node;
    type PreparedKey = Box<str>;
    type StringBuffer = Scratch;

    fn prepare_key(key: &str) -> Box<str> {
        key.into()
    }

    fn with_string_node<T>(buffer: &mut Scratch, string: &str, f: impl FnOnce(&Node) -> T) -> T {
        buffer.0.value = Value::String(string.into());
        f(&buffer.0)
    }
}

impl<'a> JsonNode<'a, NodeJson> for &'a Node {
    type Object = Entries<'a>;
    type Array = Items<'a>;
    type Number = Number<'a>;

    fn as_object(&self) -> Option<Entries<'a>> {
        match &self.value {
            Value::Map(entries) => Some(Entries(entries)),
            _ => None,
        }
    }

    fn as_array(&self) -> Option<Items<'a>> {
        match &self.value {
            Value::List(items) => Some(Items(items)),
            _ => None,
        }
    }

    fn as_string(&self) -> Option<Cow<'a, str>> {
        match &self.value {
            Value::String(text) => Some(Cow::Borrowed(text)),
            _ => None,
        }
    }

    fn as_number(&self) -> Option<Number<'a>> {
        match &self.value {
            Value::Number(number) => Some(Number(number)),
            _ => None,
        }
    }

    fn as_boolean(&self) -> Option<bool> {
        match &self.value {
            Value::Bool(flag) => Some(*flag),
            _ => None,
        }
    }

    fn is_null(&self) -> bool {
        matches!(self.value, Value::Null)
    }

    fn json_type(&self) -> JsonType {
        match &self.value {
            Value::Null => JsonType::Null,
            Value::Bool(_) => JsonType::Boolean,
            Value::Number(_) => JsonType::Number,
            Value::String(_) => JsonType::String,
            Value::List(_) => JsonType::Array,
            Value::Map(_) => JsonType::Object,
        }
    }

    fn to_value(&self) -> Cow<'a, serde_json::Value> {
        Cow::Owned(self.to_json())
    }

    fn identity(&self) -> Option<NodeIdentity> {
        Some(NodeIdentity::new(std::ptr::from_ref::<Node>(self).addr()))
    }
}

/// A number. JSON Schema takes `4.0` for an integer; the types that are read afterwards do not.
pub(super) struct Number<'a>(&'a serde_json::Number);

impl JsonNumber for Number<'_> {
    fn as_u64(&self) -> Option<u64> {
        self.0.as_u64()
    }

    fn as_i64(&self) -> Option<i64> {
        self.0.as_i64()
    }

    fn as_f64(&self) -> Option<f64> {
        self.0.as_f64()
    }

    fn as_str(&self) -> Cow<'_, str> {
        Cow::Owned(self.0.to_string())
    }

    fn to_number(&self) -> Cow<'_, serde_json::Number> {
        Cow::Borrowed(self.0)
    }

    fn is_integer(&self) -> bool {
        !self.0.is_f64()
    }
}

/// A map.
pub(super) struct Entries<'a>(&'a [(Key, Node)]);

/// What is in a map.
pub(super) struct EntriesIter<'a>(std::slice::Iter<'a, (Key, Node)>);

impl<'a> Iterator for EntriesIter<'a> {
    type Item = (&'a str, &'a Node);

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next().map(|(key, node)| (&*key.name, node))
    }
}

impl<'a> Object<'a, NodeJson> for Entries<'a> {
    type Node = &'a Node;
    type MemberName = &'a str;
    type MembersIter = EntriesIter<'a>;

    fn len(&self) -> usize {
        self.0.len()
    }

    fn get(&self, key: &Box<str>) -> Option<&'a Node> {
        self.0
            .iter()
            .find(|(name, _)| name.name == *key)
            .map(|(_, node)| node)
    }

    fn members(&self) -> EntriesIter<'a> {
        EntriesIter(self.0.iter())
    }
}

/// A list.
pub(super) struct Items<'a>(&'a [Node]);

impl<'a> Array<'a, NodeJson> for Items<'a> {
    type Node = &'a Node;
    type ElementsIter = std::slice::Iter<'a, Node>;

    fn len(&self) -> usize {
        self.0.len()
    }

    fn elements(&self) -> std::slice::Iter<'a, Node> {
        self.0.iter()
    }
}
