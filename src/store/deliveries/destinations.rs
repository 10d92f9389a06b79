//! Destinations: their cursors, and whether they are sent to.

use time::OffsetDateTime;

use crate::store::Error;
use crate::store::dropping;
use crate::store::outbox::{KeptDestination, Start};
use crate::store::row::row;
use crate::store::session::{Session, Sql, execute, fetch};
use crate::store::values::Stamp;

/// As [`LOCK`], and for the rest of the transaction: each statement keeps its plan, since to plan those of a small turn
/// anew took Postgres longer than to run them; and the commit waits for the disk only if the turn must last (`$2`, or
/// a snapshot).
const LOCK_FOR_A_TURN: Sql = Sql {
    postgres: "\
-- turn: the lock of its destination; from here on by kept plans, and what is lost of it is only done again
select position, snapshot, paused_reason,
  set_config('plan_cache_mode', 'force_generic_plan', true),
  set_config(
    'synchronous_commit',
    case when $2 or snapshot is not null then current_setting('synchronous_commit') else 'off' end,
    true)
from destinations
where name = $1
for no key update
",
    sqlite: "\
-- turn: its destination (the one writer holds the lock, and has no such choices for one transaction)
select position, snapshot, paused_reason, '', ''
from destinations
where name = $1
  and $2 is not null
",
};

/// Of a destination at most so many open deliveries are counted.
const OPEN_COUNTED_MAX: i64 = 100_001;

/// `$2`: with what is kept; `$3`: with a snapshot.
const ENROL: Sql = Sql::same(
    "\
-- enrol: a cursor for a destination that has none
insert into destinations (name, position, snapshot, enrolled_at)
select
  $1,
  case when $2 then coalesce((select min(position) - 1 from events), head.position) else head.position end,
  case when $3 then '' end,
  $4
from events_head as head
where only_row
on conflict do nothing
",
);

const CURSOR: Sql = Sql::same(
    "\
-- destination: how far it has come
select position
from destinations
where name = $1
",
);

const LOCK: Sql = Sql {
    postgres: "\
-- destination: whoever changes its deliveries holds this lock
select position, snapshot, paused_reason
from destinations
where name = $1
for no key update
",
    sqlite: "\
-- destination: how far it has come (the one writer holds the lock)
select position, snapshot, paused_reason
from destinations
where name = $1
",
};

/// Nothing here grows with what waits: what is open is counted up to a bound, and the oldest is looked up where it must
/// be: it heads its lane, so that it was never tried (then it has been due since it was made), or has failed, or is
/// being tried for the first time, and then its lease ends soon.
const DESTINATIONS: Sql = Sql::same(
    "\
-- destinations: each with what lies before it
select
  name, destinations.position, head.position - destinations.position as behind,
  snapshot is not null as is_snapshotting, paused_at, paused_reason,
  (select count(*) from (
    select 1 from deliveries
    where destination = name and state in ('due', 'leased', 'parked')
    limit $1) as counted) as open,
  (select count(*) from (
    select 1 from deliveries
    where destination = name and state = 'parked'
    limit $1) as counted) as parked,
  (select min(created_at) from (
    select created_at from deliveries
    where destination = name and state in ('due', 'leased') and not waits and attempts = 0
    order by destination, due_at, id
    limit 1) as first) as oldest_first,
  (select min(created_at) from (
    select created_at from deliveries
    where destination = name and state in ('due', 'leased') and not waits and attempts > 0
    order by destination, due_at, id
    limit 1000) as again) as oldest_again,
  (select min(created_at) from deliveries
    where destination = name and state in ('due', 'leased', 'parked') and failing_since is not null) as oldest_failing
from destinations
cross join events_head as head
order by name
",
);

const PAUSE: Sql = Sql::same(
    "\
-- pause: send nothing to it from now on
update destinations
set paused_at = $3, paused_reason = $2
where name = $1
  and paused_at is null
",
);

const RESUME: Sql = Sql::same(
    "\
-- pause: go on sending to it
update destinations
set paused_at = null, paused_reason = null
where name = $1
  and paused_at is not null
",
);

const FORGET: Sql = Sql::same(
    "\
-- forget: its place in the order of events, if nothing is open for it
delete from destinations
where name = $1
  and not exists (
    select 1 from deliveries
    where destination = $1 and state in ('due', 'leased', 'parked'))
",
);

/// A destination under its lock.
pub(super) struct Locked {
    /// How far it has come.
    pub position: i64,
    /// Up to which token its snapshot has come; `None`: there is none, or it is done.
    pub snapshot: Option<String>,
    /// Why nothing is sent to it, if so.
    pub paused_reason: Option<String>,
}

row! {
    struct KeptRow {
        name: String,
        position: i64,
        behind: i64,
        is_snapshotting: bool,
        paused_at: Option<Stamp>,
        paused_reason: Option<String>,
        open: i64,
        parked: i64,
        oldest_first: Option<Stamp>,
        oldest_again: Option<Stamp>,
        oldest_failing: Option<Stamp>,
    }
}

/// Makes a destination's cursor if it has none. Events that are being committed meanwhile lie ahead of it. It looks at no
/// delivery and waits for no turn, so that a worker starts as fast with a million waiting as with none.
pub(in crate::store) async fn enrol(
    session: &mut Session,
    destination: &str,
    start: Start,
    now: OffsetDateTime,
) -> Result<bool, Error> {
    dropping::hold_events(session).await?;
    let (beginning, snapshot) = (start == Start::Beginning, start == Start::Snapshot);
    Ok(execute!(session, ENROL, destination, beginning, snapshot, Stamp(now))? == 1)
}

/// How far a destination has come, of which nobody is kept from going on.
pub(super) async fn cursor(session: &mut Session, destination: &str) -> Result<i64, Error> {
    let rows: Vec<(i64,)> = fetch!(session, CURSOR, destination)?;
    let position = rows.into_iter().next().map(|(position,)| position);
    position.ok_or_else(|| not_enrolled(destination))
}

fn not_enrolled(destination: &str) -> Error {
    Error::Conflict(format!("destination `{destination}` is not enrolled yet"))
}

/// Takes the lock of a destination that is enrolled, until the transaction ends.
pub(super) async fn lock(session: &mut Session, destination: &str) -> Result<Locked, Error> {
    let rows: Vec<(i64, Option<String>, Option<String>)> = fetch!(session, LOCK, destination)?;
    let row = rows.into_iter().next();
    let (position, snapshot, paused_reason) = row.ok_or_else(|| not_enrolled(destination))?;
    Ok(Locked {
        position,
        snapshot,
        paused_reason,
    })
}

/// The same for a turn, whose commit need not reach the disk unless it `must_last`.
pub(super) async fn lock_for_a_turn(
    session: &mut Session,
    destination: &str,
    must_last: bool,
) -> Result<Locked, Error> {
    type Row = (i64, Option<String>, Option<String>, String, String);
    let rows: Vec<Row> = fetch!(session, LOCK_FOR_A_TURN, destination, must_last)?;
    let row = rows.into_iter().next();
    let (position, snapshot, paused_reason, ..) = row.ok_or_else(|| not_enrolled(destination))?;
    Ok(Locked {
        position,
        snapshot,
        paused_reason,
    })
}

/// All destinations that were ever enrolled.
pub(in crate::store) async fn destinations(session: &mut Session) -> Result<Vec<KeptDestination>, Error> {
    let rows: Vec<KeptRow> = fetch!(session, DESTINATIONS, OPEN_COUNTED_MAX)?;
    Ok(rows.into_iter().map(KeptRow::kept).collect())
}

impl KeptRow {
    fn kept(self) -> KeptDestination {
        let oldest = [self.oldest_first, self.oldest_again, self.oldest_failing];
        KeptDestination {
            name: self.name,
            position: self.position.unsigned_abs(),
            behind: self.behind.unsigned_abs(),
            is_snapshotting: self.is_snapshotting,
            paused: self.paused_at.map(|at| at.0).zip(self.paused_reason),
            open: self.open.unsigned_abs(),
            parked: self.parked.unsigned_abs(),
            oldest_open: oldest.into_iter().flatten().min().map(|at| at.0),
        }
    }
}

/// Stops sending to a destination, or goes on with it.
pub(in crate::store) async fn pause(
    session: &mut Session,
    destination: &str,
    why: Option<&str>,
    now: OffsetDateTime,
) -> Result<bool, Error> {
    match why {
        Some(why) => stop(session, destination, why, now).await,
        None => Ok(execute!(session, RESUME, destination)? == 1),
    }
}

/// Takes its place away; says whether that was so. What was delivered to it goes when it is old.
pub(in crate::store) async fn forget(session: &mut Session, destination: &str) -> Result<bool, Error> {
    lock(session, destination).await?;
    Ok(execute!(session, FORGET, destination)? == 1)
}

/// Stops sending to it; says whether that was a change.
pub(super) async fn stop(
    session: &mut Session,
    destination: &str,
    why: &str,
    now: OffsetDateTime,
) -> Result<bool, Error> {
    Ok(execute!(session, PAUSE, destination, why, Stamp(now))? == 1)
}
