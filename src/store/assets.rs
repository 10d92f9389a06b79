//! Card art and texts, by their ids; the seventh part of the port.
//!
//! What an id names never changes: it is kept once, and for ever.

use std::sync::Arc;

use async_trait::async_trait;
use time::OffsetDateTime;

use super::Error;
use super::batch::batch_row;
use super::row::row;
use super::session::{Session, Sql, fetch};
use super::values::{Bytes, Stamp};
use crate::domain::id::Namespace;

/// What is asked of the memory about assets. Deadlines and errors are as those of [`super::Store`].
#[async_trait]
pub trait Assets: Send + Sync {
    /// One medium of an asset, if the asset is kept and has it.
    async fn medium(&self, namespace: Namespace, id: &str, place: u32) -> Result<Option<Medium>, Error>;

    /// The asset is kept.
    async fn holds_asset(&self, namespace: Namespace, id: &str) -> Result<bool, Error>;

    /// Keeps an asset with all its media; one that is kept already stays as it is.
    async fn keep_asset(&self, namespace: Namespace, id: &str, media: &[Medium]) -> Result<(), Error>;

    /// The card art of some MDES token names that id. It may look at every token.
    async fn names_asset(&self, id: &str) -> Result<bool, Error>;
}

/// What the callers hold.
pub type SharedAssets = Arc<dyn Assets>;

/// One medium of an asset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Medium {
    /// What it is, as the network says.
    pub content_type: String,
    /// It.
    pub body: Vec<u8>,
    /// In pixels, if it was said.
    pub width: Option<u32>,
    /// In pixels, if it was said.
    pub height: Option<u32>,
}

const MEDIUM: Sql = Sql::same(
    "\
-- medium: one of an asset's
select content_type, body, width, height
from assets
where namespace = $1
  and id = $2
  and place = $3
",
);

const HOLDS: Sql = Sql::same(
    "\
-- holds_asset: whether it is kept
select id
from assets
where namespace = $1
  and id = $2
limit 1
",
);

const NAMES: Sql = Sql::same(
    "\
-- names_asset: whether some token's card art names it
select token_unique_reference
from tokens
where namespace = 'mdes'
  and $1 in (
    product_config ->> 'brandLogoAssetId',
    product_config ->> 'issuerLogoAssetId',
    product_config ->> 'coBrandLogoAssetId',
    product_config ->> 'cardBackgroundCombinedAssetId',
    product_config ->> 'cardBackgroundAssetId',
    product_config ->> 'iconAssetId')
limit 1
",
);

const KEEP: Sql = Sql {
    postgres: "\
-- keep_asset: an asset's media; those that are kept already stay as they are
insert into assets (id, namespace, place, content_type, body, width, height, fetched_at)
select id, namespace, place, content_type, body, width, height, fetched_at
from unnest($1, $2, $3, $4, $5, $6, $7, $8)
  as given (id, namespace, place, content_type, body, width, height, fetched_at)
order by place
on conflict do nothing
",
    sqlite: "\
-- keep_asset: an asset's media; those that are kept already stay as they are
insert into assets (id, namespace, place, content_type, body, width, height, fetched_at)
select
  value ->> 'id', value ->> 'namespace', value ->> 'place', value ->> 'content_type',
  unhex(value ->> 'body'), value ->> 'width', value ->> 'height', value ->> 'fetched_at'
from json_each($1)
where true
on conflict do nothing
",
};

batch_row! {
    /// One medium on its way to disk.
    struct NewRow<'a> {
        id: &'a str,
        namespace: &'static str,
        place: i32,
        content_type: &'a str,
        body: Bytes<'a>,
        width: Option<i32>,
        height: Option<i32>,
        fetched_at: Stamp,
    }
}

row! {
    struct MediumRow {
        content_type: String,
        body: Vec<u8>,
        width: Option<i32>,
        height: Option<i32>,
    }
}

pub(super) async fn medium(
    session: &mut Session,
    namespace: Namespace,
    id: &str,
    place: u32,
) -> Result<Option<Medium>, Error> {
    let place = i32::try_from(place).unwrap_or(i32::MAX);
    let rows: Vec<MediumRow> = fetch!(session, MEDIUM, namespace.as_str(), id, place)?;
    let medium = |row: MediumRow| Medium {
        content_type: row.content_type,
        body: row.body,
        width: row.width.map(i32::unsigned_abs),
        height: row.height.map(i32::unsigned_abs),
    };
    Ok(rows.into_iter().next().map(medium))
}

pub(super) async fn holds(session: &mut Session, namespace: Namespace, id: &str) -> Result<bool, Error> {
    let found: Vec<(String,)> = fetch!(session, HOLDS, namespace.as_str(), id)?;
    Ok(!found.is_empty())
}

pub(super) async fn is_named(session: &mut Session, id: &str) -> Result<bool, Error> {
    let found: Vec<(String,)> = fetch!(session, NAMES, id)?;
    Ok(!found.is_empty())
}

pub(super) async fn keep(
    session: &mut Session,
    namespace: Namespace,
    id: &str,
    media: &[Medium],
    now: OffsetDateTime,
) -> Result<(), Error> {
    let pixels = |given: Option<u32>| given.and_then(|pixels| i32::try_from(pixels).ok());
    let row = |(place, medium)| {
        let medium: &Medium = medium;
        NewRow {
            id,
            namespace: namespace.as_str(),
            place,
            content_type: medium.content_type.as_str(),
            body: Bytes(medium.body.as_slice()),
            width: pixels(medium.width),
            height: pixels(medium.height),
            fetched_at: Stamp(now),
        }
    };
    let rows: Vec<NewRow<'_>> = (0..).zip(media).map(row).collect();
    session.execute_batch(KEEP, &rows).await
}
