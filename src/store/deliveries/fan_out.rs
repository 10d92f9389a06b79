//! From events to deliveries: what a destination asked for, of what is new.

use time::OffsetDateTime;

use crate::store::Error;
use crate::store::outbox::Turn;
use crate::store::session::{Session, Sql, execute, fetch};
use crate::store::values::Stamp;

/// How many events are looked at in one turn.
const EVENTS_MAX: i64 = 1_000;

/// Positions rise with commits, so that nothing appears behind one that was seen.
const AHEAD: Sql = Sql::same(
    "\
-- turn: what lies ahead of the cursor, by type
select type as kind, count(*) as events, max(position) as last
from (
  select position, type
  from events
  where position > $1
  order by position
  limit $2
) as page
group by type
",
);

/// `$5` and `$6` are JSON arrays: types, requestors. `offset 0` keeps Postgres from reading all that is open at once instead
/// of looking up each lane.
const FAN_OUT: Sql = Sql {
    postgres: "\
-- turn: a delivery for each event ahead that was asked for; it waits if its lane holds anything open
insert into deliveries (destination, event_position, lane, stops, replayed, state, waits, due_at, created_at)
select
  $1, position, lane, stops, false, 'due',
  row_number() over (partition by lane order by position) > 1
    or exists (
      select from deliveries as earlier
      where earlier.destination = $1
        and earlier.lane = asked.lane
        and earlier.state in ('due', 'leased', 'parked')
      offset 0),
  $4, $4
from (
  select position, stops, coalesce(namespace || ' ' || token_unique_reference, 'event ' || position) as lane
  from events
  where position > $2
    and position <= $3
    and type in (select json_array_elements_text($5::json))
    and (only_for is null or only_for = $1)
    and (token_requestor_id is null
      or json_array_length($6::json) = 0
      or token_requestor_id in (select json_array_elements_text($6::json)))
) as asked
order by position
returning case when stops and waits then lane end
",
    sqlite: "\
-- turn: a delivery for each event ahead that was asked for; it waits if its lane holds anything open
insert into deliveries (destination, event_position, lane, stops, replayed, state, waits, due_at, created_at)
select
  $1, position, lane, stops, 0, 'due',
  row_number() over (partition by lane order by position) > 1
    or exists (
      select 1 from deliveries as earlier
      where earlier.destination = $1
        and earlier.lane = asked.lane
        and earlier.state in ('due', 'leased', 'parked')),
  $4, $4
from (
  select position, stops, coalesce(namespace || ' ' || token_unique_reference, 'event ' || position) as lane
  from events
  where position > $2
    and position <= $3
    and type in (select value from json_each($5))
    and (only_for is null or only_for = $1)
    and (token_requestor_id is null
      or json_array_length($6) = 0
      or token_requestor_id in (select value from json_each($6)))
) as asked
order by position
returning case when stops and waits then lane end
",
};

const MOVE: Sql = Sql::same(
    "\
-- turn: how far the destination has come
update destinations
set position = $2
where name = $1
",
);

/// What looking ahead brought.
#[derive(Default)]
pub(super) struct Fanned {
    /// The lanes in which something that stops a merchant from charging now waits.
    pub stopping: Vec<String>,
    /// There may be more ahead.
    pub more: bool,
}

/// Makes deliveries of the next page of events, and moves the cursor, in the one transaction: an event is looked at
/// once, or, after a crash, as if for the first time.
pub(super) async fn fan_out(
    session: &mut Session,
    turn: &Turn<'_>,
    position: i64,
    now: OffsetDateTime,
) -> Result<Fanned, Error> {
    let ahead: Vec<(String, i64, i64)> = fetch!(session, AHEAD, position, EVENTS_MAX)?;
    let Some(last) = ahead.iter().map(|(_, _, last)| *last).max() else {
        return Ok(Fanned::default());
    };
    let events: i64 = ahead.iter().map(|(_, events, _)| events).sum();
    let wanted = |kind: &&String| turn.subscription.wants(kind, None);
    let kinds: Vec<&String> = ahead.iter().map(|(kind, _, _)| kind).filter(wanted).collect();
    let stopping: Vec<(Option<String>,)> = match kinds.is_empty() {
        true => Vec::new(),
        false => fetch!(
            session,
            FAN_OUT,
            turn.destination,
            position,
            last,
            Stamp(now),
            serde_json::json!(kinds).to_string(),
            serde_json::json!(turn.subscription.requestors).to_string(),
        )?,
    };
    execute!(session, MOVE, turn.destination, last)?;
    Ok(Fanned {
        stopping: stopping.into_iter().filter_map(|(lane,)| lane).collect(),
        more: events == EVENTS_MAX,
    })
}
