//! A page of deliveries, as a person looks at them.

use uuid::Uuid;

use super::number;
use crate::domain::delivery::State;
use crate::domain::id::{DeliveryId, EventId, TokenReference};
use crate::store::Error;
use crate::store::outbox::{DeliveryFilter, KeptDelivery};
use crate::store::record::token_reference;
use crate::store::row::row;
use crate::store::session::{Session, Sql, fetch};
use crate::store::values::{Id, Stamp};

const PAGE: Sql = Sql::same(
    "\
-- deliveries: a page of them in the order of their ids
select deliveries.id, destination, events.id as event, event_position, events.type as kind, events.namespace,
  events.token_unique_reference, state, attempts, due_at, failing_since, out_of_order, replayed, attempted_at,
  answer_status, answer, settled_at, settled_by
from deliveries
left join events on events.position = deliveries.event_position
where ($1 is null or deliveries.id = $1)
  and ($2 is null or destination = $2)
  and ($3 is null or lane = $3)
  and ($4 is null or events.id = $4)
  and ($5 is null or state = $5)
  and (not $6 or state in ('due', 'leased', 'parked'))
  and deliveries.id > $7
order by deliveries.id
limit $8
",
);

row! {
    struct KeptRow {
        id: i64,
        destination: String,
        event: Option<Id>,
        event_position: i64,
        kind: Option<String>,
        namespace: Option<String>,
        token_unique_reference: Option<String>,
        state: String,
        attempts: i32,
        due_at: Stamp,
        failing_since: Option<Stamp>,
        out_of_order: bool,
        replayed: bool,
        attempted_at: Option<Stamp>,
        answer_status: Option<i32>,
        answer: Option<String>,
        settled_at: Option<Stamp>,
        settled_by: Option<String>,
    }
}

/// The lane of a token.
pub(super) fn lane(token: &TokenReference) -> String {
    format!("{} {}", token.namespace.as_str(), token.reference)
}

/// A page of deliveries.
pub(in crate::store) async fn page(
    session: &mut Session,
    which: &DeliveryFilter,
    after: Option<DeliveryId>,
    limit: i64,
) -> Result<Vec<KeptDelivery>, Error> {
    let rows: Vec<KeptRow> = fetch!(
        session,
        PAGE,
        which.id.map(|id| number(id.0)),
        &which.destination,
        which.token.as_ref().map(lane),
        which.event.map(|event| Id(event.0)),
        which.state.map(State::as_str),
        which.open,
        after.map_or(0, |id| number(id.0)),
        limit,
    )?;
    rows.into_iter().map(kept).collect()
}

fn kept(row: KeptRow) -> Result<KeptDelivery, Error> {
    let place = || Error::Corrupt(format!("deliveries.state of {}", row.id));
    let state = State::parse(&row.state).ok_or_else(place)?;
    let token = row.namespace.zip(row.token_unique_reference);
    Ok(KeptDelivery {
        id: DeliveryId(row.id.unsigned_abs()),
        destination: row.destination,
        event: EventId(row.event.map_or(Uuid::nil(), |event| event.0)),
        position: row.event_position.unsigned_abs(),
        kind: row.kind.unwrap_or_default(),
        token: token
            .map(|(namespace, reference)| token_reference(&namespace, reference))
            .transpose()?,
        state,
        attempts: row.attempts.unsigned_abs(),
        due_at: row.due_at.0,
        failing_since: row.failing_since.map(|at| at.0),
        out_of_order: row.out_of_order,
        replayed: row.replayed,
        attempted_at: row.attempted_at.map(|at| at.0),
        answer_status: row.answer_status.and_then(|status| status.try_into().ok()),
        answer: row.answer,
        settled_at: row.settled_at.map(|at| at.0),
        settled_by: row.settled_by,
    })
}
