//! What waits for a second operator: it is let go, withdrawn, or refused when its time is over.
//!
//! Until when it waits stands in `due_at`. Newer commands pass it by: it has a place in the line once it may go.

use time::OffsetDateTime;

use super::ends::end;
use super::rows::{CommandRow, Held, json};
use super::{place, steps};
use crate::domain::command::{Command, Stage};
use crate::domain::id::CommandId;
use crate::store::Error;
use crate::store::desk::Approved;
use crate::store::session::{Session, Sql, fetch};
use crate::store::values::{Id, Stamp};

const LINE: Sql = Sql::same(
    "\
-- approve: the line that it stands in
select target
from commands
where id = $1
",
);

const WAITING: Sql = Sql {
    postgres: "\
-- approve: a command that waits, locked
select id, asked_by, waits, approved_by, leased, claim, seen, body, answer, created_at, updated_at, due_at
from commands
where id = $1
  and waits
  and due_at > $2
for update
",
    sqlite: "\
-- approve: a command that waits
select id, asked_by, waits, approved_by, leased, claim, seen, body, answer, created_at, updated_at, due_at
from commands
where id = $1
  and waits
  and due_at > $2
",
};

const LET_GO: Sql = Sql {
    postgres: "\
-- approve: it is due now, and stands behind all of its line
update commands
set
  waits = false,
  approved_by = $2,
  why = $3,
  body = $4::json,
  place = (select max(place) + 1 from commands where target = $5 and settled_at is null),
  updated_at = $6,
  due_at = $6
where id = $1
returning place
",
    sqlite: "\
-- approve: it is due now, and stands behind all of its line
update commands
set
  waits = false,
  approved_by = $2,
  why = $3,
  body = $4,
  place = (select max(place) + 1 from commands where target = $5 and settled_at is null),
  updated_at = $6,
  due_at = $6
where id = $1
returning place
",
};

/// Lets a command go; see [`crate::store::Desk::approve`]. A crash before the commit leaves it waiting.
pub(in crate::store) async fn approve(
    session: &mut Session,
    id: CommandId,
    by: &str,
    now: OffsetDateTime,
) -> Result<Approved, Error> {
    let lines: Vec<(String,)> = fetch!(session, LINE, Id(id.0))?;
    let Some((line,)) = lines.into_iter().next() else {
        return Ok(Approved::NotWaiting);
    };
    place::lock(session, &line).await?;
    let waiting = waiting(session, id, now).await?;
    let Some(waiting) = waiting else {
        return Ok(Approved::NotWaiting);
    };
    if waiting.kept.asked_by == by {
        return Ok(Approved::ByTheSame);
    }
    let command = Command {
        why: format!("{by} approved of it"),
        ..waiting.kept.command
    };
    let body = json(&command)?;
    let placed: Vec<(i64,)> = fetch!(session, LET_GO, Id(id.0), by, &command.why, body, &line, Stamp(now))?;
    steps::add(session, &[&command], now).await?;
    if let Some((place,)) = placed.first() {
        place::take(session, &line, *place, now).await?;
    }
    Ok(Approved::Now)
}

/// The command, locked, if it waits and its time is not over.
async fn waiting(session: &mut Session, id: CommandId, now: OffsetDateTime) -> Result<Option<Held>, Error> {
    let rows: Vec<CommandRow> = fetch!(session, WAITING, Id(id.0), Stamp(now))?;
    rows.into_iter().next().map(CommandRow::held).transpose()
}

/// Refuses a command; see [`crate::store::Desk::withdraw`]. A crash before the commit leaves it waiting.
pub(in crate::store) async fn withdraw(
    session: &mut Session,
    id: CommandId,
    by: &str,
    now: OffsetDateTime,
) -> Result<bool, Error> {
    let Some(waiting) = waiting(session, id, now).await? else {
        return Ok(false);
    };
    end(session, &[refused(waiting, &format!("{by} withdrew it"))], now).await?;
    Ok(true)
}

const LAPSED: Sql = Sql {
    postgres: "\
-- lapse: what nobody approved of in time
select id, asked_by, waits, approved_by, leased, claim, seen, body, answer, created_at, updated_at, due_at
from commands
where settled_at is null
  and waits
  and due_at <= $1
order by due_at, id
limit $2
for update skip locked
",
    sqlite: "\
-- lapse: what nobody approved of in time
select id, asked_by, waits, approved_by, leased, claim, seen, body, answer, created_at, updated_at, due_at
from commands
where settled_at is null
  and waits
  and due_at <= $1
order by due_at, id
limit $2
",
};

/// Refuses what nobody approved of in time, at most so many; says which.
pub(super) async fn lapse(session: &mut Session, limit: i64, now: OffsetDateTime) -> Result<Vec<CommandId>, Error> {
    let rows: Vec<CommandRow> = fetch!(session, LAPSED, Stamp(now), limit)?;
    let lapsed = rows.into_iter().map(|row| {
        let held = row.held()?;
        Ok(refused(held, "nobody approved of it in time"))
    });
    let lapsed: Vec<Command> = lapsed.collect::<Result<_, Error>>()?;
    end(session, &lapsed, now).await?;
    Ok(lapsed.iter().map(|command| command.id).collect())
}

fn refused(held: Held, why: &str) -> Command {
    Command {
        stage: Stage::Refused,
        why: why.to_owned(),
        ..held.kept.command
    }
}
