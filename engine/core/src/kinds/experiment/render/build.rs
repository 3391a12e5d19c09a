//! Small pieces that trees are built of.

use serde_json::Value as Json;

use crate::object::{Key, Node, Place, Value};

/// A map of Berth's own; fields keep the places of their values.
pub fn map<const N: usize>(fields: [(&str, Node); N]) -> Node {
    map_of(fields)
}

/// As [`map`], of any number of fields.
pub fn map_of<'a>(fields: impl IntoIterator<Item = (&'a str, Node)>) -> Node {
    let fields = fields.into_iter().map(|(name, node)| {
        let key = Key {
            name: name.into(),
            place: node.place,
        };
        (key, node)
    });
    Node {
        value: Value::Map(fields.collect()),
        place: Place::ENGINE,
    }
}

/// A list of Berth's own.
pub fn list(items: impl IntoIterator<Item = Node>) -> Node {
    Node {
        value: Value::List(items.into_iter().collect()),
        place: Place::ENGINE,
    }
}

/// A text of Berth's own.
pub fn text(text: impl Into<String>) -> Node {
    at(Place::ENGINE, &Json::String(text.into()))
}

/// A value that comes from this place.
pub fn at(place: Place, json: &Json) -> Node {
    Node::from_json(json, place)
}

/// The field `name` of a map, taken out of it.
pub fn take(node: &mut Node, name: &str) -> Option<Node> {
    let Value::Map(entries) = &mut node.value else {
        return None;
    };
    let index = entries.iter().position(|(key, _)| &*key.name == name)?;
    Some(entries.remove(index).1)
}

/// Sets the field `name` of a map.
pub fn set(node: &mut Node, name: &str, value: Node) {
    take(node, name);
    if let Value::Map(entries) = &mut node.value {
        let key = Key {
            name: name.into(),
            place: value.place,
        };
        entries.push((key, value));
    }
}

/// The field `name` of a map, to change it.
pub fn field_mut<'a>(node: &'a mut Node, name: &str) -> Option<&'a mut Node> {
    match &mut node.value {
        Value::Map(entries) => entries
            .iter_mut()
            .find(|(key, _)| &*key.name == name)
            .map(|(_, item)| item),
        _ => None,
    }
}

/// The items of a list, to change them.
pub fn items_mut(node: &mut Node) -> &mut [Node] {
    match &mut node.value {
        Value::List(items) => items,
        _ => &mut [],
    }
}
