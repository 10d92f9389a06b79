//! Who may go in a lane, and who waits.
//!
//! The earliest open delivery, the lane's head, may go when it is due. A later one waits for it, unless it stops a
//! merchant from charging: then it may overtake what is stuck, from the moment on at which the head and every earlier
//! such stop has failed for long enough or is parked. An earlier stop that is not stuck will say the same soon enough.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::time::Duration;

use time::OffsetDateTime;

use crate::store::Error;
use crate::store::batch::batch_row;
use crate::store::row::row;
use crate::store::session::{Session, Sql};
use crate::store::values::Stamp;

/// Of a lane at most so many stops are looked at; one beyond them waits its turn.
const STOPS_MAX: usize = 100;

/// The order names the index's columns all, or a planner without statistics takes the way over all ids.
const LANES: Sql = Sql {
    postgres: "\
-- lanes: the head of each, and what may overtake it
select delivery.id, delivery.lane, delivery.state, delivery.attempts, delivery.waits, delivery.due_at,
  delivery.failing_since
from unnest($1, $2) as touched (destination, lane)
cross join lateral (
  select *
  from deliveries
  where destination = touched.destination
    and lane = touched.lane
    and state in ('due', 'leased', 'parked')
  order by destination, lane, id
  limit 1
) as delivery
union
select delivery.id, delivery.lane, delivery.state, delivery.attempts, delivery.waits, delivery.due_at,
  delivery.failing_since
from unnest($1, $2) as touched (destination, lane)
cross join lateral (
  select *
  from deliveries
  where destination = touched.destination
    and lane = touched.lane
    and state in ('due', 'leased', 'parked')
    and stops
  order by destination, lane, id
  limit 100
) as delivery
order by lane, id
",
    sqlite: "\
-- lanes: the head of each, and what may overtake it
select delivery.id, delivery.lane, delivery.state, delivery.attempts, delivery.waits, delivery.due_at,
  delivery.failing_since
from json_each($1) as touched
join deliveries as delivery
  on delivery.id = (
    select earliest.id
    from deliveries as earliest
    where earliest.destination = touched.value ->> 'destination'
      and earliest.lane = touched.value ->> 'lane'
      and earliest.state in ('due', 'leased', 'parked')
    order by earliest.destination, earliest.lane, earliest.id
    limit 1)
union
select delivery.id, delivery.lane, delivery.state, delivery.attempts, delivery.waits, delivery.due_at,
  delivery.failing_since
from json_each($1) as touched
join deliveries as delivery
  on delivery.destination = touched.value ->> 'destination'
  and delivery.lane = touched.value ->> 'lane'
  and delivery.state in ('due', 'leased', 'parked')
  and delivery.stops
order by 2, 1
",
};

const FREE: Sql = Sql {
    postgres: "\
-- lanes: who may go, and from when on
update deliveries
set waits = decided.waits, due_at = decided.due_at
from unnest($1, $2, $3) as decided (id, waits, due_at)
where deliveries.id = decided.id
",
    sqlite: "\
-- lanes: who may go, and from when on
update deliveries
set waits = value ->> 'waits', due_at = value ->> 'due_at'
from json_each($1) as decided
where deliveries.id = value ->> 'id'
",
};

batch_row! {
    struct TouchedRow<'a> {
        destination: &'a str,
        lane: String,
    }
}

batch_row! {
    struct DecidedRow {
        id: i64,
        waits: bool,
        due_at: Stamp,
    }
}

row! {
    struct OpenRow {
        id: i64,
        lane: String,
        state: String,
        attempts: i32,
        waits: bool,
        due_at: Stamp,
        failing_since: Option<Stamp>,
    }
}

/// Decides anew for these lanes of a destination, whose lock is held. `overtakes_after` is for how long a delivery must
/// have failed to be stuck; who does not know it (an operator's act) leaves those that hang on it as they are: their
/// lane's head will be tried, and then it is decided.
pub(super) async fn free(
    session: &mut Session,
    destination: &str,
    lanes: BTreeSet<String>,
    overtakes_after: Option<Duration>,
    now: OffsetDateTime,
) -> Result<(), Error> {
    if lanes.is_empty() {
        return Ok(());
    }
    let touched = |lane| TouchedRow { destination, lane };
    let touched: Vec<TouchedRow<'_>> = lanes.into_iter().map(touched).collect();
    let open: Vec<OpenRow> = session.fetch_batch(LANES, &touched).await?;
    let lanes = open.chunk_by(|one, next| one.lane == next.lane);
    let decided: Vec<DecidedRow> = lanes.flat_map(|lane| decide(lane, overtakes_after, now)).collect();
    if decided.is_empty() {
        return Ok(());
    }
    session.execute_batch(FREE, &decided).await
}

/// From when on something may be overtaken.
#[derive(Clone, Copy)]
enum Stuck {
    From(OffsetDateTime),
    Never,
    Unknown,
}

impl OpenRow {
    fn stuck(&self, overtakes_after: Option<Duration>, now: OffsetDateTime) -> Stuck {
        match (self.failing_since, overtakes_after) {
            (None, _) => Stuck::Never,
            (Some(since), _) if self.state == "parked" => Stuck::From(since.0),
            (Some(since), Some(after)) => Stuck::From(since.0 + after),
            // About to be tried, and then it is decided: a retried one is no longer parked.
            (Some(_), None) if self.due_at.0 <= now => Stuck::Never,
            (Some(_), None) => Stuck::Unknown,
        }
    }

    fn decided(&self, waits: bool, due_at: OffsetDateTime) -> Option<DecidedRow> {
        // The due time of what is being sent is the end of its lease.
        let due_at = if self.state == "due" {
            Stamp(due_at)
        } else {
            self.due_at
        };
        (waits != self.waits || due_at != self.due_at).then_some(DecidedRow {
            id: self.id,
            waits,
            due_at,
        })
    }
}

/// What changes in a lane: its head and its first stops, in their order.
fn decide(lane: &[OpenRow], overtakes_after: Option<Duration>, now: OffsetDateTime) -> Vec<DecidedRow> {
    let Some((head, stops)) = lane.split_first() else {
        return Vec::new();
    };
    let mut decided = Vec::new();
    // One that was never tried may have been told to wait for its time to overtake.
    let due_at = if head.attempts == 0 {
        head.due_at.0.min(now)
    } else {
        head.due_at.0
    };
    decided.extend(head.decided(false, due_at));
    let mut gate = head.stuck(overtakes_after, now);
    for stop in stops.iter().take(STOPS_MAX) {
        match gate {
            Stuck::From(at) if stop.attempts == 0 => decided.extend(stop.decided(false, at)),
            Stuck::From(at) => decided.extend(stop.decided(false, stop.due_at.0.max(at))),
            Stuck::Never => decided.extend(stop.decided(true, stop.due_at.0)),
            Stuck::Unknown => break,
        }
        gate = gate.and(stop.stuck(overtakes_after, now));
    }
    decided
}

impl Stuck {
    /// When both are stuck.
    fn and(self, other: Stuck) -> Stuck {
        match (self, other) {
            (Stuck::From(one), Stuck::From(other)) => match one.cmp(&other) {
                Ordering::Less => Stuck::From(other),
                _ => Stuck::From(one),
            },
            (Stuck::Never, _) | (_, Stuck::Never) => Stuck::Never,
            _ => Stuck::Unknown,
        }
    }
}
