//! Notifications as a person looks at them: everything but the sealed body.

use super::Error;
use super::row::row;
use super::search::Head;
use super::session::{Session, Sql, fetch};
use super::tokens::{PeerColumns, sealed_by};
use super::values::{Id, Stamp, Words};
use crate::domain::id::NotificationId;

const PAGE: Sql = Sql {
    postgres: "\
-- notifications: a page of them, newest first; how long a body is, is known without reading it
select id, request_id, received_at, peer, organization, peer_address, peer_certificate, sealed_by, key,
  octet_length(sealed_body)::bigint as sealed_bytes, repeats, flags
from notifications
where $1 is null or id < $1
order by id desc
limit $2
",
    sqlite: "\
-- notifications: a page of them, newest first
select id, request_id, received_at, peer, organization, peer_address, peer_certificate, sealed_by, key,
  length(sealed_body) as sealed_bytes, repeats, flags
from notifications
where $1 is null or id < $1
order by id desc
limit $2
",
};

const ONE: Sql = Sql {
    postgres: "\
-- notification: one of them, without its body
select id, request_id, received_at, peer, organization, peer_address, peer_certificate, sealed_by, key,
  octet_length(sealed_body)::bigint as sealed_bytes, repeats, flags
from notifications
where id = $1
",
    sqlite: "\
-- notification: one of them, without its body
select id, request_id, received_at, peer, organization, peer_address, peer_certificate, sealed_by, key,
  length(sealed_body) as sealed_bytes, repeats, flags
from notifications
where id = $1
",
};

row! {
    struct HeadRow {
        id: Id,
        request_id: String,
        received_at: Stamp,
        sealed_by: String,
        key: String,
        sealed_bytes: i64,
        repeats: i64,
        flags: Words,
    }
    with peer: PeerColumns
}

impl HeadRow {
    fn head(self) -> Result<Head, Error> {
        let id = NotificationId(self.id.0);
        let place = || format!("notification {id}");
        Ok(Head {
            id,
            request_id: self.request_id,
            received_at: self.received_at.0,
            peer: self.peer.peer(place)?,
            sealed_by: sealed_by(&self.sealed_by, place)?,
            sealed_bytes: self.sealed_bytes.unsigned_abs(),
            key: self.key,
            repeats: self.repeats.unsigned_abs(),
            flags: self.flags.known(),
        })
    }
}

/// A page of notifications.
pub(super) async fn heads(
    session: &mut Session,
    before: Option<NotificationId>,
    limit: i64,
) -> Result<Vec<Head>, Error> {
    let rows: Vec<HeadRow> = fetch!(session, PAGE, before.map(|id| Id(id.0)), limit)?;
    rows.into_iter().map(HeadRow::head).collect()
}

/// One notification.
pub(super) async fn head(session: &mut Session, id: NotificationId) -> Result<Option<Head>, Error> {
    let rows: Vec<HeadRow> = fetch!(session, ONE, Id(id.0))?;
    rows.into_iter().next().map(HeadRow::head).transpose()
}
