//! Sealed bodies: which key opens which, and one in the place of another.

use uuid::Uuid;

use super::Error;
use super::batch::batch_row;
use super::dropping::awaited;
use super::row::row;
use super::sealed::{KeyOf, NewBody, NewEntry, SealedBody};
use super::session::{Session, Sql, fetch};
use super::tokens::sealed_by;
use super::values::{Bytes, Id};
use crate::domain::id::NotificationId;

const KEYS_OF: Sql = Sql::same(concat!(
    "\
-- keys_of: a page of notifications, and whether somebody needs them
select
  notifications.id, key, sealed_by,
  exists (
    select 1 from tokens where tokens.number_notification_id = notifications.id)
  or exists (
    select 1 from quarantine where quarantine.notification_id = notifications.id and resolved_at is null)
  or ",
    awaited!("notifications.id"),
    " as is_needed
from notifications
where notifications.id > $1
order by notifications.id
limit $2
",
));

const BODIES: Sql = Sql {
    postgres: "\
-- bodies: of these notifications
select notifications.id, notifications.key, notifications.sealed_by, notifications.sealed_body as body
from unnest($1) as wanted (id)
join notifications on notifications.id = wanted.id
order by notifications.id
",
    sqlite: "\
-- bodies: of these notifications
select notifications.id, notifications.key, notifications.sealed_by, notifications.sealed_body as body
from json_each($1) as wanted
join notifications on notifications.id = wanted.value ->> 'id'
order by notifications.id
",
};

const RESEAL: Sql = Sql {
    postgres: "\
-- reseal_bodies: each in the place of the one before it, if that is under its old key
update notifications
set sealed_body = anew.body, key = anew.key
from unnest($1, $2, $3, $4) as anew (id, old_key, key, body)
where notifications.id = anew.id
  and notifications.key = anew.old_key
returning notifications.id
",
    sqlite: "\
-- reseal_bodies: each in the place of the one before it, if that is under its old key
update notifications
set sealed_body = unhex(value ->> 'body'), key = value ->> 'key'
from json_each($1) as anew
where notifications.id = value ->> 'id'
  and notifications.key = value ->> 'old_key'
returning id
",
};

const RESEAL_QUARANTINED: Sql = Sql {
    postgres: "\
-- reseal_quarantined: each in the place of the one before it, if it is open
update quarantine
set body = anew.body, body_bytes = anew.body_bytes
from unnest($1, $2, $3, $4) as anew (id, old_body, body, body_bytes)
where quarantine.id = anew.id
  and quarantine.body = anew.old_body
  and quarantine.resolved_at is null
returning quarantine.id
",
    sqlite: "\
-- reseal_quarantined: each in the place of the one before it, if it is open
update quarantine
set body = unhex(value ->> 'body'), body_bytes = value ->> 'body_bytes'
from json_each($1) as anew
where quarantine.id = value ->> 'id'
  and quarantine.body = unhex(value ->> 'old_body')
  and quarantine.resolved_at is null
returning id
",
};

row! {
    struct KeyRow {
        id: Id,
        key: String,
        sealed_by: String,
        is_needed: bool,
    }
}

row! {
    struct BodyRow {
        id: Id,
        key: String,
        sealed_by: String,
        body: Vec<u8>,
    }
}

batch_row! {
    struct WantedRow {
        id: Id,
    }
}

batch_row! {
    struct NewRow<'a> {
        id: Id,
        old_key: &'a str,
        key: &'a str,
        body: Bytes<'a>,
    }
}

batch_row! {
    struct NewEntryRow<'a> {
        id: Id,
        old_body: Bytes<'a>,
        body: Bytes<'a>,
        body_bytes: i64,
    }
}

/// A page of notifications with their keys.
pub(super) async fn keys_of(
    session: &mut Session,
    after: Option<NotificationId>,
    limit: i64,
) -> Result<Vec<KeyOf>, Error> {
    let after = Id(after.map_or(Uuid::nil(), |id| id.0));
    let rows: Vec<KeyRow> = fetch!(session, KEYS_OF, after, limit)?;
    let key_of = |row: KeyRow| {
        let id = NotificationId(row.id.0);
        Ok(KeyOf {
            id,
            sealed_by: sealed_by(&row.sealed_by, || format!("notification {id}"))?,
            key: row.key,
            is_needed: row.is_needed,
        })
    };
    rows.into_iter().map(key_of).collect()
}

/// The bodies of these.
pub(super) async fn bodies(session: &mut Session, ids: &[NotificationId]) -> Result<Vec<SealedBody>, Error> {
    let wanted: Vec<WantedRow> = ids.iter().map(|id| WantedRow { id: Id(id.0) }).collect();
    let rows: Vec<BodyRow> = session.fetch_batch(BODIES, &wanted).await?;
    let body = |row: BodyRow| {
        let id = NotificationId(row.id.0);
        Ok(SealedBody {
            id,
            sealed_by: sealed_by(&row.sealed_by, || format!("notification {id}"))?,
            key: row.key,
            body: row.body,
        })
    };
    rows.into_iter().map(body).collect()
}

/// Puts bodies in the place of those before; says how many.
pub(super) async fn reseal(session: &mut Session, bodies: &[NewBody]) -> Result<u64, Error> {
    fn row(new: &NewBody) -> NewRow<'_> {
        NewRow {
            id: Id(new.id.0),
            old_key: &new.old_key,
            key: &new.key,
            body: Bytes(&new.body),
        }
    }
    let rows: Vec<NewRow<'_>> = bodies.iter().map(row).collect();
    let done: Vec<(Id,)> = session.fetch_batch(RESEAL, &rows).await?;
    Ok(done.len() as u64)
}

/// The same in quarantine.
pub(super) async fn reseal_quarantined(session: &mut Session, entries: &[NewEntry]) -> Result<u64, Error> {
    fn row(new: &NewEntry) -> NewEntryRow<'_> {
        NewEntryRow {
            id: Id(new.id.0),
            old_body: Bytes(&new.old_body),
            body: Bytes(&new.body),
            body_bytes: i64::try_from(new.body_bytes).unwrap_or(i64::MAX),
        }
    }
    let rows: Vec<NewEntryRow<'_>> = entries.iter().map(row).collect();
    let done: Vec<(Id,)> = session.fetch_batch(RESEAL_QUARANTINED, &rows).await?;
    Ok(done.len() as u64)
}
