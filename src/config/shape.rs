//! The shape of the configuration file, read off the structs that it is read into.
//!
//! Serde tells a deserializer which fields a struct has and of what kind; [`Probe`] listens and answers
//! with empty values. So the structs are the only list of keys, and no second one can drift from it.

use serde::de::value::Error as Refused;
use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, IntoDeserializer, MapAccess, SeqAccess, Visitor};

/// What may stand at a place in the file.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Shape {
    Text,
    /// One of these words.
    Word(&'static [&'static str]),
    /// A whole number, not negative.
    Number,
    Flag,
    List(Box<Shape>),
    TextOrList,
    Table(Vec<(&'static str, Shape)>),
}

/// The shape of `T`.
pub(super) fn of<T: DeserializeOwned>() -> Shape {
    let mut shape = Shape::Flag;
    let probed = T::deserialize(Probe(&mut shape)).map(drop);
    probed.expect("the file's structs take empty values: each is checked only when it is resolved");
    shape
}

impl Shape {
    /// What an operator is told to write there.
    pub(super) fn expected(&self) -> String {
        match self {
            Shape::Text => "text".to_owned(),
            Shape::Word(words) => format!("one of `{}`", words.join("`, `")),
            Shape::Number => "a whole number".to_owned(),
            Shape::Flag => "true or false".to_owned(),
            Shape::List(inner) if matches!(**inner, Shape::Table(_)) => "an array of tables".to_owned(),
            Shape::List(_) => "a list".to_owned(),
            Shape::TextOrList => "text or a list".to_owned(),
            Shape::Table(_) => "a table".to_owned(),
        }
    }

    /// The shape at a dotted key that leads through tables only.
    pub(super) fn at(&self, key: &str) -> Option<&Shape> {
        key.split('.').try_fold(self, |shape, name| match shape {
            Shape::Table(fields) => fields.iter().find(|(field, _)| *field == name).map(|(_, shape)| shape),
            _ => None,
        })
    }

    /// Every key by its full path; what stands in an array of tables as `keys[].private_key`.
    pub(super) fn keys(&self) -> Vec<String> {
        let mut keys = Vec::new();
        self.collect_keys("", &mut keys);
        keys
    }

    fn collect_keys(&self, at: &str, keys: &mut Vec<String>) {
        match self {
            Shape::Table(fields) => {
                for (name, shape) in fields {
                    let key = if at.is_empty() {
                        (*name).to_owned()
                    } else {
                        format!("{at}.{name}")
                    };
                    shape.collect_keys(&key, keys);
                }
            }
            Shape::List(inner) if matches!(**inner, Shape::Table(_)) => inner.collect_keys(&format!("{at}[]"), keys),
            _ => keys.push(at.to_owned()),
        }
    }
}

/// Answers with an empty value whatever is asked for, and notes down what that was.
struct Probe<'a>(&'a mut Shape);

impl<'de> Deserializer<'de> for Probe<'_> {
    type Error = Refused;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        *self.0 = Shape::TextOrList;
        visitor.visit_str("")
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        *self.0 = Shape::Text;
        visitor.visit_str("")
    }

    fn deserialize_u64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        *self.0 = Shape::Number;
        visitor.visit_u64(0)
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        *self.0 = Shape::Flag;
        visitor.visit_bool(false)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        visitor.visit_some(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        let mut inner = Shape::Flag;
        let value = visitor.visit_seq(OneElement(Some(&mut inner)))?;
        *self.0 = Shape::List(Box::new(inner));
        Ok(value)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        words: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refused> {
        *self.0 = Shape::Word(words);
        visitor.visit_enum(words[0].into_deserializer())
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        names: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refused> {
        let mut fields = Vec::new();
        let value = visitor.visit_map(Fields {
            names: names.iter(),
            fields: &mut fields,
        })?;
        *self.0 = Shape::Table(fields);
        Ok(value)
    }

    serde::forward_to_deserialize_any! {
        i8 i16 i32 i64 u8 u16 u32 f32 f64 char str bytes byte_buf unit unit_struct
        newtype_struct tuple tuple_struct map identifier ignored_any
    }
}

struct OneElement<'a>(Option<&'a mut Shape>);

impl<'de> SeqAccess<'de> for OneElement<'_> {
    type Error = Refused;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Refused> {
        self.0.take().map(|shape| seed.deserialize(Probe(shape))).transpose()
    }
}

struct Fields<'a> {
    names: std::slice::Iter<'static, &'static str>,
    fields: &'a mut Vec<(&'static str, Shape)>,
}

impl<'de> MapAccess<'de> for Fields<'_> {
    type Error = Refused;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Refused> {
        let Some(name) = self.names.next() else {
            return Ok(None);
        };
        self.fields.push((name, Shape::Flag));
        seed.deserialize((*name).into_deserializer()).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Refused> {
        let (_, shape) = self.fields.last_mut().expect("a value is asked for after its key");
        seed.deserialize(Probe(shape))
    }
}
