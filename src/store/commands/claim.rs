//! Claiming: what is due, or whose token has moved, under a lease.

use std::time::Duration;

use time::OffsetDateTime;

use super::approval::lapse;
use super::moved;
use super::rows::{CommandRow, Held};
use super::supersede::supersede;
use crate::domain::command::Service;
use crate::store::Error;
use crate::store::batch::batch_row;
use crate::store::desk::{ClaimedCommand, Claims};
use crate::store::session::{Session, Sql, fetch};
use crate::store::values::{Id, Stamp};

const LEFT_BEHIND: Sql = Sql {
    postgres: "\
-- claim: what was being sent when a newer one came, and nobody works on any more
select id, asked_by, waits, approved_by, leased, claim, seen, body, answer, created_at, updated_at, due_at
from commands
where settled_at is null
  and due_at <= $1
  and not waits
  and exists (
    select from commands as newer
    where newer.target = commands.target
      and newer.settled_at is null
      and not newer.waits
      and newer.place > commands.place)
order by due_at, id
limit $2
for update of commands skip locked
",
    sqlite: "\
-- claim: what was being sent when a newer one came, and nobody works on any more
select id, asked_by, waits, approved_by, leased, claim, seen, body, answer, created_at, updated_at, due_at
from commands
where settled_at is null
  and due_at <= $1
  and not waits
  and exists (
    select 1 from commands as newer
    where newer.target = commands.target
      and newer.settled_at is null
      and not newer.waits
      and newer.place > commands.place)
order by due_at, id
limit $2
",
};

/// What has moved is looked up for each open command: for `exists` a planner might go through all there ever was.
const READY: Sql = Sql {
    postgres: "\
-- claim: of each line the first, if it is due or a token of its has moved; the longest due first
select id, asked_by, waits, approved_by, leased, claim, seen, body, answer, created_at, updated_at, due_at
from commands
where settled_at is null
  and not waits
  and service = $3
  and not exists (
    select from commands as earlier
    where earlier.target = commands.target
      and earlier.settled_at is null
      and not earlier.waits
      and earlier.place < commands.place)
  and (
    due_at <= $1
    or not leased and (
      select change.sequence
      from command_tokens as watched
      join token_transitions as change
        on change.namespace = watched.namespace
        and change.token_unique_reference = watched.token_unique_reference
        and change.sequence > watched.seen
      where watched.command_id = commands.id
      limit 1) is not null)
order by due_at, id
limit $2
for update of commands skip locked
",
    sqlite: "\
-- claim: of each line the first, if it is due or a token of its has moved; the longest due first
select id, asked_by, waits, approved_by, leased, claim, seen, body, answer, created_at, updated_at, due_at
from commands
where settled_at is null
  and not waits
  and service = $3
  and not exists (
    select 1 from commands as earlier
    where earlier.target = commands.target
      and earlier.settled_at is null
      and not earlier.waits
      and earlier.place < commands.place)
  and (
    due_at <= $1
    or not leased and exists (
      select 1 from command_tokens as watched
      join token_transitions as change
        on change.namespace = watched.namespace
        and change.token_unique_reference = watched.token_unique_reference
        and change.sequence > watched.seen
      where watched.command_id = commands.id))
order by due_at, id
limit $2
",
};

const LEASE: Sql = Sql {
    postgres: "\
-- claim: lease these, which are locked
update commands
set
  leased = true,
  claim = claim + 1,
  due_at = taken.due_at
from unnest($1, $2) as taken (id, due_at)
where commands.id = taken.id
",
    sqlite: "\
-- claim: lease these
update commands
set
  leased = true,
  claim = claim + 1,
  due_at = value ->> 'due_at'
from json_each($1) as taken
where commands.id = value ->> 'id'
",
};

batch_row! {
    /// A command that is taken, and until when.
    struct TakenRow {
        id: Id,
        due_at: Stamp,
    }
}

const IDLE: Sql = Sql {
    postgres: "\
-- idle: is there anything to do for this service, and when is something due next
select
  exists (
    select from commands
    where settled_at is null
      and due_at <= $1
      and (waits or service = $2))
  or exists (
    select from commands
    where settled_at is null
      and not waits
      and not leased
      and service = $2
      and (
        select change.sequence
        from command_tokens as watched
        join token_transitions as change
          on change.namespace = watched.namespace
          and change.token_unique_reference = watched.token_unique_reference
          and change.sequence > watched.seen
        where watched.command_id = commands.id
        limit 1) is not null),
  (select min(due_at)
    from commands
    where settled_at is null
      and not waits
      and service = $2
      and due_at > $1)
",
    sqlite: "\
-- idle: is there anything to do for this service, and when is something due next
select
  exists (
    select 1 from commands
    where settled_at is null
      and due_at <= $1
      and (waits or service = $2))
  or exists (
    select 1 from commands
    where settled_at is null
      and not waits
      and not leased
      and service = $2
      and exists (
        select 1 from command_tokens as watched
        join token_transitions as change
          on change.namespace = watched.namespace
          and change.token_unique_reference = watched.token_unique_reference
          and change.sequence > watched.seen
        where watched.command_id = commands.id)),
  (select min(due_at)
    from commands
    where settled_at is null
      and not waits
      and service = $2
      and due_at > $1)
",
};

/// What a claim would bring if there is nothing to do, else `None`; it reads only.
pub(in crate::store) async fn idle(
    session: &mut Session,
    through: Service,
    now: OffsetDateTime,
) -> Result<Option<Claims>, Error> {
    let found: Vec<(bool, Option<Stamp>)> = fetch!(session, IDLE, Stamp(now), through.as_str())?;
    let (is_busy, next_due) = found.into_iter().next().unwrap_or((true, None));
    Ok((!is_busy).then(|| Claims {
        next_due: next_due.map(|at| at.0),
        ..Claims::default()
    }))
}

/// Takes what may be worked on now; see [`crate::store::Desk::claim`].
///
/// A crash before the commit leaves it to be taken; after it, it is due when the lease ends.
pub(in crate::store) async fn claim(
    session: &mut Session,
    through: Service,
    lease: Duration,
    limit: i64,
    now: OffsetDateTime,
) -> Result<Claims, Error> {
    let lapsed = lapse(session, limit, now).await?;
    let left_behind: Vec<CommandRow> = fetch!(session, LEFT_BEHIND, Stamp(now), limit)?;
    supersede(session, held(left_behind)?, now).await?;

    // One more than may be taken says whether there is more.
    let ready: Vec<CommandRow> = fetch!(session, READY, Stamp(now), limit + 1, through.as_str())?;
    let found = ready.len();
    let mut ready = held(ready)?;
    ready.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    let more = found > ready.len();

    let due_at = now + lease;
    let claimed = take(session, ready, due_at, now).await?;
    let next: Vec<(bool, Option<Stamp>)> = fetch!(session, IDLE, Stamp(now), through.as_str())?;
    Ok(Claims {
        claimed,
        lapsed,
        more,
        next_due: next.first().and_then(|(_, at)| at.map(|at| at.0)),
    })
}

fn held(rows: Vec<CommandRow>) -> Result<Vec<Held>, Error> {
    rows.into_iter().map(CommandRow::held).collect()
}

async fn take(
    session: &mut Session,
    ready: Vec<Held>,
    due_at: OffsetDateTime,
    now: OffsetDateTime,
) -> Result<Vec<ClaimedCommand>, Error> {
    if ready.is_empty() {
        return Ok(Vec::new());
    }
    let row = |held: &Held| TakenRow {
        id: Id(held.kept.command.id.0),
        due_at: Stamp(due_at),
    };
    let rows: Vec<TakenRow> = ready.iter().map(row).collect();
    session.execute_batch(LEASE, &rows).await?;
    let ids: Vec<_> = ready.iter().map(|held| held.kept.command.id).collect();
    let mut moved = moved::since(session, &ids).await?;
    let claimed = |held: Held| {
        let (id, was_due_at) = (held.kept.command.id, held.kept.due_at);
        let mut kept = held.kept;
        kept.due_at = due_at;
        ClaimedCommand {
            kept,
            claim: held.claim + 1,
            moved: moved.remove(&id).unwrap_or_default(),
            is_due: was_due_at <= now,
            was_due_at,
        }
    };
    Ok(ready.into_iter().map(claimed).collect())
}
