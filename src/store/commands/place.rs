//! The line of a target: who gives a place in it holds its lock, and takes the places of those before.

use time::OffsetDateTime;

use super::rows::{CommandRow, Held};
use super::supersede::supersede;
use crate::domain::command::Stage;
use crate::store::Error;
use crate::store::session::{Session, Sql, execute, fetch};
use crate::store::values::Stamp;

const LOCK: &str = "\
-- place: the lock of a target, until the commit
select pg_advisory_xact_lock(hashtextextended($1, 0))
";

/// Waits until nobody else gives a place in that line.
pub(super) async fn lock(session: &mut Session, line: &str) -> Result<(), Error> {
    match session {
        Session::Postgres(_) => execute!(session, Sql::same(LOCK), line).map(drop),
        // The one writer holds it.
        Session::Sqlite(_) => Ok(()),
    }
}

const EARLIER: Sql = Sql {
    postgres: "\
-- place: the open ones before it, locked
select id, asked_by, waits, approved_by, leased, claim, place, seen, body, answer, created_at, updated_at, due_at
from commands
where target = $1
  and settled_at is null
  and place < $2
  and not (stage = 'sent' and leased and due_at > $3)
order by place
for update
",
    sqlite: "\
-- place: the open ones before it
select id, asked_by, waits, approved_by, leased, claim, place, seen, body, answer, created_at, updated_at, due_at
from commands
where target = $1
  and settled_at is null
  and place < $2
  and not (stage = 'sent' and leased and due_at > $3)
order by place
",
};

/// Takes the places of all before that one, but of what is being sent just now.
pub(super) async fn take(session: &mut Session, line: &str, place: i64, now: OffsetDateTime) -> Result<(), Error> {
    let rows: Vec<CommandRow> = fetch!(session, EARLIER, line, place, Stamp(now))?;
    let held: Result<Vec<Held>, Error> = rows.into_iter().map(CommandRow::held).collect();
    supersede(session, held?, now).await
}

const NEWER: Sql = Sql::same(
    "\
-- place: is there one behind it that may go
select count(*)
from commands
where target = $1
  and settled_at is null
  and not waits
  and place > $2
",
);

/// There is a newer one that may go.
pub(super) async fn is_taken(session: &mut Session, line: &str, place: i64, stage: Stage) -> Result<bool, Error> {
    if stage.is_final() {
        // What came to its end by itself is in nobody's way.
        return Ok(false);
    }
    let newer: Vec<(i64,)> = fetch!(session, NEWER, line, place)?;
    Ok(newer.first().is_some_and(|(count,)| *count > 0))
}
