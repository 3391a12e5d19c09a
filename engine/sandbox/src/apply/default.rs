//! Fills in the defaults that a type's shape has.

use berth_openapi::{Shape, facts};
use serde_json::Value;

/// Adds the default of every absent or null field that has one, at any depth that is there, and
/// the zero values that the server's own form of an object always holds.
///
/// The defaults that the API server computes in code (a pod's `restartPolicy`) are not in shapes.
pub fn default(value: &mut Value, shape: &Shape) {
    match (facts().resolve(shape), value) {
        (Shape::Object(fields), Value::Object(map)) => {
            for (name, field) in &fields.fields {
                let always = field
                    .zero
                    .as_ref()
                    .filter(|zero| is_shown(zero, &field.shape));
                let given = field.default.as_ref().or(always);
                if let (true, Some(given)) = (map.get(name).is_none_or(Value::is_null), given) {
                    map.insert(name.clone(), given.clone());
                }
                if let Some(each) = map.get_mut(name) {
                    default(each, &field.shape);
                }
            }
        }
        (Shape::Map { value: of, .. }, Value::Object(map)) => {
            map.values_mut().for_each(|each| default(each, of));
        }
        (Shape::List { item: of, .. }, Value::Array(items)) => {
            for each in items {
                default(each, of);
            }
        }
        _ => {}
    }
}

/// Whether a zero value is written: of the nulls, only those of times are.
fn is_shown(zero: &Value, shape: &Shape) -> bool {
    !zero.is_null() || matches!(facts().resolve(shape), Shape::Time)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn fills_in_what_is_absent() {
        let shape = facts().type_named("io.k8s.api.core.v1.Service").unwrap();
        let mut service = json!({"spec": {"ports": [{"port": 1}, {"port": 2, "protocol": "UDP"}]}});
        default(&mut service, shape);
        assert_eq!(
            service,
            json!({
                "metadata": {},
                "spec": {"ports": [{"port": 1, "protocol": "TCP"}, {"port": 2, "protocol": "UDP"}]},
                "status": {"loadBalancer": {}},
            })
        );
    }

    #[test]
    fn a_default_has_defaults_itself() {
        let shape = Shape::from_crd_schema(&json!({"type": "object", "properties": {
            "spec": {"type": "object", "default": {}, "properties": {
                "size": {"type": "integer", "default": 3},
            }},
        }}));
        let mut object = json!({"spec": null});
        default(&mut object, &shape);
        assert_eq!(object, json!({"spec": {"size": 3}}));
    }
}
