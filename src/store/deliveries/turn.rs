//! One turn of a destination's worker: settle, look for new events, claim. One transaction, and a number of
//! statements that does not depend on what is in it.
//!
//! On Postgres its commit does not wait for the disk. What a crash of the database takes away is then the end of its
//! log, never something in the middle, so that the rows stand as some moment before left them: a settled
//! delivery is leased again until its lease ends, and goes out once more under its event's id; an event that was looked
//! at is looked at again, since events themselves wait for the disk and are seen only after; a claim is undone, and
//! its attempt settles by the number that the next one bears too: if it was taken, it was taken. A delivery's
//! id may come again for another event, which is why a settlement names the event's position as well.
//! A turn that writes events (a snapshot) or a pause waits: others act on those at once.

use std::collections::BTreeSet;

use time::OffsetDateTime;

use super::{claim, destinations, fan_out, lanes, settle, snapshot};
use crate::store::Error;
use crate::store::outbox::{Turn, Turned};
use crate::store::session::{Session, Sql, fetch};
use crate::store::values::Stamp;

/// Each as one lookup: the least of an index.
const NEXT_DUE: Sql = Sql::same(
    "\
-- turn: when something is due next
select
  (select min(due_at) from deliveries
    where destination = $1 and state in ('due', 'leased') and not waits and attempts = 0 and due_at > $2) as first,
  (select min(due_at) from deliveries
    where destination = $1 and state in ('due', 'leased') and not waits and attempts > 0 and due_at > $2) as again
",
);

/// One turn of a destination's worker.
pub(in crate::store) async fn turn(
    session: &mut Session,
    turn: &Turn<'_>,
    now: OffsetDateTime,
) -> Result<Turned, Error> {
    let mut destination = destinations::lock_for_a_turn(session, turn.destination, turn.pause.is_some()).await?;
    if let Some(why) = turn.pause
        && destination.paused_reason.is_none()
    {
        destinations::stop(session, turn.destination, why, now).await?;
        destination.paused_reason = Some(why.to_owned());
    }
    let settled = settle::settle(session, turn.destination, turn.settle, now).await?;
    let fanned = fan_out::fan_out(session, turn, destination.position, now).await?;
    let touched: BTreeSet<String> = settled.lanes.into_iter().chain(fanned.stopping).collect();
    lanes::free(session, turn.destination, touched, Some(turn.stop_overtakes_after), now).await?;

    let claimed = match destination.paused_reason {
        None => claim::claim(session, turn, now).await?,
        Some(_) => claim::Batch::default(),
    };
    let next_due = next_due(session, turn.destination, now).await?;
    let told = match &destination.snapshot {
        // Last, since it takes the lock that every commit of an event waits for.
        Some(after) => snapshot::page(session, turn.destination, after, now).await?,
        None => false,
    };
    Ok(Turned {
        claimed: claimed.taken,
        late: settled.late,
        more: told || fanned.more || claimed.more,
        next_due,
        paused: destination.paused_reason,
    })
}

async fn next_due(
    session: &mut Session,
    destination: &str,
    now: OffsetDateTime,
) -> Result<Option<OffsetDateTime>, Error> {
    let rows: Vec<(Option<Stamp>, Option<Stamp>)> = fetch!(session, NEXT_DUE, destination, Stamp(now))?;
    let next = rows.into_iter().flat_map(|(first, again)| [first, again]).flatten();
    Ok(next.min().map(|at| at.0))
}
