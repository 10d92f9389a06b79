//! What became of attempts.

use std::collections::HashSet;

use time::OffsetDateTime;

use super::number;
use crate::domain::delivery::{Outcome, State};
use crate::domain::id::DeliveryId;
use crate::store::Error;
use crate::store::batch::batch_row;
use crate::store::outbox::Settlement;
use crate::store::session::{Session, Sql};
use crate::store::values::Stamp;

/// A lease that ended but went to nobody else still holds: what came of it is known, and is better than a repeat.
/// Each is looked up by its id: `is not distinct from` is an equality that no index knows, and keeps a planner from
/// going through all that is open at the destination instead, which it did for each of them.
const SETTLE: Sql = Sql {
    postgres: "\
-- turn: settle attempts that still hold their lease
update deliveries
set
  state = ended.state,
  due_at = coalesce(ended.due_at, deliveries.due_at),
  tries = deliveries.tries + ended.failures,
  failing_since = case ended.failures when 0 then deliveries.failing_since
    else coalesce(deliveries.failing_since, ended.at) end,
  attempted_at = ended.at,
  answer_status = ended.answer_status,
  answer = ended.answer,
  settled_at = ended.settled_at
from unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) as ended (
  id, destination, event_position, attempt, state, failures, due_at, at, settled_at, answer_status, answer)
where deliveries.id = ended.id
  and deliveries.destination is not distinct from ended.destination
  and deliveries.event_position is not distinct from ended.event_position
  and deliveries.attempts = ended.attempt
  and deliveries.state is not distinct from 'leased'
returning deliveries.id, deliveries.attempts, deliveries.lane
",
    sqlite: "\
-- turn: settle attempts that still hold their lease
update deliveries
set
  state = value ->> 'state',
  due_at = coalesce(value ->> 'due_at', due_at),
  tries = tries + (value ->> 'failures'),
  failing_since = case value ->> 'failures' when 0 then failing_since
    else coalesce(failing_since, value ->> 'at') end,
  attempted_at = value ->> 'at',
  answer_status = value ->> 'answer_status',
  answer = value ->> 'answer',
  settled_at = value ->> 'settled_at'
from json_each($1) as ended
where deliveries.id = value ->> 'id'
  and destination = value ->> 'destination'
  and event_position = value ->> 'event_position'
  and attempts = value ->> 'attempt'
  and state = 'leased'
returning deliveries.id, deliveries.attempts, lane
",
};

batch_row! {
    struct EndedRow<'a> {
        id: i64,
        destination: &'a str,
        event_position: i64,
        attempt: i64,
        state: &'static str,
        failures: i32,
        due_at: Option<Stamp>,
        at: Stamp,
        settled_at: Option<Stamp>,
        answer_status: Option<i32>,
        answer: &'a str,
    }
}

/// What settling brought.
pub(super) struct Settled {
    /// The lanes in which something ended.
    pub lanes: Vec<String>,
    /// What came too late.
    pub late: Vec<DeliveryId>,
}

/// Settles attempts; a crash before the commit leaves them leased, and they are made again.
pub(super) async fn settle(
    session: &mut Session,
    destination: &str,
    ended: &[Settlement],
    now: OffsetDateTime,
) -> Result<Settled, Error> {
    let rows: Vec<EndedRow<'_>> = ended.iter().map(|one| row(one, destination, now)).collect();
    let held: Vec<(i64, i32, String)> = match rows.is_empty() {
        true => Vec::new(),
        false => session.fetch_batch(SETTLE, &rows).await?,
    };
    let attempts: HashSet<(i64, i64)> = held.iter().map(|&(id, attempt, _)| (id, attempt.into())).collect();
    let is_late = |one: &&Settlement| !attempts.contains(&(number(one.delivery.0), one.attempt.into()));
    Ok(Settled {
        late: ended.iter().filter(is_late).map(|one| one.delivery).collect(),
        lanes: held.into_iter().map(|(_, _, lane)| lane).collect(),
    })
}

fn row<'a>(ended: &'a Settlement, destination: &'a str, now: OffsetDateTime) -> EndedRow<'a> {
    let (state, due_at) = match ended.outcome {
        Outcome::Delivered => (State::Delivered, None),
        Outcome::Again(at) => (State::Due, Some(Stamp(at))),
        Outcome::Parked => (State::Parked, None),
    };
    EndedRow {
        id: number(ended.delivery.0),
        destination,
        event_position: number(ended.position),
        attempt: ended.attempt.into(),
        state: state.as_str(),
        failures: (state != State::Delivered).into(),
        due_at,
        at: Stamp(now),
        settled_at: (state == State::Delivered).then_some(Stamp(now)),
        answer_status: ended.status.map(i32::from),
        answer: &ended.answer,
    }
}
