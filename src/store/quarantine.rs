//! What could not be used: kept sealed, until it is read after all or set aside by a person.

use time::OffsetDateTime;
use uuid::Uuid;

use super::row::row;
use super::session::{Session, Sql, execute, fetch};
use super::tokens::{PeerColumns, sealed_by};
use super::values::{Id, Stamp};
use super::{Error, KeptQuarantine, NewQuarantine, QuarantineFilter, Resolution};
use crate::domain::id::{NotificationId, QuarantineId};

/// Told twice under one id (the first answer was lost on the way), it is kept once.
const KEEP: Sql = Sql::same(
    "\
-- quarantine: keep what could not be used
insert into quarantine
  (id, received_at, peer, organization, peer_address, peer_certificate, body, body_bytes, sealed_by,
   reason, detail, keys_tried)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
on conflict (id) do nothing
",
);

/// Keeps what could not be used.
pub(super) async fn keep(session: &mut Session, entry: &NewQuarantine) -> Result<(), Error> {
    let peer = &entry.peer;
    execute!(
        session,
        KEEP,
        Id(entry.id.0),
        Stamp(entry.received_at),
        &peer.name,
        &peer.organization,
        peer.address.to_string(),
        &peer.certificate_sha256,
        &entry.body,
        // A length that was only announced may be any number.
        i64::try_from(entry.body_bytes).unwrap_or(i64::MAX),
        entry.sealed_by.as_str(),
        &entry.reason,
        &entry.detail,
        &entry.keys_tried,
    )?;
    Ok(())
}

const PAGE: Sql = Sql::same(
    "\
-- quarantined: a page of entries in the order of their ids
select id, received_at, peer, organization, peer_address, peer_certificate, body, body_bytes, sealed_by,
  notification_id, token_index, reason, detail, keys_tried, tries, resolved_at, resolution
from quarantine
where id > $1
  and (not $2 or resolved_at is null)
  and ($3 is null or reason = $3)
  and ($4 is null or keys_tried <> $4)
order by id
limit $5
",
);

const ENTRY: Sql = Sql::same(
    "\
-- quarantine_entry: one of them
select id, received_at, peer, organization, peer_address, peer_certificate, body, body_bytes, sealed_by,
  notification_id, token_index, reason, detail, keys_tried, tries, resolved_at, resolution
from quarantine
where id = $1
",
);

row! {
    struct Row {
        id: Id,
        received_at: Stamp,
        body: Option<Vec<u8>>,
        body_bytes: i64,
        sealed_by: String,
        notification_id: Option<Id>,
        token_index: Option<i32>,
        reason: String,
        detail: String,
        keys_tried: String,
        tries: i64,
        resolved_at: Option<Stamp>,
        resolution: Option<String>,
    }
    with peer: PeerColumns
}

/// A page of entries.
pub(super) async fn page(
    session: &mut Session,
    which: &QuarantineFilter,
    after: Option<QuarantineId>,
    limit: i64,
) -> Result<Vec<KeptQuarantine>, Error> {
    let after = Id(after.map_or(Uuid::nil(), |id| id.0));
    let rows: Vec<Row> = fetch!(
        session,
        PAGE,
        after,
        which.open,
        &which.reason,
        &which.not_tried_with,
        limit
    )?;
    rows.into_iter().map(kept).collect()
}

/// One entry.
pub(super) async fn entry(session: &mut Session, id: QuarantineId) -> Result<Option<KeptQuarantine>, Error> {
    let rows: Vec<Row> = fetch!(session, ENTRY, Id(id.0))?;
    rows.into_iter().next().map(kept).transpose()
}

fn kept(row: Row) -> Result<KeptQuarantine, Error> {
    let id = QuarantineId(row.id.0);
    let place = || format!("quarantine entry {id}");
    let token = row.notification_id.zip(row.token_index);
    Ok(KeptQuarantine {
        id,
        received_at: row.received_at.0,
        peer: row.peer.peer(place)?,
        body: row.body,
        sealed_by: sealed_by(&row.sealed_by, place)?,
        body_bytes: row.body_bytes.unsigned_abs(),
        notification: token.map(|(notification, index)| (NotificationId(notification.0), index.unsigned_abs())),
        reason: row.reason,
        detail: row.detail,
        keys_tried: row.keys_tried,
        tries: row.tries.unsigned_abs(),
        resolved_at: row.resolved_at.map(|at| at.0),
        resolution: row.resolution,
    })
}

const RESOLVE: Sql = Sql::same(
    "\
-- resolve: close an entry, if it is open
update quarantine
set resolved_at = $2, resolution = $3
where id = $1
  and resolved_at is null
",
);

/// Closes an entry; says whether it was open.
pub(super) async fn resolve(
    session: &mut Session,
    id: QuarantineId,
    resolution: &Resolution,
    now: OffsetDateTime,
) -> Result<bool, Error> {
    Ok(execute!(session, RESOLVE, Id(id.0), Stamp(now), resolution.to_string())? == 1)
}

const TRIED_AGAIN: Sql = Sql::same(
    "\
-- tried_again: an open entry was tried in vain
update quarantine
set tries = tries + 1, reason = $2, detail = $3, keys_tried = $4
where id = $1
  and resolved_at is null
",
);

/// Notes that an open entry was tried again in vain.
pub(super) async fn tried_again(
    session: &mut Session,
    id: QuarantineId,
    reason: &str,
    detail: &str,
    keys_tried: &str,
) -> Result<(), Error> {
    execute!(session, TRIED_AGAIN, Id(id.0), reason, detail, keys_tried)?;
    Ok(())
}

const OPEN: Sql = Sql::same(
    "\
-- quarantine_open: how many entries are open
select count(*)
from quarantine
where resolved_at is null
",
);

/// How many entries are open.
pub(super) async fn open(session: &mut Session) -> Result<u64, Error> {
    let rows: Vec<(i64,)> = fetch!(session, OPEN)?;
    Ok(rows.first().map_or(0, |(count,)| count.unsigned_abs()))
}
