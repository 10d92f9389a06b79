//! Claiming: what may be sent now, under a lease.
//!
//! A claim is no lock: it is a row that says until when it is being sent, and under which number. Whoever dies with
//! it leaves a row that is due when the lease ends, under the next number.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use time::OffsetDateTime;

use super::{lanes, settle};
use crate::domain::delivery::Outcome;
use crate::domain::event::Event;
use crate::domain::id::DeliveryId;
use crate::store::Error;
use crate::store::batch::batch_row;
use crate::store::events::current;
use crate::store::outbox::{Claimed, KeptEvent, Settlement, Turn};
use crate::store::row::row;
use crate::store::session::{Session, Sql, fetch};
use crate::store::values::{JsonText, Stamp};

/// What waits is in neither index. The expired lease of a first try is a further try.
const DUE: Sql = Sql::same(
    "\
-- turn: what is due, first tries and further tries apart, the longest due first
select *
from (
  select id, lane, due_at, attempts
  from deliveries
  where destination = $1
    and state in ('due', 'leased')
    and not waits
    and attempts = 0
    and due_at <= $2
  order by destination, due_at, id
  limit $3
) as first
union all
select *
from (
  select id, lane, due_at, attempts
  from deliveries
  where destination = $1
    and state in ('due', 'leased')
    and not waits
    and attempts > 0
    and due_at <= $2
  order by destination, due_at, id
  limit $3
) as again
",
);

const LEASE: Sql = Sql {
    postgres: "\
-- turn: lease what goes out now; what goes before an open one of its lane is out of order
update deliveries
set
  state = 'leased',
  attempts = attempts + 1,
  due_at = taken.due_at,
  out_of_order = deliveries.stops and exists (
    select from deliveries as earlier
    where earlier.destination = deliveries.destination
      and earlier.lane = deliveries.lane
      and earlier.id < deliveries.id
      and earlier.state in ('due', 'leased', 'parked'))
from unnest($1, $2) as taken (id, due_at)
where deliveries.id = taken.id
",
    sqlite: "\
-- turn: lease what goes out now; what goes before an open one of its lane is out of order
update deliveries
set
  state = 'leased',
  attempts = attempts + 1,
  due_at = value ->> 'due_at',
  out_of_order = deliveries.stops and exists (
    select 1 from deliveries as earlier
    where earlier.destination = deliveries.destination
      and earlier.lane = deliveries.lane
      and earlier.id < deliveries.id
      and earlier.state in ('due', 'leased', 'parked'))
from json_each($1) as taken
where deliveries.id = value ->> 'id'
",
};

const TAKEN: Sql = Sql {
    postgres: "\
-- turn: what was taken, with its event and its token as it stands
select deliveries.id, deliveries.attempts, deliveries.tries, deliveries.event_position, deliveries.out_of_order,
  deliveries.lane, deliveries.replayed, events.body, events.token_index, tokens.sequence, tokens.status, tokens.provisional
from unnest($1, $2) as taken (id, due_at)
join deliveries on deliveries.id = taken.id
left join events on events.position = deliveries.event_position
left join tokens
  on tokens.namespace = events.namespace
  and tokens.token_unique_reference = events.token_unique_reference
order by deliveries.id
",
    sqlite: "\
-- turn: what was taken, with its event and its token as it stands
select deliveries.id, deliveries.attempts, deliveries.tries, deliveries.event_position, deliveries.out_of_order,
  deliveries.lane, deliveries.replayed, events.body, events.token_index, tokens.sequence, tokens.status, tokens.provisional
from json_each($1) as taken
join deliveries on deliveries.id = taken.value ->> 'id'
left join events on events.position = deliveries.event_position
left join tokens
  on tokens.namespace = events.namespace
  and tokens.token_unique_reference = events.token_unique_reference
order by deliveries.id
",
};

batch_row! {
    struct TakenRow {
        id: i64,
        due_at: Stamp,
    }
}

row! {
    struct DueRow {
        id: i64,
        lane: String,
        due_at: Stamp,
        attempts: i32,
    }
}

row! {
    struct ClaimedRow {
        id: i64,
        attempts: i32,
        tries: i32,
        event_position: i64,
        out_of_order: bool,
        lane: String,
        replayed: bool,
        body: Option<JsonText>,
        token_index: Option<i32>,
        sequence: Option<i64>,
        status: Option<String>,
        provisional: Option<bool>,
    }
}

/// What a claim brought.
#[derive(Default)]
pub(super) struct Batch {
    /// What may be sent now.
    pub taken: Vec<Claimed>,
    /// More was due.
    pub more: bool,
}

/// Takes what may be sent now.
pub(super) async fn claim(session: &mut Session, turn: &Turn<'_>, now: OffsetDateTime) -> Result<Batch, Error> {
    let slots = turn.claim as usize;
    if slots == 0 {
        return Ok(Batch::default());
    }
    // One more than may be taken says whether there is more.
    let limit = i64::from(turn.claim) + 1;
    let due: Vec<DueRow> = fetch!(session, DUE, turn.destination, Stamp(now), limit)?;
    let found = due.len();
    let ids = pick(due, slots);
    let due_at = Stamp(now + turn.lease);
    let rows: Vec<TakenRow> = ids.iter().map(|&id| TakenRow { id, due_at }).collect();
    if rows.is_empty() {
        return Ok(Batch::default());
    }
    session.execute_batch(LEASE, &rows).await?;
    let taken: Vec<ClaimedRow> = session.fetch_batch(TAKEN, &rows).await?;
    let mut by_id: BTreeMap<i64, ClaimedRow> = taken.into_iter().map(|row| (row.id, row)).collect();
    let taken = ids.iter().filter_map(|id| by_id.remove(id));
    let (mut readable, mut unreadable) = (Vec::new(), Vec::new());
    for row in taken {
        match row.claimed() {
            Ok(claimed) => readable.push(claimed),
            Err(one) => unreadable.push(one),
        }
    }
    park(session, turn, unreadable, now).await?;
    Ok(Batch {
        taken: readable,
        more: found > ids.len(),
    })
}

/// What cannot be sent waits for a person like whatever was tried too often, and nothing else waits with it but its lane.
async fn park(
    session: &mut Session,
    turn: &Turn<'_>,
    unreadable: Vec<Unreadable>,
    now: OffsetDateTime,
) -> Result<(), Error> {
    if unreadable.is_empty() {
        return Ok(());
    }
    for one in &unreadable {
        let (destination, position) = (turn.destination, one.0.position);
        tracing::error!(destination, position, "an event cannot be read; its delivery is parked");
    }
    let (ended, lanes): (Vec<Settlement>, BTreeSet<String>) = unreadable.into_iter().map(|one| (one.0, one.1)).unzip();
    settle::settle(session, turn.destination, &ended, now).await?;
    lanes::free(session, turn.destination, lanes, Some(turn.stop_overtakes_after), now).await
}

/// Which of them: three quarters of the slots are for first tries, one for further ones, and either takes what the
/// other leaves, the longest due first. Of a lane one at most, the earliest.
fn pick(due: Vec<DueRow>, slots: usize) -> Vec<i64> {
    let mut heads: BTreeMap<&str, i64> = BTreeMap::new();
    for row in &due {
        let head = heads.entry(&row.lane).or_insert(row.id);
        *head = row.id.min(*head);
    }
    let is_head = |row: &&DueRow| heads.get(row.lane.as_str()) == Some(&row.id);
    let (first, again): (Vec<&DueRow>, Vec<&DueRow>) = due.iter().filter(is_head).partition(|row| row.attempts == 0);
    let again_part = quarter(slots, first.first().copied(), again.first().copied());
    let (first, first_rest) = first.split_at((slots - again_part).min(first.len()));
    let (again, again_rest) = again.split_at(again_part.min(again.len()));
    let mut rest: Vec<&DueRow> = [first_rest, again_rest].concat();
    rest.sort_by_key(|row| (row.due_at, row.id));
    let picked = [first, again, &rest].concat();
    picked.into_iter().take(slots).map(|row| row.id).collect()
}

/// A quarter of the slots, and of those that are left over the one more in so many turns of four as makes it a quarter:
/// of single slots one in four. The dice are the two that are the longest due; whichever goes, they are others next time.
fn quarter(slots: usize, first: Option<&DueRow>, again: Option<&DueRow>) -> usize {
    let mut dice = DefaultHasher::new();
    for row in [first, again] {
        row.map(|row| (row.id, row.attempts)).hash(&mut dice);
    }
    slots / 4 + usize::from(dice.finish() % 4 < (slots % 4) as u64)
}

/// A delivery whose event is not there or makes no sense, as if tried to the end; and its lane.
struct Unreadable(Settlement, String);

impl ClaimedRow {
    fn claimed(self) -> Result<Claimed, Unreadable> {
        let event: Option<Event> = self.body.as_ref().and_then(|body| body.read(String::new).ok());
        let Some(event) = event else {
            return Err(self.unreadable());
        };
        Ok(Claimed {
            delivery: DeliveryId(self.id.unsigned_abs()),
            attempt: self.attempts.unsigned_abs(),
            tries: self.tries.unsigned_abs() + 1,
            event: KeptEvent {
                position: self.event_position.unsigned_abs(),
                event,
                token_index: self.token_index.map(i32::unsigned_abs),
                current: current(self.sequence, self.status, self.provisional),
            },
            out_of_order: self.out_of_order,
            replayed: self.replayed,
        })
    }

    fn unreadable(self) -> Unreadable {
        let settlement = Settlement {
            delivery: DeliveryId(self.id.unsigned_abs()),
            position: self.event_position.unsigned_abs(),
            attempt: self.attempts.unsigned_abs(),
            outcome: Outcome::Parked,
            status: None,
            answer: format!("its event cannot be read (position {})", self.event_position),
        };
        Unreadable(settlement, self.lane)
    }
}
