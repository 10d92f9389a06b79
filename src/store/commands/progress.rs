//! A step of a claimed command.

use time::OffsetDateTime;

use super::place;
use super::rows::{CommandRow, Held, json, word, written};
use super::supersede::supersede;
use super::{steps, told};
use crate::domain::command::Stage;
use crate::domain::id::TokenReference;
use crate::store::Error;
use crate::store::desk::Progress;
use crate::store::session::{Session, Sql, execute, fetch};
use crate::store::values::{Id, Stamp};

const CLAIMED: Sql = Sql {
    postgres: "\
-- progress: the command, locked, if the claim still holds it
select id, asked_by, waits, approved_by, leased, claim, seen, body, answer, created_at, updated_at, due_at
from commands
where id = $1
  and claim = $2
  and leased
for update
",
    sqlite: "\
-- progress: the command, if the claim still holds it
select id, asked_by, waits, approved_by, leased, claim, seen, body, answer, created_at, updated_at, due_at
from commands
where id = $1
  and claim = $2
  and leased
",
};

const WRITE: Sql = Sql {
    postgres: "\
-- progress: the command as it stands now
update commands
set
  stage = $2,
  proof = $3,
  code = $4,
  why = $5,
  sends = $6,
  seen = $7::jsonb,
  body = $8::json,
  answer = coalesce($9::json, answer),
  leased = $10,
  due_at = $11,
  settled_at = $12,
  updated_at = $13
where id = $1
",
    sqlite: "\
-- progress: the command as it stands now
update commands
set
  stage = $2,
  proof = $3,
  code = $4,
  why = $5,
  sends = $6,
  seen = $7,
  body = $8,
  answer = coalesce($9, answer),
  leased = $10,
  due_at = $11,
  settled_at = $12,
  updated_at = $13
where id = $1
",
};

/// Writes a step; see [`crate::store::Desk::progress`].
///
/// A crash before the commit leaves the step before, under its lease; after it, this one, with its event.
pub(in crate::store) async fn progress(
    session: &mut Session,
    progress: &Progress,
    now: OffsetDateTime,
) -> Result<bool, Error> {
    let command = &progress.command;
    let claim = i32::try_from(progress.claim).unwrap_or(i32::MAX);
    let rows: Vec<CommandRow> = fetch!(session, CLAIMED, Id(command.id.0), claim)?;
    let Some(held) = rows.into_iter().next().map(CommandRow::held).transpose()? else {
        return Ok(false);
    };
    // Somebody else may take it at any moment, and must not find it being sent.
    if command.stage == Stage::Sent && !held.is_worked_on(now) {
        return Ok(false);
    }
    if place::is_taken(session, command).await? {
        supersede(session, vec![came_to(held, progress)], now).await?;
        return Ok(false);
    }
    write(session, &held, progress, now).await?;
    // Who was woken and stands as before has nothing to say.
    let before = &held.kept.command;
    if (before.stage, &before.why) != (command.stage, &command.why) {
        steps::add(session, &[command], now).await?;
    }
    if let Some(kind) = progress.event {
        // Last, since it takes the lock that every commit of an event waits for.
        told::tell(session, kind, command, now).await?;
    }
    Ok(true)
}

/// The same command, where the step brought it: its end says what it had come to. One that was to be sent is not.
fn came_to(mut held: Held, progress: &Progress) -> Held {
    if progress.command.stage != Stage::Sent {
        held.kept.command = progress.command.clone();
    }
    held
}

async fn write(session: &mut Session, held: &Held, progress: &Progress, now: OffsetDateTime) -> Result<(), Error> {
    let command = &progress.command;
    let is_final = command.stage.is_final();
    let leased = !is_final && progress.due_in.is_none();
    let due_at = match (is_final, progress.due_in) {
        (true, _) => now,
        (false, Some(due_in)) => now + due_in,
        (false, None) => held.kept.due_at,
    };
    execute!(
        session,
        WRITE,
        Id(command.id.0),
        command.stage.as_str(),
        command.proof.map(word),
        &command.code,
        &command.why,
        i64::from(command.sends),
        written(&looked(&held.seen, &progress.seen)),
        json(command)?,
        progress.answer.as_ref().map(ToString::to_string),
        leased,
        Stamp(due_at),
        is_final.then_some(Stamp(now)),
        Stamp(now),
    )
    .map(drop)
}

/// Of each token the furthest that was looked at.
fn looked(before: &[(TokenReference, u64)], now: &[(TokenReference, u64)]) -> Vec<(TokenReference, u64)> {
    let mut furthest = std::collections::BTreeMap::new();
    for (token, at) in before.iter().chain(now) {
        let held = furthest.entry(token.clone()).or_insert(*at);
        *held = (*held).max(*at);
    }
    furthest.into_iter().collect()
}
