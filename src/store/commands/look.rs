//! Commands and their steps, as a person looks at them.

use super::rows::CommandRow;
use crate::domain::command::{Action, Stage};
use crate::domain::id::CommandId;
use crate::store::Error;
use crate::store::desk::{CommandFilter, KeptCommand, Step};
use crate::store::row::row;
use crate::store::session::{Session, Sql, fetch};
use crate::store::values::{Id, Stamp};

const ONE: Sql = Sql::same(
    "\
-- command: one of them
select id, asked_by, waits, approved_by, leased, claim, seen, body, answer, created_at, updated_at, due_at
from commands
where id = $1
",
);

const PAGE: Sql = Sql::same(
    "\
-- commands: a page of them, newest first
select id, asked_by, waits, approved_by, leased, claim, seen, body, answer, created_at, updated_at, due_at
from commands
where ($1 is null or namespace = $1)
  and ($2 is null or token_unique_reference = $2)
  and ($3 is null or stage = $3)
  and ($4 is null or action = $4)
  and (not $5 or settled_at is null)
  and ($6 is null or id < $6)
order by id desc
limit $7
",
);

/// One command.
pub(in crate::store) async fn command(session: &mut Session, id: CommandId) -> Result<Option<KeptCommand>, Error> {
    let rows: Vec<CommandRow> = fetch!(session, ONE, Id(id.0))?;
    rows.into_iter().next().map(kept).transpose()
}

/// A page of commands.
pub(in crate::store) async fn page(
    session: &mut Session,
    which: &CommandFilter,
    before: Option<CommandId>,
    limit: i64,
) -> Result<Vec<KeptCommand>, Error> {
    let token = which.token.as_ref();
    let rows: Vec<CommandRow> = fetch!(
        session,
        PAGE,
        token.map(|token| token.namespace.as_str()),
        token.map(|token| token.reference.as_str()),
        which.stage.map(Stage::as_str),
        which.action.map(Action::as_str),
        which.open,
        before.map(|id| Id(id.0)),
        limit,
    )?;
    rows.into_iter().map(kept).collect()
}

fn kept(row: CommandRow) -> Result<KeptCommand, Error> {
    row.held().map(|held| held.kept)
}

const OPEN: Sql = Sql::same(
    "\
-- open: how many of this asker's are, as far as it matters
select count(*)
from (
  select id
  from commands
  where asked_by = $1
    and settled_at is null
  limit $2
) as open
",
);

/// How many of an asker's commands are open.
pub(in crate::store) async fn open_of(session: &mut Session, asked_by: &str, at_most: u32) -> Result<u32, Error> {
    let open: Vec<(i64,)> = fetch!(session, OPEN, asked_by, i64::from(at_most))?;
    Ok(open
        .first()
        .map_or(0, |(open,)| u32::try_from(*open).unwrap_or(u32::MAX)))
}

const STEPS: Sql = Sql::same(
    "\
-- steps: what a command went through, in order
select stage, why, at
from command_steps
where command_id = $1
order by number
limit 1000
",
);

row! {
    struct StepRow {
        stage: String,
        why: String,
        at: Stamp,
    }
}

/// What a command went through.
pub(in crate::store) async fn steps(session: &mut Session, id: CommandId) -> Result<Vec<Step>, Error> {
    let rows: Vec<StepRow> = fetch!(session, STEPS, Id(id.0))?;
    let step = |row: StepRow| {
        let place = || Error::Corrupt(format!("command_steps.stage of {id}"));
        Ok(Step {
            stage: Stage::parse(&row.stage).ok_or_else(place)?,
            why: row.why,
            at: row.at.0,
        })
    };
    rows.into_iter().map(step).collect()
}
