//! What a person does to deliveries: retry, skip.

use std::collections::{BTreeMap, BTreeSet};

use time::OffsetDateTime;

use super::filter::lane;
use super::{lanes, number};
use crate::domain::delivery::State;
use crate::store::Error;
use crate::store::outbox::DeliveryFilter;
use crate::store::session::{Session, Sql, fetch};
use crate::store::values::{Id, Stamp};

/// Of several in one order, so that no two wait for each other in a circle.
const LOCK: Sql = Sql {
    postgres: "\
-- deliveries: the locks of the destinations that are meant
select name
from destinations
where $1 is null or name = $1
order by name
for no key update
",
    sqlite: "\
-- deliveries: the destinations that are meant (the one writer holds the lock)
select name
from destinations
where $1 is null or name = $1
order by name
",
};

const RETRYABLE: Sql = Sql::same(
    "\
-- retry: how many are parked, or failed and due later
select count(*)
from deliveries
where ($1 is null or id = $1)
  and ($2 is null or destination = $2)
  and ($3 is null or lane = $3)
  and ($4 is null or event_position = (select position from events where events.id = $4))
  and ($5 is null or state = $5)
  and (state = 'parked' or state = 'due' and attempts > 0 and due_at > $6)
",
);

/// A parked one has its whole schedule again. Its number goes on rising, since an attempt that is still under way
/// somewhere must not be taken for the next one; and it has been failing for as long as it has.
const RETRY: Sql = Sql::same(
    "\
-- retry: what is parked, or failed and due later, is due now
update deliveries
set state = 'due', due_at = $6, tries = 0
where ($1 is null or id = $1)
  and ($2 is null or destination = $2)
  and ($3 is null or lane = $3)
  and ($4 is null or event_position = (select position from events where events.id = $4))
  and ($5 is null or state = $5)
  and (state = 'parked' or state = 'due' and attempts > 0 and due_at > $6)
returning destination, lane
",
);

const SKIPPABLE: Sql = Sql::same(
    "\
-- skip: how many are open
select count(*)
from deliveries
where ($1 is null or id = $1)
  and ($2 is null or destination = $2)
  and ($3 is null or lane = $3)
  and ($4 is null or event_position = (select position from events where events.id = $4))
  and ($5 is null or state = $5)
  and state in ('due', 'leased', 'parked')
",
);

const SKIP: Sql = Sql::same(
    "\
-- skip: what is open is set aside for good
update deliveries
set state = 'skipped', settled_at = $6, settled_by = $7
where ($1 is null or id = $1)
  and ($2 is null or destination = $2)
  and ($3 is null or lane = $3)
  and ($4 is null or event_position = (select position from events where events.id = $4))
  and ($5 is null or state = $5)
  and state in ('due', 'leased', 'parked')
returning destination, lane
",
);

/// Runs one of the statements above: the filter's five parameters come first.
macro_rules! of {
    ($session:expr, $sql:expr, $which:expr $(, $argument:expr)*) => {
        fetch!(
            $session,
            $sql,
            $which.id.map(|id| number(id.0)),
            &$which.destination,
            $which.token.as_ref().map(lane),
            $which.event.map(|event| Id(event.0)),
            $which.state.map(State::as_str)
            $(, $argument)*
        )
    };
}

/// Makes them due now. After `Ok` that is on disk, as with each act below.
pub(in crate::store) async fn retry(
    session: &mut Session,
    which: &DeliveryFilter,
    dry_run: bool,
    now: OffsetDateTime,
) -> Result<u64, Error> {
    if dry_run {
        let counted: Vec<(i64,)> = of!(session, RETRYABLE, which, Stamp(now))?;
        return Ok(total(&counted));
    }
    lock(session, which).await?;
    let retried: Vec<(String, String)> = of!(session, RETRY, which, Stamp(now))?;
    acted(session, retried, now).await
}

/// Sets them aside for good.
pub(in crate::store) async fn skip(
    session: &mut Session,
    which: &DeliveryFilter,
    by: &str,
    dry_run: bool,
    now: OffsetDateTime,
) -> Result<u64, Error> {
    if dry_run {
        let counted: Vec<(i64,)> = of!(session, SKIPPABLE, which)?;
        return Ok(total(&counted));
    }
    lock(session, which).await?;
    let skipped: Vec<(String, String)> = of!(session, SKIP, which, Stamp(now), by)?;
    acted(session, skipped, now).await
}

async fn lock(session: &mut Session, which: &DeliveryFilter) -> Result<(), Error> {
    let _: Vec<(String,)> = fetch!(session, LOCK, &which.destination)?;
    Ok(())
}

fn total(counted: &[(i64,)]) -> u64 {
    counted.first().map_or(0, |(count,)| count.unsigned_abs())
}

/// Decides anew who may go in the lanes that were touched; says of how many deliveries.
async fn acted(session: &mut Session, touched: Vec<(String, String)>, now: OffsetDateTime) -> Result<u64, Error> {
    let count = touched.len() as u64;
    let mut by_destination: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (destination, lane) in touched {
        by_destination.entry(destination).or_default().insert(lane);
    }
    for (destination, touched) in by_destination {
        lanes::free(session, &destination, touched, None, now).await?;
    }
    Ok(count)
}
