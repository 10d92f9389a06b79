//! Events: written behind whatever made them, and read in the order of commits.

use super::Error;
use super::batch::batch_row;
use super::outbox::{Events, KeptEvent};
use super::row::row;
use super::session::{Session, Sql, execute, fetch};
use super::values::{Document, Id, JsonText, Stamp};
use crate::domain::event::{Current, Event};

const APPEND: Sql = Sql {
    postgres: "\
-- append: what is told, behind all that was told before. Who counts the head up holds it until the commit, and the
-- next one waits: positions have no gaps, and their order is the order of commits
with head as (
  update events_head
  set position = position + cardinality($1)
  returning position - cardinality($1) as before
)
insert into events
  (position, id, type, namespace, token_unique_reference, token_requestor_id, sequence, stops, notification_id,
   token_index, only_for, recorded_at, body)
select
  head.before + place, id, type, namespace, token_unique_reference, token_requestor_id, sequence, stops,
  notification_id, token_index, only_for, recorded_at, body::json
from head
cross join unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) with ordinality as told (
  id, type, namespace, token_unique_reference, token_requestor_id, sequence, stops, notification_id,
  token_index, only_for, recorded_at, body, place)
returning position
",
    sqlite: "\
-- append: what is told, behind all that was told before (the one writer holds the head)
insert into events
  (position, id, type, namespace, token_unique_reference, token_requestor_id, sequence, stops, notification_id,
   token_index, only_for, recorded_at, body)
select
  head.position + told.key + 1, value ->> 'id', value ->> 'kind', value ->> 'namespace',
  value ->> 'token_unique_reference', value ->> 'token_requestor_id', value ->> 'sequence', value ->> 'stops',
  value ->> 'notification_id', value ->> 'token_index', value ->> 'only_for', value ->> 'recorded_at',
  value -> 'body'
from events_head as head
cross join json_each($1) as told
returning position
",
};

/// Postgres counts in [`APPEND`] itself.
const COUNT_UP: &str = "\
-- append: the head, as far as was just written
update events_head set position = position + $1
";

batch_row! {
    /// One event on its way to disk; `only_for` is the one destination that it is for.
    pub(super) struct EventRow<'a> {
        id: Id,
        kind: &'static str,
        namespace: Option<&'static str>,
        token_unique_reference: Option<&'a str>,
        token_requestor_id: Option<&'a str>,
        sequence: Option<i64>,
        stops: bool,
        notification_id: Option<Id>,
        token_index: Option<i32>,
        only_for: Option<&'a str>,
        recorded_at: Stamp,
        body: Document,
    }
}

impl<'a> EventRow<'a> {
    /// Of an event; `token_index` is the place of what was said in its notification.
    pub(super) fn of(event: &'a Event, token_index: Option<u32>, only_for: Option<&'a str>) -> Result<Self, Error> {
        let data = &event.data;
        let is_of_token = event.kind.is_of_token();
        let notification = data.notification_id.zip(token_index);
        Ok(EventRow {
            id: Id(event.id.0),
            kind: event.kind.as_str(),
            namespace: is_of_token.then_some(data.namespace.as_str()),
            token_unique_reference: is_of_token.then_some(&data.token_unique_reference),
            token_requestor_id: data.token_requestor_id.as_deref(),
            sequence: is_of_token.then_some(data.sequence.cast_signed()),
            stops: data.advice.stops(),
            notification_id: notification.map(|(id, _)| Id(id.0)),
            token_index: notification.map(|(_, index)| i32::try_from(index).unwrap_or(i32::MAX)),
            only_for,
            recorded_at: Stamp(event.timestamp),
            body: Document::of(event)?,
        })
    }
}

/// Writes events behind all others, in their order; nothing may be locked after it in the same transaction.
///
/// A crash before the commit leaves neither them nor their positions.
pub(super) async fn append(session: &mut Session, rows: &[EventRow<'_>]) -> Result<(), Error> {
    if rows.is_empty() {
        return Ok(());
    }
    let placed: Vec<(i64,)> = session.fetch_batch(APPEND, rows).await?;
    if placed.len() != rows.len() {
        // A change that nobody is told of must not be committed.
        return Err(Error::Corrupt("events_head has no row".to_owned()));
    }
    if let Session::Sqlite(_) = session {
        execute!(session, Sql::same(COUNT_UP), rows.len() as i64)?;
    }
    Ok(())
}

const EXTENT: Sql = Sql {
    postgres: "\
-- events: how far they reach; one that somebody still waits for may stay among those that went
select
  position as newest,
  greatest(
    coalesce((select min(position) - 1 from events), position),
    coalesce((select events_gone from retention), 0)) as oldest
from events_head
",
    sqlite: "\
-- events: how far they reach; one that somebody still waits for may stay among those that went
select
  position as newest,
  max(
    coalesce((select min(position) - 1 from events), position),
    coalesce((select events_gone from retention), 0)) as oldest
from events_head
",
};

row! {
    struct Extent {
        newest: i64,
        oldest: i64,
    }
}

const PAGE: Sql = Sql::same(
    "\
-- events: a page of those for everyone, in the order of commits, each with its token as it stands
select events.position, events.token_index, events.body, tokens.sequence, tokens.status, tokens.provisional
from events
left join tokens
  on tokens.namespace = events.namespace
  and tokens.token_unique_reference = events.token_unique_reference
where events.position > $1
  and events.position <= $2
  and events.only_for is null
order by events.position
limit $3
",
);

row! {
    struct KeptRow {
        position: i64,
        token_index: Option<i32>,
        body: JsonText,
        sequence: Option<i64>,
        status: Option<String>,
        provisional: Option<bool>,
    }
}

impl KeptRow {
    fn event(self) -> Result<KeptEvent, Error> {
        Ok(KeptEvent {
            position: self.position.unsigned_abs(),
            event: self.body.read(|| format!("events.body at {}", self.position))?,
            token_index: self.token_index.map(i32::unsigned_abs),
            current: current(self.sequence, self.status, self.provisional),
        })
    }
}

/// A token as it stands, out of the columns of its row; without one, of none.
pub(super) fn current(sequence: Option<i64>, status: Option<String>, provisional: Option<bool>) -> Option<Current> {
    Some(Current {
        sequence: sequence?.unsigned_abs(),
        status,
        provisional: provisional.unwrap_or_default(),
    })
}

/// A page of events in the order of commits.
pub(super) async fn page(session: &mut Session, after: u64, limit: i64) -> Result<Events, Error> {
    let extent: Vec<Extent> = fetch!(session, EXTENT)?;
    let extent = extent
        .first()
        .ok_or_else(|| Error::Corrupt("events_head has no row".to_owned()))?;
    // What is committed after this look is behind the head that it saw, and is for the next page.
    let begin = i64::try_from(after).unwrap_or(i64::MAX);
    let rows: Vec<KeptRow> = fetch!(session, PAGE, begin, extent.newest, limit)?;
    // Looked at behind the page: whatever went by age before the page was read is told of.
    let gone: Vec<Extent> = fetch!(session, EXTENT)?;
    let oldest = gone.first().map_or(extent.oldest, |now| now.oldest);
    let is_full = rows.len() as i64 >= limit;
    let items: Result<Vec<KeptEvent>, Error> = rows.into_iter().map(KeptRow::event).collect();
    let items = items?;
    let newest = extent.newest.unsigned_abs();
    // What is for one destination only is passed over, so that a reader does not look at it again.
    let next = match items.last() {
        Some(last) if is_full => last.position,
        _ => newest.max(after),
    };
    Ok(Events {
        items,
        next,
        oldest: oldest.unsigned_abs(),
        newest,
    })
}
