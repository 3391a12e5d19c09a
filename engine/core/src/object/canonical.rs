//! The canonical form of a value: what means the same is the same.

use berth_openapi::{Quantity, Shape, facts};

use super::list::{Items, items};
use super::{Node, Value};
use crate::ids::{Digest, DigestWriter};

/// The digest of a value: the order of maps and of keyed lists does not count, quantities count by
/// their value, and `null` is the same as absent where the shape is known. `domain` names what is digested and its
/// version, such as `pod/v1`.
pub fn digest(domain: &str, node: &Node, shape: &Shape) -> Digest {
    let mut writer = DigestWriter::new(domain);
    write(&mut writer, node, shape);
    writer.finish()
}

/// Feeds the canonical form of a value into a digest that holds more than it.
pub fn write(writer: &mut DigestWriter, node: &Node, shape: &Shape) {
    let shape = facts().resolve(shape);
    match &node.value {
        Value::Map(entries) => {
            let mut entries: Vec<_> = entries
                .iter()
                .filter(|(_, item)| item.value != Value::Null || *shape == Shape::Any)
                .collect();
            entries.sort_by(|(left, _), (right, _)| left.name.cmp(&right.name));
            writer.field(format!("map {}", entries.len()).as_bytes());
            for (key, item) in entries {
                writer.field(key.name.as_bytes());
                write(writer, item, below(shape, &key.name));
            }
        }
        Value::List(list) => {
            let (kind, item_shape) = items(shape);
            writer.field(format!("list {}", list.len()).as_bytes());
            for item in in_order(list, kind, item_shape) {
                write(writer, item, item_shape);
            }
        }
        _ => writer.field(scalar(node, shape).as_bytes()),
    }
}

fn in_order<'a>(list: &'a [Node], kind: Items<'_>, shape: &Shape) -> Vec<&'a Node> {
    let mut list: Vec<&Node> = list.iter().collect();
    // Stable: items that cannot be named stay where they are relative to each other.
    list.sort_by_cached_key(|item| kind.key_of(item, shape));
    list
}

pub(super) fn below<'a>(shape: &'a Shape, name: &str) -> &'a Shape {
    facts().step(shape, name).unwrap_or(&Shape::Any)
}

/// The text of a scalar, the same for values that the server holds to be the same.
pub(super) fn scalar(node: &Node, shape: &Shape) -> String {
    let json = node.to_json();
    if matches!(shape, Shape::Quantity)
        && let Ok(quantity) = Quantity::from_json(&json)
    {
        return format!("quantity {}", quantity.nanos());
    }
    json.to_string()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;

    fn of(value: &Json) -> Digest {
        let pod = facts().type_named("io.k8s.api.core.v1.Pod").unwrap();
        digest("test", &Node::engine(value), pod)
    }

    #[allow(clippy::needless_pass_by_value)]
    fn task(fields: Json) -> Json {
        json!({"spec": {"containers": [fields]}})
    }

    #[test]
    fn what_means_the_same_has_one_digest() {
        let same = [
            (
                task(json!({"resources": {"limits": {"cpu": "1", "memory": "1Gi"}}})),
                task(json!({"resources": {"limits": {"memory": "1024Mi", "cpu": "1000m"}}})),
            ),
            (
                task(json!({"env": [{"name": "A"}, {"name": "B"}]})),
                task(json!({"env": [{"name": "B"}, {"name": "A"}], "image": null})),
            ),
        ];
        for (left, right) in same {
            assert_eq!(of(&left), of(&right));
        }
    }

    #[test]
    fn what_differs_has_another() {
        let different = [
            (
                task(json!({"args": ["a", "b"]})),
                task(json!({"args": ["b", "a"]})),
            ),
            (
                task(json!({"args": ["ab"]})),
                task(json!({"args": ["a", "b"]})),
            ),
            (task(json!({"tty": true})), task(json!({"tty": "true"}))),
            (json!({"a": {}}), json!({})),
            (json!({"a": {"b": {}}}), json!({"a": {}, "b": {}})),
            (json!({"a": 1}), json!({"a": 1.0})),
            (json!({"unknown": {"a": null}}), json!({"unknown": {}})),
        ];
        for (left, right) in different {
            assert_ne!(of(&left), of(&right), "{left} {right}");
        }
    }
}
