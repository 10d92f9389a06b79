//! Past events, once more.

use time::OffsetDateTime;

use super::destinations;
use crate::domain::event::EventType;
use crate::store::Error;
use crate::store::outbox::ReplayFilter;
use crate::store::session::{Session, Sql, execute, fetch};
use crate::store::values::Stamp;

/// Up to the cursor only: what lies ahead of it is not past. `$7` and `$8` are JSON arrays: types, requestors.
const REPLAYABLE: Sql = Sql {
    postgres: "\
-- replay: how many events are meant
select count(*)
from events
where position <= $2
  and ($3 is null or recorded_at >= $3)
  and ($4 is null or recorded_at < $4)
  and ($5 is null or namespace = $5)
  and ($6 is null or token_unique_reference = $6)
  and type in (select json_array_elements_text($7::json))
  and (only_for is null or only_for = $1)
  and (token_requestor_id is null
    or json_array_length($8::json) = 0
    or token_requestor_id in (select json_array_elements_text($8::json)))
",
    sqlite: "\
-- replay: how many events are meant
select count(*)
from events
where position <= $2
  and ($3 is null or recorded_at >= $3)
  and ($4 is null or recorded_at < $4)
  and ($5 is null or namespace = $5)
  and ($6 is null or token_unique_reference = $6)
  and type in (select value from json_each($7))
  and (only_for is null or only_for = $1)
  and (token_requestor_id is null
    or json_array_length($8) = 0
    or token_requestor_id in (select value from json_each($8)))
",
};

/// They stand behind what is open in their lanes, in the order of commits. None overtakes: what it says is old.
const REPLAY: Sql = Sql {
    postgres: "\
-- replay: a delivery more for each event that is meant
insert into deliveries (destination, event_position, lane, stops, replayed, state, waits, due_at, created_at)
select
  $1, position, lane, false, true, 'due',
  row_number() over (partition by lane order by position) > 1
    or exists (
      select from deliveries as earlier
      where earlier.destination = $1
        and earlier.lane = past.lane
        and earlier.state in ('due', 'leased', 'parked')),
  $9, $9
from (
  select position, coalesce(namespace || ' ' || token_unique_reference, 'event ' || position) as lane
  from events
  where position <= $2
    and ($3 is null or recorded_at >= $3)
    and ($4 is null or recorded_at < $4)
    and ($5 is null or namespace = $5)
    and ($6 is null or token_unique_reference = $6)
    and type in (select json_array_elements_text($7::json))
    and (only_for is null or only_for = $1)
    and (token_requestor_id is null
      or json_array_length($8::json) = 0
      or token_requestor_id in (select json_array_elements_text($8::json)))
) as past
order by position
",
    sqlite: "\
-- replay: a delivery more for each event that is meant
insert into deliveries (destination, event_position, lane, stops, replayed, state, waits, due_at, created_at)
select
  $1, position, lane, 0, 1, 'due',
  row_number() over (partition by lane order by position) > 1
    or exists (
      select 1 from deliveries as earlier
      where earlier.destination = $1
        and earlier.lane = past.lane
        and earlier.state in ('due', 'leased', 'parked')),
  $9, $9
from (
  select position, coalesce(namespace || ' ' || token_unique_reference, 'event ' || position) as lane
  from events
  where position <= $2
    and ($3 is null or recorded_at >= $3)
    and ($4 is null or recorded_at < $4)
    and ($5 is null or namespace = $5)
    and ($6 is null or token_unique_reference = $6)
    and type in (select value from json_each($7))
    and (only_for is null or only_for = $1)
    and (token_requestor_id is null
      or json_array_length($8) = 0
      or token_requestor_id in (select value from json_each($8)))
) as past
order by position
",
};

/// Runs one of the statements above: the filter's eight parameters come first.
macro_rules! of {
    ($run:ident, $session:expr, $sql:expr, $which:expr, $position:expr $(, $argument:expr)*) => {
        $run!(
            $session,
            $sql,
            &$which.destination,
            $position,
            $which.since.map(Stamp),
            $which.until.map(Stamp),
            $which.token.as_ref().map(|token| token.namespace.as_str()),
            $which.token.as_ref().map(|token| token.reference.as_str()),
            serde_json::json!(kinds($which)).to_string(),
            serde_json::json!($which.subscription.requestors).to_string()
            $(, $argument)*
        )
    };
}

/// Makes past events due once more.
pub(in crate::store) async fn replay(
    session: &mut Session,
    which: &ReplayFilter,
    dry_run: bool,
    now: OffsetDateTime,
) -> Result<u64, Error> {
    let position = destinations::lock(session, &which.destination).await?.position;
    if dry_run {
        let counted: Vec<(i64,)> = of!(fetch, session, REPLAYABLE, which, position)?;
        return Ok(counted.first().map_or(0, |(count,)| count.unsigned_abs()));
    }
    of!(execute, session, REPLAY, which, position, Stamp(now))
}

/// The types that are meant, of those that the destination asks for.
fn kinds(which: &ReplayFilter) -> Vec<&'static str> {
    let meant = |kind: &&str| {
        let named = which.types.is_empty() || which.types.iter().any(|pattern| pattern.fits(kind));
        named && which.subscription.wants(kind, None)
    };
    EventType::ALL.iter().map(|kind| kind.as_str()).filter(meant).collect()
}
