//! Bodies of objects, without the book that the server keeps of who set which field
//! (`metadata.managedFields`): it is long, and of no use to a fact.

use std::fmt;

use serde::de::{Deserialize, DeserializeOwned, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::error::Category;
use serde_json::{Map, Value};

/// An object that was read so.
#[derive(Debug)]
pub(super) struct Lean(pub(super) Value);

/// Reads a body. The error never holds any of it: who knows what a value of the wrong type is.
pub(super) fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, String> {
    serde_json::from_slice(body).map_err(|error| match error.classify() {
        Category::Data => "it is no object as Kubernetes writes it".to_owned(),
        Category::Io | Category::Syntax | Category::Eof => error.to_string(),
    })
}

impl<'de> Deserialize<'de> for Lean {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_map(Object).map(Value::Object).map(Self)
    }
}

/// The fields of the object: only its metadata is looked into.
struct Object;

impl<'de> Visitor<'de> for Object {
    type Value = Map<String, Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Self::Value, A::Error> {
        let mut map = Map::new();
        while let Some(name) = fields.next_key::<String>()? {
            let value = if name == "metadata" {
                Value::Object(fields.next_value::<Metadata>()?.0)
            } else {
                fields.next_value()?
            };
            map.insert(name, value);
        }
        Ok(map)
    }
}

struct Metadata(Map<String, Value>);

impl<'de> Deserialize<'de> for Metadata {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_map(Fields).map(Self)
    }
}

struct Fields;

impl<'de> Visitor<'de> for Fields {
    type Value = Map<String, Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the metadata of an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Self::Value, A::Error> {
        let mut map = Map::new();
        while let Some(name) = fields.next_key::<String>()? {
            if name == "managedFields" {
                fields.next_value::<IgnoredAny>()?;
            } else {
                map.insert(name, fields.next_value()?);
            }
        }
        Ok(map)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_servers_own_book_is_left_out() {
        let text = r#"{"kind": "Pod", "metadata": {"name": "a", "managedFields": [{"manager": "kwok"}],
            "labels": {"managedFields": "kept"}}, "spec": {"managedFields": 1}}"#;
        let Lean(object) = read(text.as_bytes()).unwrap();
        let kept = serde_json::json!({
            "kind": "Pod", "metadata": {"name": "a", "labels": {"managedFields": "kept"}},
            "spec": {"managedFields": 1},
        });
        assert_eq!(object, kept);
        for body in [
            r#""hunter2""#,
            r#"{"metadata": "hunter2"}"#,
            r#"{"kind": hunter2}"#,
        ] {
            let error = read::<Lean>(body.as_bytes()).unwrap_err();
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}
