//! A destination that begins is told how every token stands, a page at a time.
//!
//! Its cursor stood at the head when that began, so that what changes meanwhile comes as events of their own; a page
//! holds its tokens' locks while it says how they stand, so that it never says what a later event has overtaken.

use time::OffsetDateTime;

use crate::clock::new_id;
use crate::domain::event::{Advice, Event, EventData, EventType, VERSION};
use crate::domain::id::EventId;
use crate::domain::status::Status;
use crate::store::Error;
use crate::store::batch::batch_row;
use crate::store::record::token_reference;
use crate::store::row::row;
use crate::store::session::{Session, Sql, execute, fetch};
use crate::store::values::{Document, Id, Stamp, Words};

/// How many tokens are told of in one turn.
const TOKENS_MAX: i64 = 500;

const TOKENS: Sql = Sql {
    postgres: "\
-- snapshot: lock a page of tokens, in the one order of the house
select namespace, token_unique_reference, coalesce(token_requestor_id, registered_requestor_id) as requestor,
  merchant_reference, status, suspended_by, status_at, reason_code, sequence, updated_at
from tokens
where (namespace, token_unique_reference) > ($1, $2)
order by namespace collate \"C\", token_unique_reference collate \"C\"
limit $3
for no key update
",
    sqlite: "\
-- snapshot: a page of tokens (the one writer holds the lock)
select namespace, token_unique_reference, coalesce(token_requestor_id, registered_requestor_id) as requestor,
  merchant_reference, status, suspended_by, status_at, reason_code, sequence, updated_at
from tokens
where (namespace, token_unique_reference) > ($1, $2)
order by namespace, token_unique_reference
limit $3
",
};

const HEAD: Sql = Sql::same(
    "\
-- snapshot: take so many positions; the last lock before the commit
update events_head
set position = position + $1
where only_row
returning position
",
);

const TELL: Sql = Sql {
    postgres: "\
-- snapshot: how they stand, as events for one destination
insert into events
  (position, id, type, namespace, token_unique_reference, token_requestor_id, sequence, stops, only_for,
   recorded_at, body)
select
  position, id, type, namespace, token_unique_reference, token_requestor_id, sequence, stops, only_for,
  recorded_at, body::json
from unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) as told (
  position, id, type, namespace, token_unique_reference, token_requestor_id, sequence, stops, only_for,
  recorded_at, body)
",
    sqlite: "\
-- snapshot: how they stand, as events for one destination
insert into events
  (position, id, type, namespace, token_unique_reference, token_requestor_id, sequence, stops, only_for,
   recorded_at, body)
select
  value ->> 'position', value ->> 'id', value ->> 'kind', value ->> 'namespace', value ->> 'token_unique_reference',
  value ->> 'token_requestor_id', value ->> 'sequence', value ->> 'stops', value ->> 'only_for',
  value ->> 'recorded_at', value -> 'body'
from json_each($1)
",
};

const MOVE: Sql = Sql::same(
    "\
-- snapshot: how far it has come; null: it is done
update destinations
set snapshot = $2
where name = $1
",
);

row! {
    struct TokenRow {
        namespace: String,
        token_unique_reference: String,
        requestor: Option<String>,
        merchant_reference: Option<String>,
        status: Option<String>,
        suspended_by: Words,
        status_at: Option<Stamp>,
        reason_code: Option<String>,
        sequence: i64,
        updated_at: Stamp,
    }
}

batch_row! {
    struct EventRow<'a> {
        position: i64,
        id: Id,
        kind: &'static str,
        namespace: &'static str,
        token_unique_reference: String,
        token_requestor_id: Option<String>,
        sequence: i64,
        stops: bool,
        only_for: &'a str,
        recorded_at: Stamp,
        body: Document,
    }
}

/// Tells of the tokens after that one (`namespace reference`; empty: from the first), and says whether there is more
/// to look at now: they, or those after them. A crash before the commit leaves the snapshot where it was.
pub(super) async fn page(
    session: &mut Session,
    destination: &str,
    after: &str,
    now: OffsetDateTime,
) -> Result<bool, Error> {
    let (namespace, reference) = after.split_once(' ').unwrap_or_default();
    let tokens: Vec<TokenRow> = fetch!(session, TOKENS, namespace, reference, TOKENS_MAX)?;
    let goes_on = tokens.len() as i64 == TOKENS_MAX;
    let last = tokens.last();
    let last = last.map(|token| format!("{} {}", token.namespace, token.token_unique_reference));
    execute!(session, MOVE, destination, last.filter(|_| goes_on))?;
    let is_more = !tokens.is_empty();
    tell(session, destination, tokens, now).await?;
    Ok(is_more)
}

async fn tell(
    session: &mut Session,
    destination: &str,
    tokens: Vec<TokenRow>,
    now: OffsetDateTime,
) -> Result<(), Error> {
    if tokens.is_empty() {
        return Ok(());
    }
    let count = tokens.len() as i64;
    let head: Vec<(i64,)> = fetch!(session, HEAD, count)?;
    let missing = || Error::Corrupt("events_head has no row".to_owned());
    let before = head.first().ok_or_else(missing)?.0 - count;
    let rows: Result<Vec<EventRow<'_>>, Error> = (before + 1..)
        .zip(tokens)
        .map(|(position, token)| row(position, destination, event(token, now)?))
        .collect();
    session.execute_batch(TELL, &rows?).await
}

fn event(token: TokenRow, now: OffsetDateTime) -> Result<Event, Error> {
    let reference = token_reference(&token.namespace, token.token_unique_reference)?;
    let status = token.status.map(Status::from);
    Ok(Event {
        id: EventId(new_id(now)),
        kind: EventType::TokenSnapshot,
        version: VERSION,
        timestamp: now,
        data: EventData {
            namespace: reference.namespace,
            token_unique_reference: reference.reference,
            token_requestor_id: token.requestor,
            merchant_reference: token.merchant_reference,
            sequence: token.sequence.unsigned_abs(),
            index: 1,
            of: 1,
            state_changed: false,
            advice: Advice::on(status.as_ref()),
            status: status.map(String::from),
            previous_status: None,
            suspended_by: token.suspended_by.0,
            reason_code: token.reason_code,
            status_at: token.status_at.map(|at| at.0),
            received_at: token.updated_at.0,
            changes: Vec::new(),
            notification_id: None,
            flags: Vec::new(),
            command: None,
            alarm: None,
        },
    })
}

fn row(position: i64, destination: &str, event: Event) -> Result<EventRow<'_>, Error> {
    Ok(EventRow {
        position,
        id: Id(event.id.0),
        kind: event.kind.as_str(),
        namespace: event.data.namespace.as_str(),
        token_unique_reference: event.data.token_unique_reference.clone(),
        token_requestor_id: event.data.token_requestor_id.clone(),
        sequence: super::number(event.data.sequence),
        stops: event.data.advice.stops(),
        only_for: destination,
        recorded_at: Stamp(event.timestamp),
        body: Document::of(&event)?,
    })
}
