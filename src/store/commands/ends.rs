//! A command comes to its end without anybody working on it.

use time::OffsetDateTime;

use super::steps;
use crate::domain::command::Command;
use crate::store::Error;
use crate::store::batch::batch_row;
use crate::store::session::{Session, Sql};
use crate::store::values::{Document, Id, Stamp};

const END: Sql = Sql {
    postgres: "\
-- end: these, which are locked, come to their end
update commands
set
  stage = ended.stage,
  why = ended.why,
  body = ended.body::json,
  waits = false,
  leased = false,
  updated_at = ended.at,
  due_at = ended.at,
  settled_at = ended.at
from unnest($1, $2, $3, $4, $5) as ended (id, stage, why, body, at)
where commands.id = ended.id
",
    sqlite: "\
-- end: these come to their end
update commands
set
  stage = value ->> 'stage',
  why = value ->> 'why',
  body = value -> 'body',
  waits = false,
  leased = false,
  updated_at = value ->> 'at',
  due_at = value ->> 'at',
  settled_at = value ->> 'at'
from json_each($1) as ended
where commands.id = value ->> 'id'
",
};

batch_row! {
    struct EndedRow<'a> {
        id: Id,
        stage: &'static str,
        why: &'a str,
        body: Document,
        at: Stamp,
    }
}

/// Writes these as they stand now, which is at their end, each with its step; the transaction has locked them.
pub(super) async fn end(session: &mut Session, ended: &[Command], now: OffsetDateTime) -> Result<(), Error> {
    if ended.is_empty() {
        return Ok(());
    }
    let rows: Result<Vec<EndedRow<'_>>, Error> = ended.iter().map(|command| EndedRow::of(command, now)).collect();
    session.execute_batch(END, &rows?).await?;
    steps::add(session, &ended.iter().collect::<Vec<_>>(), now).await
}

impl<'a> EndedRow<'a> {
    fn of(command: &'a Command, now: OffsetDateTime) -> Result<Self, Error> {
        Ok(EndedRow {
            id: Id(command.id.0),
            stage: command.stage.as_str(),
            why: &command.why,
            body: Document::of(command)?,
            at: Stamp(now),
        })
    }
}
