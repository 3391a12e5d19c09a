//! Brings an object into the form in which the API server keeps it.

use berth_openapi::{Fields, Quantity, Shape, facts};
use serde_json::Value;

use super::typed::below;

/// Takes out null and unknown fields, and empty lists and maps where the server keeps none, and
/// writes quantities in their canonical form.
///
/// This is what decoding does on the API server. Values of a wrong type are left as they are.
pub fn normalize(value: &mut Value, shape: &Shape) {
    match (facts().resolve(shape), value) {
        (shape @ Shape::Object(fields), Value::Object(map)) => {
            map.retain(|name, each| !each.is_null() && is_kept(fields, name, each));
            map.iter_mut()
                .for_each(|(name, each)| normalize(each, below(shape, name)));
        }
        (Shape::Map { value: of, .. }, Value::Object(map)) => {
            map.retain(|_, each| !each.is_null());
            map.values_mut().for_each(|each| normalize(each, of));
        }
        (Shape::List { item: of, .. }, Value::Array(items)) => {
            for each in items {
                normalize(each, of);
            }
        }
        (Shape::Quantity, value) => {
            if let Ok(quantity) = Quantity::from_json(value) {
                *value = Value::String(quantity.to_string());
            }
        }
        _ => {}
    }
}

fn is_kept(fields: &Fields, name: &str, value: &Value) -> bool {
    let Some(field) = fields.fields.get(name) else {
        return fields.open;
    };
    let empty = match (facts().resolve(&field.shape), value) {
        (Shape::List { .. }, Value::Array(items)) => items.is_empty(),
        (Shape::Map { .. }, Value::Object(map)) => map.is_empty(),
        _ => false,
    };
    !(fields.native && empty && field.zero.is_none())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn keeps_what_the_server_keeps() {
        let shape = facts().type_named("io.k8s.api.core.v1.Pod").unwrap();
        let mut pod = json!({"metadata": {"creationTimestamp": null, "labels": {"a": "b"}}, "spec": {
            "foo": 1,
            "containers": [{"name": "a", "resources": {"limits": {"cpu": "1000m", "memory": 1024}}}],
        }});
        normalize(&mut pod, shape);
        assert_eq!(
            pod,
            json!({"metadata": {"labels": {"a": "b"}}, "spec": {
                "containers": [{"name": "a", "resources": {"limits": {"cpu": "1", "memory": "1024"}}}],
            }})
        );
    }
}
