//! Decoding of a body, with what strict field validation has to say.

use std::collections::BTreeSet;
use std::fmt;

use berth_openapi::{Shape, facts};
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// A body, read through the shape of its type.
#[derive(Clone, Debug, PartialEq)]
pub struct Decoded {
    /// All of it, unknown fields included; of a duplicate field the last one counts.
    pub value: Value,
    /// A sentence for each unknown or duplicate field, as in `unknown field "spec.foo"`: what goes
    /// into warnings, or, by [`strict_error`], into an error.
    pub findings: Vec<String>,
}

/// Reads a JSON body.
///
/// # Errors
/// The body is no JSON.
pub fn decode(body: &[u8], shape: &Shape) -> Result<Decoded, serde_json::Error> {
    let mut findings = Vec::new();
    let mut reader = serde_json::Deserializer::from_slice(body);
    let place = Place {
        shape: Some(facts().resolve(shape)),
        path: String::new(),
        findings: &mut findings,
    };
    let value = place.deserialize(&mut reader)?;
    reader.end()?;
    Ok(Decoded { value, findings })
}

/// The unknown fields of a value that was read otherwise (from YAML, or made by a patch).
pub fn unknown_fields(value: &Value, shape: &Shape) -> Vec<String> {
    decode(value.to_string().as_bytes(), shape)
        .map(|read| read.findings)
        .unwrap_or_default()
}

/// The words of the API server for findings under `fieldValidation=Strict`, if there are any.
pub fn strict_error(findings: &[String]) -> Option<String> {
    (!findings.is_empty()).then(|| format!("strict decoding error: {}", findings.join(", ")))
}

/// Where the reader stands. Without a shape nothing is known, and so nothing is unknown.
struct Place<'a, 's> {
    shape: Option<&'s Shape>,
    path: String,
    findings: &'a mut Vec<String>,
}

impl<'s> Place<'_, 's> {
    fn below<'b>(&'b mut self, shape: Option<&'s Shape>, path: String) -> Place<'b, 's> {
        Place {
            shape,
            path,
            findings: self.findings,
        }
    }

    fn field(&mut self, name: &str, seen: bool) -> Place<'_, 's> {
        let path = if self.path.is_empty() {
            name.to_owned()
        } else {
            format!("{}.{name}", self.path)
        };
        let known = self.shape.is_some_and(|shape| !matches!(shape, Shape::Any));
        let shape = self.shape.and_then(|shape| facts().step(shape, name));
        if known && shape.is_none() && matches!(self.shape, Some(Shape::Object(_))) {
            self.findings.push(format!("unknown field {path:?}"));
        } else if known && seen {
            self.findings.push(format!("duplicate field {path:?}"));
        }
        self.below(shape, path)
    }

    fn item(&mut self, place: usize) -> Place<'_, 's> {
        let shape = self.shape.and_then(|shape| facts().step(shape, ""));
        let path = format!("{}[{place}]", self.path);
        self.below(shape, path)
    }
}

impl<'de> DeserializeSeed<'de> for Place<'_, '_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Value, D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Place<'_, '_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element_seed(self.item(items.len()))? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Value, A::Error> {
        let mut fields = Map::new();
        let mut seen = BTreeSet::new();
        while let Some(name) = map.next_key::<String>()? {
            let value = map.next_value_seed(self.field(&name, !seen.insert(name.clone())))?;
            fields.insert(name, value);
        }
        Ok(Value::Object(fields))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(body: &str) -> Vec<String> {
        let shape = facts().type_named("io.k8s.api.core.v1.Pod").unwrap();
        decode(body.as_bytes(), shape).unwrap().findings
    }

    #[test]
    fn unknown_and_duplicate_fields_in_the_order_of_the_body() {
        let body = r#"{
            "spec": {"foo": {"bar": 1, "bar": 2}, "containers": [{"name": "a", "iamge": "i"}],
                     "nodeName": "a", "nodeName": "b"},
            "metadata": {"labels": {"a": "1", "a": "2"}, "annotations": {"free": "x"}}
        }"#;
        let found = findings(body);
        assert_eq!(
            strict_error(&found).unwrap(),
            "strict decoding error: unknown field \"spec.foo\", \
             unknown field \"spec.containers[0].iamge\", duplicate field \"spec.nodeName\", \
             duplicate field \"metadata.labels.a\""
        );
    }

    #[test]
    fn a_good_body_has_no_findings() {
        assert_eq!(
            findings(r#"{"spec": {"overhead": {"cpu": 1.5}}, "status": null}"#),
            [""; 0]
        );
        assert_eq!(strict_error(&[]), None);
    }

    #[test]
    fn reads_as_serde_json_does() {
        let body = r#"{"a": [1, -1, 1.5, "x", true, null, {}]}"#;
        let read = decode(body.as_bytes(), &Shape::Any).unwrap();
        assert_eq!(read.value, serde_json::from_str::<Value>(body).unwrap());
        assert!(decode(b"{} {}", &Shape::Any).is_err());
    }
}
