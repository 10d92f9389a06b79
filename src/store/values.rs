//! How ids, times, lists and JSON stand in each database.
//!
//! On Postgres each has its native type; on SQLite an id, a time and a list are text that sorts and reads as it should.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::RawValue;
use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::{PgArgumentBuffer, PgHasArrayType, PgTypeInfo, PgValueRef};
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

impl PgHasArrayType for Id {
    fn array_type_info() -> PgTypeInfo {
        <Uuid as PgHasArrayType>::array_type_info()
    }
}

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
    fn text(self) -> Result<String, BoxDynError> {
        self.on_the_calendar()?;
        Ok(self.0.to_offset(UtcOffset::UTC).format(STAMP)?)
    }

    /// Years before 1 have no place in the text, nor in a token's life.
    fn on_the_calendar(self) -> Result<(), &'static str> {
        match self.0.to_offset(UtcOffset::UTC).year() {
            1.. => Ok(()),
            _ => Err("a time before the year 1"),
        }
    }
}

impl Serialize for Stamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text().map_err(serde::ser::Error::custom)?)
    }
}

impl PgHasArrayType for Stamp {
    fn array_type_info() -> PgTypeInfo {
        <OffsetDateTime as PgHasArrayType>::array_type_info()
    }
}

impl Encode<'_, Postgres> for Stamp {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        self.on_the_calendar()?;
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

impl Encode<'_, Postgres> for Words {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        Encode::<Postgres>::encode_by_ref(&self.0, buffer)
    }
}

impl Encode<'_, Sqlite> for Words {
    fn encode_by_ref(&self, buffer: &mut SqliteArgumentsBuffer) -> Result<IsNull, BoxDynError> {
        Encode::<Sqlite>::encode(serde_json::to_string(&self.0)?, buffer)
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

/// Bytes of a batch: `bytea` on Postgres, hexadecimal in SQLite's JSON.
#[derive(Clone, Copy)]
pub(super) struct Bytes<'a>(pub &'a [u8]);

impl Type<Postgres> for Bytes<'_> {
    fn type_info() -> PgTypeInfo {
        <[u8] as Type<Postgres>>::type_info()
    }
}

impl PgHasArrayType for Bytes<'_> {
    fn array_type_info() -> PgTypeInfo {
        <&[u8] as PgHasArrayType>::array_type_info()
    }
}

impl Encode<'_, Postgres> for Bytes<'_> {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        Encode::<Postgres>::encode_by_ref(&self.0, buffer)
    }
}

impl Serialize for Bytes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex::encode(self.0))
    }
}

/// JSON of a batch: text on Postgres (a statement casts it), itself in SQLite's JSON.
pub(super) struct Document(Box<RawValue>);

impl Document {
    /// Of whatever can be written as JSON.
    pub(super) fn of(value: &impl Serialize) -> Result<Self, Error> {
        let raw = serde_json::value::to_raw_value(value);
        // Nothing of ours fails to serialise but a time outside the calendar.
        raw.map(Document)
            .map_err(|_| Error::Data("a time outside the years 1 to 9999".to_owned()))
    }
}

impl Type<Postgres> for Document {
    fn type_info() -> PgTypeInfo {
        <str as Type<Postgres>>::type_info()
    }
}

impl PgHasArrayType for Document {
    fn array_type_info() -> PgTypeInfo {
        <&str as PgHasArrayType>::array_type_info()
    }
}

impl Encode<'_, Postgres> for Document {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        Encode::<Postgres>::encode_by_ref(&self.0.get(), buffer)
    }
}

impl Serialize for Document {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

/// A token's reference as an error may show it: the sender's own lines and numbers do not reach a log.
pub(super) fn shown(reference: &str) -> String {
    masked::without_numbers(&reference.escape_debug().to_string())
}
