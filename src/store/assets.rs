//! Card art and texts, by their ids; the seventh part of the port.
//!
//! What an id names never changes: it is kept once, and for ever.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use time::OffsetDateTime;

use super::Error;
use super::batch::batch_row;
use super::row::row;
use super::session::{Session, Sql, fetch};
use super::values::{Bytes, Stamp};
use crate::domain::id::Namespace;
use crate::domain::token::Change;

/// What is asked of the memory about assets. Deadlines and errors are as those of [`super::Store`].
#[async_trait]
pub trait Assets: Send + Sync {
    /// One medium of an asset, if the asset is kept and has it.
    async fn medium(&self, namespace: Namespace, id: &str, place: u32) -> Result<Option<Medium>, Error>;

    /// The asset is kept.
    async fn holds_asset(&self, namespace: Namespace, id: &str) -> Result<bool, Error>;

    /// Keeps an asset with all its media; one that is kept already stays as it is.
    async fn keep_asset(&self, namespace: Namespace, id: &str, media: &[Medium]) -> Result<(), Error>;

    /// The card art of some MDES token names that id, or did.
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

pub(super) const NAMES: Sql = Sql::same(
    "\
-- names_asset: whether some token's card art named it
select id
from named_assets
where id = $1
",
);

const NAME: Sql = Sql {
    postgres: "\
-- record: what card art is named; what was named before stays
insert into named_assets (id)
select id
from unnest($1) as named (id)
on conflict do nothing
",
    sqlite: "\
-- record: what card art is named; what was named before stays
insert into named_assets (id)
select value ->> 'id'
from json_each($1)
where true
on conflict do nothing
",
};

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
    /// The id of an asset.
    struct NamedRow<'a> {
        id: &'a str,
    }
}

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

/// Fields of `productConfig` that name an asset.
const NAMING: [&str; 6] = [
    "brandLogoAssetId",
    "issuerLogoAssetId",
    "coBrandLogoAssetId",
    "cardBackgroundCombinedAssetId",
    "cardBackgroundAssetId",
    "iconAssetId",
];
/// Ids that are remembered. A merchant's cards have few designs.
const KNOWN_MAX: usize = 10_000;

/// Ids that were named, as far as this process has seen them on disk: those cost receiving nothing more.
#[derive(Clone, Default)]
pub(super) struct Known(Arc<Mutex<BTreeSet<String>>>);

/// What one batch names anew.
pub(super) struct Naming<'k> {
    known: &'k Known,
    new: Vec<String>,
}

impl Known {
    /// For one batch.
    pub(super) fn naming(&self) -> Naming<'_> {
        Naming {
            known: self,
            new: Vec::new(),
        }
    }

    fn ids(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.0.lock().expect("no one panics while holding it")
    }
}

impl Naming<'_> {
    /// Writes what these changes name and nobody did before; in the order of the ids, so that two batches do not wait
    /// for each other. Written with the change itself: a crash leaves both or neither.
    pub(super) async fn write<'a>(
        &mut self,
        session: &mut Session,
        changes: impl Iterator<Item = &'a Change>,
    ) -> Result<(), Error> {
        let mut named: BTreeSet<&str> = changes.filter_map(named_by).collect();
        named.retain(|id| !self.known.ids().contains(*id));
        let rows: Vec<NamedRow<'_>> = named.into_iter().map(|id| NamedRow { id }).collect();
        if !rows.is_empty() {
            session.execute_batch(NAME, &rows).await?;
            self.new.extend(rows.iter().map(|row| row.id.to_owned()));
        }
        Ok(())
    }

    /// It is on disk.
    pub(super) fn committed(self) {
        let mut ids = self.known.ids();
        let room = KNOWN_MAX.saturating_sub(ids.len());
        ids.extend(self.new.into_iter().take(room));
    }
}

fn named_by(change: &Change) -> Option<&str> {
    let field = change.field.strip_prefix("productConfig.")?;
    let id = change.to.as_ref()?.as_str()?;
    NAMING.contains(&field).then_some(id)
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
