//! Trees -> typed specs, by serde; an error knows the place of the value that it is about.

use std::fmt;

use serde::Deserialize;
use serde::de::value::{MapAccessDeserializer, SeqDeserializer};
use serde::de::{self, DeserializeSeed, Deserializer, IntoDeserializer, Visitor};

use crate::object::{Key, Node, Place, Value};

/// Why a tree is not of the wanted type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mistyped {
    /// The value that it is about; `None` only while the error travels up.
    pub place: Option<Place>,
    pub words: String,
}

/// Reads a tree as a `T`.
pub(super) fn typed<'de, T: Deserialize<'de>>(node: &'de Node) -> Result<T, Mistyped> {
    T::deserialize(At(node))
}

impl fmt::Display for Mistyped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words)
    }
}

impl std::error::Error for Mistyped {}

impl de::Error for Mistyped {
    fn custom<T: fmt::Display>(words: T) -> Self {
        Self {
            place: None,
            words: words.to_string(),
        }
    }
}

/// A node, for serde.
#[derive(Clone, Copy)]
struct At<'de>(&'de Node);

/// A key, for serde.
#[derive(Clone, Copy)]
struct Named<'de>(&'de Key);

/// The entries of a map, for serde. That a value is of none of the forms that it may have
/// (`untagged`) is said after it was read: so each value's place is told here, too.
struct Entries<'de> {
    rest: &'de [(Key, Node)],
}

impl<'de> de::MapAccess<'de> for Entries<'de> {
    type Error = Mistyped;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Mistyped> {
        let key = self
            .rest
            .first()
            .map(|(key, _)| seed.deserialize(Named(key)));
        key.transpose()
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Mistyped> {
        let Some(((_, node), rest)) = self.rest.split_first() else {
            return Err(de::Error::custom("a value without a key"));
        };
        self.rest = rest;
        At(node).place(seed.deserialize(At(node)))
    }
}

impl At<'_> {
    fn place<T>(self, result: Result<T, Mistyped>) -> Result<T, Mistyped> {
        result.map_err(|error| Mistyped {
            place: error.place.or(Some(self.0.place)),
            ..error
        })
    }
}

impl<'de> IntoDeserializer<'de, Mistyped> for At<'de> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> Deserializer<'de> for Named<'de> {
    type Error = Mistyped;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistyped> {
        visitor
            .visit_borrowed_str(&self.0.name)
            .map_err(|error: Mistyped| Mistyped {
                place: error.place.or(Some(self.0.place)),
                ..error
            })
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

impl<'de> Deserializer<'de> for At<'de> {
    type Error = Mistyped;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistyped> {
        let result = match &self.0.value {
            Value::Null => visitor.visit_unit(),
            Value::Bool(flag) => visitor.visit_bool(*flag),
            Value::Number(number) => number.deserialize_any(visitor).map_err(de::Error::custom),
            Value::String(text) => visitor.visit_borrowed_str(text),
            Value::List(items) => visitor.visit_seq(SeqDeserializer::new(items.iter().map(At))),
            Value::Map(entries) => visitor.visit_map(Entries { rest: entries }),
        };
        self.place(result)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistyped> {
        let result = match &self.0.value {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        };
        self.place(result)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Mistyped> {
        let result = visitor.visit_newtype_struct(self);
        self.place(result)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mistyped> {
        let result = match &self.0.value {
            Value::String(text) => {
                let unit: de::value::StrDeserializer<'_, Mistyped> = (**text).into_deserializer();
                unit.deserialize_enum(name, variants, visitor)
            }
            Value::Map(entries) => {
                visitor.visit_enum(MapAccessDeserializer::new(Entries { rest: entries }))
            }
            _ => Err(de::Error::custom(
                "this is not one of the forms that are allowed here",
            )),
        };
        self.place(result)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistyped> {
        visitor.visit_unit()
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf
        unit unit_struct seq tuple tuple_struct map struct identifier
    }
}
