//! What a filter means, of what is open: found a page at a time, lane by lane.

use std::time::Duration;

use time::OffsetDateTime;

use super::filter::lane;
use super::number;
use crate::store::Error;
use crate::store::outbox::DeliveryFilter;
use crate::store::row::row;
use crate::store::session::{Session, Sql, fetch};
use crate::store::values::{Id, Stamp};

/// How many open deliveries are looked at in one transaction.
const OPEN_MAX: usize = 1_000;
/// No lease is longer. One that ends later was given before the clock was set back.
const LEASE_MAX: Duration = Duration::from_mins(5);
/// Behind every lane: each begins with a lower-case word.
const LANES_END: &str = "~";

const DESTINATIONS: Sql = Sql::same(
    "\
-- acts: the destinations that are meant
select name
from destinations
where ($1 is null or name = $1)
  and ($2 is null or name = (select destination from deliveries where id = $2))
order by name
",
);

const LANE: Sql = Sql::same(
    "\
-- acts: the lane of a delivery
select lane
from deliveries
where id = $1
",
);

const EVENT: Sql = Sql::same(
    "\
-- acts: where an event stands, and its lane
select position, coalesce(namespace || ' ' || token_unique_reference, 'event ' || position) as lane
from events
where id = $1
",
);

/// By the index of lanes, which holds nothing but what is open.
const OPEN: Sql = Sql::same(
    "\
-- acts: a page of what is open, lane by lane
select id, lane, event_position, state, attempts, due_at
from deliveries
where destination = $1
  and state in ('due', 'leased', 'parked')
  and (lane, id) > ($2, $3)
  and lane <= $4
order by destination, lane, id
limit $5
",
);

row! {
    struct OpenRow {
        id: i64,
        lane: String,
        event_position: i64,
        state: String,
        attempts: i32,
        due_at: Stamp,
    }
}

/// Where to look for what a filter means.
pub(in crate::store) struct Scope<'a> {
    /// At these destinations.
    pub destinations: Vec<String>,
    which: &'a DeliveryFilter,
    lane: Option<String>,
    position: Option<i64>,
}

/// After which lane, and which delivery of it.
pub(in crate::store) type Place = (String, i64);

/// An open delivery that a filter means.
pub(super) struct Open {
    pub id: i64,
    pub lane: String,
    state: String,
    attempts: i32,
    due_at: OffsetDateTime,
    is_head: bool,
}

/// Finds out where to look: nowhere, if what was named is not there.
pub(in crate::store) async fn scope<'a>(session: &mut Session, which: &'a DeliveryFilter) -> Result<Scope<'a>, Error> {
    let id = which.id.map(|id| number(id.0));
    let names: Vec<(String,)> = fetch!(session, DESTINATIONS, &which.destination, id)?;
    let mut scope = Scope {
        destinations: names.into_iter().map(|(name,)| name).collect(),
        which,
        lane: which.token.as_ref().map(lane),
        position: None,
    };
    if let Some(id) = id {
        let lanes: Vec<(String,)> = fetch!(session, LANE, id)?;
        scope.lane = scope.lane.or(lanes.into_iter().next().map(|(lane,)| lane));
    }
    if let Some(event) = which.event {
        let events: Vec<(i64, String)> = fetch!(session, EVENT, Id(event.0))?;
        match events.into_iter().next() {
            Some((position, lane)) => {
                scope.position = Some(position);
                scope.lane = scope.lane.or(Some(lane));
            }
            None => scope.destinations.clear(),
        }
    }
    Ok(scope)
}

impl Scope<'_> {
    /// Where a destination's first page begins: always at the head of a lane.
    pub(in crate::store) fn start(&self) -> Place {
        (self.lane.clone().unwrap_or_default(), 0)
    }

    /// Those that are meant of the next page, and after which place to go on, if there may be more.
    pub(super) async fn page(
        &self,
        session: &mut Session,
        destination: &str,
        after: &Place,
    ) -> Result<(Vec<Open>, Option<Place>), Error> {
        let last = self.lane.as_deref().unwrap_or(LANES_END);
        let limit = OPEN_MAX as i64;
        let rows: Vec<OpenRow> = fetch!(session, OPEN, destination, &after.0, after.1, last, limit)?;
        let next = rows.get(OPEN_MAX - 1).map(|row| (row.lane.clone(), row.id));
        let mut before = Some(after.0.clone()).filter(|_| after.1 > 0);
        let mut meant = Vec::new();
        for row in rows {
            let is_head = before.as_ref() != Some(&row.lane);
            before = Some(row.lane.clone());
            if self.means(&row) {
                meant.push(row.open(is_head));
            }
        }
        Ok((meant, next))
    }

    fn means(&self, row: &OpenRow) -> bool {
        self.which.id.is_none_or(|id| number(id.0) == row.id)
            && self.position.is_none_or(|position| position == row.event_position)
            && self.which.state.is_none_or(|state| state.as_str() == row.state)
    }
}

impl OpenRow {
    fn open(self, is_head: bool) -> Open {
        Open {
            id: self.id,
            lane: self.lane,
            state: self.state,
            attempts: self.attempts,
            due_at: self.due_at.0,
            is_head,
        }
    }
}

impl Open {
    /// It is parked, or due later; of those never tried the head of its lane alone, since another waits for its time
    /// to overtake; of those being sent what would stay so for longer than any lease lasts.
    pub(super) fn may_be_retried(&self, now: OffsetDateTime) -> bool {
        match &*self.state {
            "parked" => true,
            "due" => self.due_at > now && (self.attempts > 0 || self.is_head),
            _ => self.due_at > now + LEASE_MAX,
        }
    }
}
