//! What of a body cannot be decoded into its type, in the words of the API server.

use berth_openapi::{Quantity, Shape, facts};
use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::go;
use crate::base64;

/// The first part of `value` that the type of `kind` cannot hold, as in
/// `json: cannot unmarshal string into Go struct field PodSpec.spec.hostNetwork of type bool`.
///
/// The caller puts `Pod in version "v1" cannot be handled as a Pod: ` before it.
pub fn mismatch(value: &Value, shape: &Shape, kind: &str) -> Option<String> {
    Place {
        owner: kind,
        path: String::new(),
    }
    .visit(value, shape)
}

/// The last struct on the way, and the path of names to here.
struct Place<'a> {
    owner: &'a str,
    path: String,
}

impl<'a> Place<'a> {
    fn visit(&self, value: &Value, shape: &'a Shape) -> Option<String> {
        if value.is_null() {
            return None;
        }
        match (facts().resolve(shape), value) {
            (Shape::Object(fields), Value::Object(map)) => {
                let owner = match shape {
                    Shape::Ref(name) => last(name),
                    _ => self.owner,
                };
                map.iter().find_map(|(name, each)| {
                    let path = match self.path.as_str() {
                        "" => name.clone(),
                        path => format!("{path}.{name}"),
                    };
                    Place { owner, path }.visit(each, fields.shape(name)?)
                })
            }
            (Shape::Map { value: of, .. }, Value::Object(map)) => {
                map.values().find_map(|each| self.visit(each, of))
            }
            (Shape::List { item, .. }, Value::Array(items)) => {
                items.iter().find_map(|each| self.visit(each, item))
            }
            (found, value) => self.leaf(value, shape, found),
        }
    }

    fn leaf(&self, value: &Value, shape: &Shape, found: &Shape) -> Option<String> {
        let fits = match found {
            Shape::String { format, .. } => {
                let bytes = format.as_deref() == Some("byte");
                if let Some(text) = value.as_str().filter(|_| bytes) {
                    let at = base64::fault(text)?;
                    return Some(format!("illegal base64 data at input byte {at}"));
                }
                value.is_string()
            }
            Shape::Boolean => value.is_boolean(),
            Shape::Number => value.is_number(),
            Shape::Integer { format } => {
                let small = format.as_deref() == Some("int32");
                value
                    .as_i64()
                    .is_some_and(|number| !small || i32::try_from(number).is_ok())
            }
            Shape::Object(_) | Shape::Map { .. } | Shape::List { .. } => false,
            Shape::Any | Shape::Ref(_) => true,
            Shape::Quantity => {
                return Quantity::from_json(value)
                    .err()
                    .map(|error| error.to_string());
            }
            Shape::IntOrString => return int_or_string(value),
            Shape::Time => return not_a_time(value),
        };
        (!fits).then(|| self.words(value, shape))
    }

    fn words(&self, value: &Value, shape: &Shape) -> String {
        let number = match (value, facts().resolve(shape)) {
            (Value::Number(number), Shape::Integer { .. }) => format!(" {number}"),
            _ => String::new(),
        };
        let (name, go_type) = (go::json_name(value), go_type(shape));
        let field = format!("{}.{}", self.owner, self.path);
        format!(
            "json: cannot unmarshal {name}{number} into Go struct field {field} of type {go_type}"
        )
    }
}

fn int_or_string(value: &Value) -> Option<String> {
    let fits = value.is_string() || value.as_i64().is_some_and(|it| i32::try_from(it).is_ok());
    let name = go::json_name(value);
    (!fits).then(|| format!("json: cannot unmarshal {name} into Go value of type int32"))
}

fn not_a_time(value: &Value) -> Option<String> {
    let Some(text) = value.as_str() else {
        let name = go::json_name(value);
        return Some(format!(
            "json: cannot unmarshal {name} into Go value of type string"
        ));
    };
    let words = || {
        format!(
            "parsing time {text:?} as \"2006-01-02T15:04:05Z07:00\": \
             cannot parse {text:?} as \"2006\""
        )
    };
    OffsetDateTime::parse(text, &Rfc3339).is_err().then(words)
}

/// What the API server's code calls a type; that of an enumeration is not in the facts.
fn go_type(shape: &Shape) -> String {
    match shape {
        Shape::Ref(name) => {
            let package = name.trim_end_matches(last(name)).trim_end_matches('.');
            format!("{}.{}", last(package), last(name))
        }
        Shape::List { item, .. } => format!("[]{}", go_type(item)),
        Shape::Map { value, .. } => format!("map[string]{}", go_type(value)),
        Shape::Integer { format } => format.clone().unwrap_or_else(|| "int64".to_owned()),
        Shape::Number => "float64".to_owned(),
        Shape::Boolean => "bool".to_owned(),
        _ => "string".to_owned(),
    }
}

fn last(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn in_the_words_of_the_server() {
        let shape = facts().type_named("io.k8s.api.core.v1.Pod").unwrap();
        let labels = json!({"metadata": {"labels": {"a": 1}}});
        let container = |container: Value| json!({"spec": {"containers": [container]}});
        for (pod, words) in [
            (
                json!({"spec": {"hostNetwork": "x"}}),
                "string into Go struct field PodSpec.spec.hostNetwork of type bool",
            ),
            (
                json!({"spec": {"containers": {}}}),
                "object into Go struct field PodSpec.spec.containers of type []v1.Container",
            ),
            (
                json!({"spec": "x"}),
                "string into Go struct field Pod.spec of type v1.PodSpec",
            ),
            (
                json!({"spec": {"activeDeadlineSeconds": 1.5}}),
                "number 1.5 into Go struct field PodSpec.spec.activeDeadlineSeconds of type int64",
            ),
            (
                json!({"spec": {"priority": 99_999_999_999_i64}}),
                "number 99999999999 into Go struct field PodSpec.spec.priority of type int32",
            ),
            (
                container(json!({"image": 3})),
                "number into Go struct field Container.spec.containers.image of type string",
            ),
            (
                container(json!({"args": [1]})),
                "number into Go struct field Container.spec.containers.args of type string",
            ),
            (
                labels,
                "number into Go struct field ObjectMeta.metadata.labels of type string",
            ),
        ] {
            let expected = format!("json: cannot unmarshal {words}");
            assert_eq!(mismatch(&pod, shape, "Pod"), Some(expected));
        }
        let cpu = |cpu: Value| container(json!({"resources": {"limits": {"cpu": cpu}}}));
        assert_eq!(
            mismatch(&cpu(json!("1kk")), shape, "Pod").unwrap(),
            "unable to parse quantity's suffix"
        );
        assert!(
            mismatch(&cpu(json!(true)), shape, "Pod")
                .unwrap()
                .starts_with("quantities must match")
        );
        assert_eq!(
            mismatch(
                &json!({"metadata": {"deletionTimestamp": "x"}}),
                shape,
                "Pod"
            )
            .unwrap(),
            "parsing time \"x\" as \"2006-01-02T15:04:05Z07:00\": cannot parse \"x\" as \"2006\""
        );
        assert_eq!(mismatch(&cpu(json!(0.5)), shape, "Pod"), None);
    }
}
