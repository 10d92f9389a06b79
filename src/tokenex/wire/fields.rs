//! An object whose keys are read trimmed and without regard to case, each at most once.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use serde_json::{Map, Value};

/// An object's fields, by their trimmed key in lower case. No `Debug`: it holds a body.
#[derive(Clone, Default, PartialEq)]
pub struct Fields(BTreeMap<String, Field>);

/// An object within is read the same way.
#[derive(Clone, PartialEq)]
enum Field {
    Plain(Value),
    Object(Fields),
}

impl Fields {
    /// The whole of a body, if it is one object that says no key twice.
    pub fn read(body: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(body)
    }

    /// A text; `None` if it is not there, null, or another kind of thing.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.plain(key)?.as_str()
    }

    /// A text, or a number as it is written.
    pub fn word(&self, key: &str) -> Option<String> {
        match self.plain(key)? {
            Value::String(text) => Some(text.trim().to_owned()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        }
    }

    /// A flag, or the text of one.
    pub fn flag(&self, key: &str) -> Option<bool> {
        match self.plain(key)? {
            Value::Bool(flag) => Some(*flag),
            Value::String(text) => text.trim().to_ascii_lowercase().parse().ok(),
            _ => None,
        }
    }

    /// An object within.
    pub fn object(&self, key: &str) -> Option<&Fields> {
        match self.0.get(key)? {
            Field::Object(fields) => Some(fields),
            Field::Plain(_) => None,
        }
    }

    /// What stands under other keys than these; an object within with its keys as they are read.
    pub fn besides(&self, known: &[&str]) -> Map<String, Value> {
        let others = self.0.iter().filter(|(key, _)| !known.contains(&key.as_str()));
        others.map(|(key, field)| (key.clone(), field.value())).collect()
    }

    /// Whether anything but null stands there.
    pub fn says(&self, key: &str) -> bool {
        self.0.get(key).is_some_and(|field| *field != Field::Plain(Value::Null))
    }

    fn plain(&self, key: &str) -> Option<&Value> {
        match self.0.get(key)? {
            Field::Plain(value) => Some(value),
            Field::Object(_) => None,
        }
    }
}

impl Field {
    fn value(&self) -> Value {
        match self {
            Field::Plain(value) => value.clone(),
            Field::Object(fields) => Value::Object(fields.besides(&[])),
        }
    }
}

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ReadsFields)
    }
}

struct ReadsFields;

impl<'de> Visitor<'de> for ReadsFields {
    type Value = Fields;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
        let mut fields = BTreeMap::new();
        while let Some(key) = map.next_key::<String>()? {
            let field = map.next_value::<Field>()?;
            if fields.insert(key.trim().to_ascii_lowercase(), field).is_some() {
                return Err(A::Error::custom("a key stands there twice"));
            }
        }
        Ok(Fields(fields))
    }
}

impl<'de> Deserialize<'de> for Field {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ReadsField)
    }
}

struct ReadsField;

impl<'de> Visitor<'de> for ReadsField {
    type Value = Field;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("any value")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Field, A::Error> {
        ReadsFields.visit_map(map).map(Field::Object)
    }

    fn visit_seq<A: serde::de::SeqAccess<'de>>(self, seq: A) -> Result<Field, A::Error> {
        let list = Vec::<Value>::deserialize(serde::de::value::SeqAccessDeserializer::new(seq))?;
        Ok(Field::Plain(Value::Array(list)))
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Field, E> {
        Ok(Field::Plain(Value::Bool(flag)))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Field, E> {
        Ok(Field::Plain(number.into()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Field, E> {
        Ok(Field::Plain(number.into()))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Field, E> {
        Ok(Field::Plain(number.into()))
    }

    fn visit_str<E>(self, text: &str) -> Result<Field, E> {
        Ok(Field::Plain(text.into()))
    }

    fn visit_unit<E>(self) -> Result<Field, E> {
        Ok(Field::Plain(Value::Null))
    }
}
