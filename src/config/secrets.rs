//! Reads the values that must not be shown, so that they are masked from the moment they are read.

use serde::{Deserialize, Deserializer};

use crate::domain::masked::Secret;

/// A text that must not be shown.
pub(super) fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Secret>, D::Error> {
    String::deserialize(deserializer).map(|text| Some(Secret::new(text)))
}

/// One text, or a list of them.
pub(super) fn one_or_many<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Secret>, D::Error> {
    struct OneOrMany;

    impl<'de> serde::de::Visitor<'de> for OneOrMany {
        type Value = Vec<Secret>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("text or a list of texts")
        }

        fn visit_str<E>(self, text: &str) -> Result<Vec<Secret>, E> {
            Ok(vec![Secret::new(text)])
        }

        fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut items: A) -> Result<Vec<Secret>, A::Error> {
            let mut secrets = Vec::new();
            while let Some(text) = items.next_element::<String>()? {
                secrets.push(Secret::new(text));
            }
            Ok(secrets)
        }
    }

    deserializer.deserialize_any(OneOrMany)
}
