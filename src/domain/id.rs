//! Names for things: which token, which notification, which quarantined body.

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::masked::masked;

/// Whose word a token reference is. An MDES token and a TokenEx token are different tokens,
/// even where a link joins them for reading.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Namespace {
    /// `tokenUniqueReference` of Mastercard's MDES.
    #[default]
    Mdes,
    /// A TokenEx token.
    TokenEx,
}

impl Namespace {
    /// The word that the store and the command line use.
    pub fn as_str(self) -> &'static str {
        match self {
            Namespace::Mdes => "mdes",
            Namespace::TokenEx => "tokenex",
        }
    }

    /// The namespace of that word, if there is one.
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "mdes" => Some(Namespace::Mdes),
            "tokenex" => Some(Namespace::TokenEx),
            _ => None,
        }
    }
}

/// A token's identity: (namespace, reference). The order is the order in which rows are locked.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TokenReference {
    /// Who gave the reference.
    pub namespace: Namespace,
    /// The reference, verbatim; for MDES at most 64 characters by the specification.
    pub reference: String,
}

impl TokenReference {
    /// The reference that MDES calls `tokenUniqueReference`.
    pub fn mdes(reference: impl Into<String>) -> Self {
        TokenReference {
            namespace: Namespace::Mdes,
            reference: reference.into(),
        }
    }
}

impl TokenReference {
    /// As people are shown it: TokenEx's token may look like a card's number.
    pub fn shown(&self) -> String {
        match self.namespace {
            Namespace::Mdes => self.reference.clone(),
            Namespace::TokenEx => masked(&self.reference),
        }
    }
}

impl fmt::Debug for TokenReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.namespace {
            Namespace::Mdes => f.debug_tuple("Mdes").field(&self.shown()).finish(),
            Namespace::TokenEx => f.debug_tuple("TokenEx").field(&self.shown()).finish(),
        }
    }
}

impl fmt::Display for TokenReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reference)
    }
}

macro_rules! uuid_id {
    ($(#[$meta:meta])* $name:ident) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[cfg_attr(test, derive(schemars::JsonSchema))]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map($name)
            }
        }
    };
}

uuid_id!(
    /// An alarm that was raised.
    AlarmId
);
uuid_id!(
    /// One notification as we received it (a UUID version 7, so that ids sort by time of receipt).
    NotificationId
);
uuid_id!(
    /// One event that is told; the same on every attempt and every replay.
    EventId
);
uuid_id!(
    /// One command of the merchant's (a UUID version 7).
    CommandId
);
uuid_id!(
    /// One reconcile (a UUID version 7).
    ReconcileId
);
uuid_id!(
    /// One time in which something may have been missed (a UUID version 7).
    GapId
);
uuid_id!(
    /// One quarantined body, or one token of a notification that could not be read.
    QuarantineId
);

/// One event on its way to one destination; the store counts them up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DeliveryId(pub u64);

impl fmt::Display for DeliveryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::str::FromStr for DeliveryId {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(DeliveryId)
    }
}

/// A keyed hash of decrypted content, so that repeats are known without keeping what was said.
///
/// Keyed (with a secret derived from the private key that opened the body), because a plain hash
/// of a body with a token number in it could be guessed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContentHash(pub [u8; 32]);

impl ContentHash {
    /// Lower-case hexadecimal, 64 characters.
    pub fn to_hex(self) -> String {
        hex::encode(self.0)
    }

    /// The hash that those 64 hexadecimal characters stand for.
    pub fn from_hex(text: &str) -> Option<Self> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).ok()?;
        Some(ContentHash(bytes))
    }
}

impl fmt::Debug for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_hex()[..12])
    }
}

impl Serialize for ContentHash {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_hex())
    }
}

impl<'de> Deserialize<'de> for ContentHash {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        ContentHash::from_hex(&text).ok_or_else(|| serde::de::Error::custom("not 64 hex digits"))
    }
}
