//! How ids, times, lists and JSON stand in each database.
//!
//! On Postgres each has its native type; on SQLite an id, a time and a list are text that sorts and reads as it should.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize, Serializer};
use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::{PgArgumentBuffer, PgTypeInfo, PgValueRef};
use sqlx::sqlite::{SqliteArgumentsBuffer, SqliteTypeInfo, SqliteValueRef};
use sqlx::types::Json;
use sqlx::{Decode, Encode, Postgres, Sqlite, Type};
use time::format_description::BorrowedFormatItem;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;
use time::{OffsetDateTime, UtcOffset};
use uuid::Uuid;

use super::Error;
use crate::domain::masked;

/// Fixed in width, so that texts sort as times; read by Postgres, SQLite and RFC 3339 alike.
const STAMP: &[BorrowedFormatItem<'static>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:6]Z");

/// Says that a type is one thing on Postgres and another on SQLite.
macro_rules! stands_as {
    ($name:ty, $postgres:ty, $sqlite:ty) => {
        impl Type<Postgres> for $name {
            fn type_info() -> PgTypeInfo {
                <$postgres as Type<Postgres>>::type_info()
            }

            fn compatible(ty: &PgTypeInfo) -> bool {
                <$postgres as Type<Postgres>>::compatible(ty)
            }
        }

        impl Type<Sqlite> for $name {
            fn type_info() -> SqliteTypeInfo {
                <$sqlite as Type<Sqlite>>::type_info()
            }

            fn compatible(ty: &SqliteTypeInfo) -> bool {
                <$sqlite as Type<Sqlite>>::compatible(ty)
            }
        }
    };
}

/// An id: `uuid` on Postgres, its text on SQLite.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub(super) struct Id(pub Uuid);

stands_as!(Id, Uuid, String);

impl Encode<'_, Postgres> for Id {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        Encode::<Postgres>::encode_by_ref(&self.0, buffer)
    }
}

impl Encode<'_, Sqlite> for Id {
    fn encode_by_ref(&self, buffer: &mut SqliteArgumentsBuffer) -> Result<IsNull, BoxDynError> {
        Encode::<Sqlite>::encode(self.0.to_string(), buffer)
    }
}

impl Decode<'_, Postgres> for Id {
    fn decode(value: PgValueRef<'_>) -> Result<Self, BoxDynError> {
        <Uuid as Decode<Postgres>>::decode(value).map(Id)
    }
}

impl Decode<'_, Sqlite> for Id {
    fn decode(value: SqliteValueRef<'_>) -> Result<Self, BoxDynError> {
        Ok(Id(<String as Decode<Sqlite>>::decode(value)?.parse()?))
    }
}

/// A time to the microsecond: `timestamptz` on Postgres, UTC text of fixed width on SQLite.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Stamp(pub OffsetDateTime);

stands_as!(Stamp, OffsetDateTime, String);

impl Stamp {
    /// Years before 1 have no place in the text, nor on a calendar that a token could meet.
    fn text(self) -> Result<String, &'static str> {
        let utc = self.0.to_offset(UtcOffset::UTC);
        match utc.format(STAMP) {
            Ok(text) if utc.year() >= 1 => Ok(text),
            _ => Err("a time outside the years 1 to 9999"),
        }
    }
}

impl Serialize for Stamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text().map_err(serde::ser::Error::custom)?)
    }
}

impl Encode<'_, Postgres> for Stamp {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        Encode::<Postgres>::encode_by_ref(&self.0, buffer)
    }
}

impl Encode<'_, Sqlite> for Stamp {
    fn encode_by_ref(&self, buffer: &mut SqliteArgumentsBuffer) -> Result<IsNull, BoxDynError> {
        Encode::<Sqlite>::encode(self.text()?, buffer)
    }
}

impl Decode<'_, Postgres> for Stamp {
    fn decode(value: PgValueRef<'_>) -> Result<Self, BoxDynError> {
        <OffsetDateTime as Decode<Postgres>>::decode(value).map(Stamp)
    }
}

impl Decode<'_, Sqlite> for Stamp {
    fn decode(value: SqliteValueRef<'_>) -> Result<Self, BoxDynError> {
        let text = <&str as Decode<Sqlite>>::decode(value)?;
        Ok(Stamp(OffsetDateTime::parse(text, &Rfc3339)?))
    }
}

/// A list of words: `text[]` on Postgres, a JSON array on SQLite.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Words(pub Vec<String>);

stands_as!(Words, Vec<String>, String);

impl Words {
    /// Those of the words that this program knows; a newer one may have written others.
    pub(super) fn known<T: DeserializeOwned>(self) -> Vec<T> {
        let known = |word| serde_json::from_value(serde_json::Value::String(word)).ok();
        self.0.into_iter().filter_map(known).collect()
    }
}

impl Decode<'_, Postgres> for Words {
    fn decode(value: PgValueRef<'_>) -> Result<Self, BoxDynError> {
        <Vec<String> as Decode<Postgres>>::decode(value).map(Words)
    }
}

impl Decode<'_, Sqlite> for Words {
    fn decode(value: SqliteValueRef<'_>) -> Result<Self, BoxDynError> {
        <Json<Vec<String>> as Decode<Sqlite>>::decode(value).map(|words| Words(words.0))
    }
}

/// JSON as the database holds it: `json` or `jsonb` on Postgres, text on SQLite. Read by [`JsonText::read`].
#[derive(Clone, Debug)]
pub(super) struct JsonText(String);

stands_as!(JsonText, Json<()>, String);

impl JsonText {
    /// What it says; `place` names table, row and column for the one who must mend it.
    pub(super) fn read<T: for<'de> Deserialize<'de>>(&self, place: impl FnOnce() -> String) -> Result<T, Error> {
        serde_json::from_str(&self.0).map_err(|_| Error::Corrupt(place()))
    }
}

impl Decode<'_, Postgres> for JsonText {
    fn decode(value: PgValueRef<'_>) -> Result<Self, BoxDynError> {
        let bytes = value.as_bytes()?;
        // `jsonb` comes behind the number of its format.
        let text = bytes.strip_prefix(&[1]).unwrap_or(bytes);
        Ok(JsonText(std::str::from_utf8(text)?.to_owned()))
    }
}

impl Decode<'_, Sqlite> for JsonText {
    fn decode(value: SqliteValueRef<'_>) -> Result<Self, BoxDynError> {
        <String as Decode<Sqlite>>::decode(value).map(JsonText)
    }
}

/// Bodies of a batch: `bytea[]` on Postgres, a JSON array of hexadecimal on SQLite.
pub(super) struct Bodies<'a>(pub Vec<&'a [u8]>);

stands_as!(Bodies<'_>, Vec<&'static [u8]>, String);

impl Encode<'_, Postgres> for Bodies<'_> {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        Encode::<Postgres>::encode_by_ref(&self.0, buffer)
    }
}

impl Encode<'_, Sqlite> for Bodies<'_> {
    fn encode_by_ref(&self, buffer: &mut SqliteArgumentsBuffer) -> Result<IsNull, BoxDynError> {
        let hex: Vec<String> = self.0.iter().map(hex::encode).collect();
        Encode::<Sqlite>::encode(serde_json::to_string(&hex)?, buffer)
    }
}

/// A token's reference as an error may show it: the sender's own lines and numbers do not reach a log.
pub(super) fn shown(reference: &str) -> String {
    masked::without_numbers(&reference.escape_debug().to_string())
}

/// Rows of a batch as one JSON parameter, which both databases unfold.
pub(super) fn rows<T: Serialize>(rows: &[T]) -> Result<String, Error> {
    // Nothing of ours fails to serialise but a time outside the calendar.
    serde_json::to_string(rows).map_err(|_| Error::Data("a time outside the years 1 to 9999".to_owned()))
}
