//! Past events, once more: a page of positions at a time, each in a transaction of its own.

use std::ops::Range;
use std::time::Duration;

use time::OffsetDateTime;

use super::destinations;
use crate::domain::event::EventType;
use crate::store::Error;
use crate::store::outbox::ReplayFilter;
use crate::store::session::{Session, Sql, execute, fetch};
use crate::store::values::Stamp;

/// How many positions are looked at in one transaction.
const POSITIONS_MAX: i64 = 1_000;
/// Times rise with positions but for what the clocks of replicas differ by.
const SLACK: Duration = Duration::from_mins(10);

const ALL: Sql = Sql::same(
    "\
-- replay: between which positions all events lie
select min(position), max(position)
from events
",
);

const OF_TOKEN: Sql = Sql::same(
    "\
-- replay: between which positions those of a token lie
select min(position), max(position)
from events
where namespace = $1
  and token_unique_reference = $2
",
);

const RECORDED_AT: Sql = Sql::same(
    "\
-- replay: when the next event after a position was recorded
select recorded_at
from events
where position > $1
order by position
limit 1
",
);

/// What an earlier replay made and is still open is left out. `$8` and `$9` are JSON arrays: types, requestors.
const REPLAYABLE: Sql = Sql {
    postgres: "\
-- replay: how many events of a page are meant
select count(*)
from events
where position > $2
  and position <= $3
  and ($4 is null or recorded_at >= $4)
  and ($5 is null or recorded_at < $5)
  and ($6 is null or namespace = $6)
  and ($7 is null or token_unique_reference = $7)
  and type in (select json_array_elements_text($8::json))
  and (only_for is null or only_for = $1)
  and (token_requestor_id is null
    or json_array_length($9::json) = 0
    or token_requestor_id in (select json_array_elements_text($9::json)))
  and not exists (
    select from deliveries as earlier
    where earlier.destination = $1
      and earlier.lane = coalesce(namespace || ' ' || token_unique_reference, 'event ' || position)
      and earlier.state in ('due', 'leased', 'parked')
      and earlier.event_position = position
      and earlier.replayed)
",
    sqlite: "\
-- replay: how many events of a page are meant
select count(*)
from events
where position > $2
  and position <= $3
  and ($4 is null or recorded_at >= $4)
  and ($5 is null or recorded_at < $5)
  and ($6 is null or namespace = $6)
  and ($7 is null or token_unique_reference = $7)
  and type in (select value from json_each($8))
  and (only_for is null or only_for = $1)
  and (token_requestor_id is null
    or json_array_length($9) = 0
    or token_requestor_id in (select value from json_each($9)))
  and not exists (
    select 1 from deliveries as earlier
    where earlier.destination = $1
      and earlier.lane = coalesce(namespace || ' ' || token_unique_reference, 'event ' || position)
      and earlier.state in ('due', 'leased', 'parked')
      and earlier.event_position = position
      and earlier.replayed)
",
};

/// They stand behind what is open in their lanes, in the order of commits. None overtakes: what it says is old.
const REPLAY: Sql = Sql {
    postgres: "\
-- replay: a delivery more for each event of a page that is meant
insert into deliveries (destination, event_position, lane, stops, replayed, state, waits, due_at, created_at)
select
  $1, position, lane, false, true, 'due',
  row_number() over (partition by lane order by position) > 1
    or exists (
      select from deliveries as earlier
      where earlier.destination = $1
        and earlier.lane = past.lane
        and earlier.state in ('due', 'leased', 'parked')),
  $10, $10
from (
  select position, coalesce(namespace || ' ' || token_unique_reference, 'event ' || position) as lane
  from events
  where position > $2
    and position <= $3
    and ($4 is null or recorded_at >= $4)
    and ($5 is null or recorded_at < $5)
    and ($6 is null or namespace = $6)
    and ($7 is null or token_unique_reference = $7)
    and type in (select json_array_elements_text($8::json))
    and (only_for is null or only_for = $1)
    and (token_requestor_id is null
      or json_array_length($9::json) = 0
      or token_requestor_id in (select json_array_elements_text($9::json)))
    and not exists (
      select from deliveries as earlier
      where earlier.destination = $1
        and earlier.lane = coalesce(namespace || ' ' || token_unique_reference, 'event ' || position)
        and earlier.state in ('due', 'leased', 'parked')
        and earlier.event_position = position
        and earlier.replayed)
) as past
order by position
",
    sqlite: "\
-- replay: a delivery more for each event of a page that is meant
insert into deliveries (destination, event_position, lane, stops, replayed, state, waits, due_at, created_at)
select
  $1, position, lane, 0, 1, 'due',
  row_number() over (partition by lane order by position) > 1
    or exists (
      select 1 from deliveries as earlier
      where earlier.destination = $1
        and earlier.lane = past.lane
        and earlier.state in ('due', 'leased', 'parked')),
  $10, $10
from (
  select position, coalesce(namespace || ' ' || token_unique_reference, 'event ' || position) as lane
  from events
  where position > $2
    and position <= $3
    and ($4 is null or recorded_at >= $4)
    and ($5 is null or recorded_at < $5)
    and ($6 is null or namespace = $6)
    and ($7 is null or token_unique_reference = $7)
    and type in (select value from json_each($8))
    and (only_for is null or only_for = $1)
    and (token_requestor_id is null
      or json_array_length($9) = 0
      or token_requestor_id in (select value from json_each($9)))
    and not exists (
      select 1 from deliveries as earlier
      where earlier.destination = $1
        and earlier.lane = coalesce(namespace || ' ' || token_unique_reference, 'event ' || position)
        and earlier.state in ('due', 'leased', 'parked')
        and earlier.event_position = position
        and earlier.replayed)
) as past
order by position
",
};

/// Runs one of the statements above: the filter's nine parameters come first.
macro_rules! of {
    ($run:ident, $session:expr, $sql:expr, $which:expr, $page:expr $(, $argument:expr)*) => {
        $run!(
            $session,
            $sql,
            &$which.destination,
            $page.start,
            $page.end,
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

/// The pages of positions in which what is meant lies, each from after its start to its end. Up to the cursor only: what
/// lies ahead of it is not past.
pub(in crate::store) async fn pages(
    session: &mut Session,
    which: &ReplayFilter,
) -> Result<impl Iterator<Item = Range<i64>> + use<>, Error> {
    let cursor = destinations::cursor(session, &which.destination).await?;
    let spans: Vec<(Option<i64>, Option<i64>)> = match &which.token {
        None => fetch!(session, ALL)?,
        Some(token) => fetch!(session, OF_TOKEN, token.namespace.as_str(), &token.reference)?,
    };
    let span = spans.into_iter().next().and_then(|(first, last)| first.zip(last));
    let (first, last) = span.unwrap_or((1, 0));
    let mut span = first - 1..last.min(cursor);
    if let Some(since) = which.since {
        span.start = border(session, &span, since - SLACK).await?.start;
    }
    if let Some(until) = which.until {
        span.end = border(session, &span, until + SLACK).await?.end;
    }
    let end = span.end;
    let starts = span.step_by(POSITIONS_MAX as usize);
    Ok(starts.map(move |start| start..end.min(start + POSITIONS_MAX)))
}

/// The page's worth of a span within which events begin to be as late as that: by halving, whatever lies there.
async fn border(session: &mut Session, span: &Range<i64>, at: OffsetDateTime) -> Result<Range<i64>, Error> {
    let mut span = span.clone();
    while span.end - span.start > POSITIONS_MAX {
        let middle = span.start + (span.end - span.start) / 2;
        let next: Vec<(Stamp,)> = fetch!(session, RECORDED_AT, middle)?;
        match next.first() {
            Some((recorded_at,)) if recorded_at.0 < at => span.start = middle,
            _ => span.end = middle,
        }
    }
    Ok(span)
}

/// How many events of a page are meant.
pub(in crate::store) async fn replayable(
    session: &mut Session,
    which: &ReplayFilter,
    page: &Range<i64>,
) -> Result<u64, Error> {
    let counted: Vec<(i64,)> = of!(fetch, session, REPLAYABLE, which, page)?;
    Ok(counted.first().map_or(0, |(count,)| count.unsigned_abs()))
}

/// Makes a page of past events due once more. After `Ok` that is on disk; a crash before leaves none of this page due,
/// and those before it done.
pub(in crate::store) async fn replay(
    session: &mut Session,
    which: &ReplayFilter,
    page: &Range<i64>,
    now: OffsetDateTime,
) -> Result<u64, Error> {
    destinations::lock(session, &which.destination).await?;
    of!(execute, session, REPLAY, which, page, Stamp(now))
}

/// The types that are meant, of those that the destination asks for.
fn kinds(which: &ReplayFilter) -> Vec<&'static str> {
    let meant = |kind: &&str| {
        let named = which.types.is_empty() || which.types.iter().any(|pattern| pattern.fits(kind));
        named && which.subscription.wants(kind, None)
    };
    EventType::ALL.iter().map(|kind| kind.as_str()).filter(meant).collect()
}
