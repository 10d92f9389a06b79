//! A command is asked for.

use time::OffsetDateTime;

use super::rows::{CommandRow, json, written};
use super::{look, place, steps};
use crate::domain::command::Command;
use crate::domain::id::{CommandId, TokenReference};
use crate::store::Error;
use crate::store::desk::{NewCommand, Ordered};
use crate::store::record::token_reference;
use crate::store::session::{Session, Sql, execute, fetch};
use crate::store::values::{Id, Stamp};

const INSERT: Sql = Sql {
    postgres: "\
-- order: a command, behind all of its line; nothing, if this key was used before
insert into commands
  (id, namespace, token_unique_reference, service, target_token, target_reference_id, target, place, action, forced,
   asked_by, idempotency_key, waits, stage, why, body, created_at, updated_at, due_at)
select
  $1, $2, $3, $4, $5, $6, $7,
  (select coalesce(max(place), 0) + 1 from commands where target = $7 and settled_at is null),
  $8, $9, $10, $11, $12, 'requested', $13, $14::json, $15, $15, $16
on conflict (asked_by, idempotency_key) where idempotency_key is not null do nothing
returning place
",
    sqlite: "\
-- order: a command, behind all of its line; nothing, if this key was used before
insert into commands
  (id, namespace, token_unique_reference, service, target_token, target_reference_id, target, place, action, forced,
   asked_by, idempotency_key, waits, stage, why, body, created_at, updated_at, due_at)
select
  $1, $2, $3, $4, $5, $6, $7,
  (select coalesce(max(place), 0) + 1 from commands where target = $7 and settled_at is null),
  $8, $9, $10, $11, $12, 'requested', $13, $14, $15, $15, $16
where true
on conflict (asked_by, idempotency_key) where idempotency_key is not null do nothing
returning place
",
};

const STANDING: Sql = Sql::same(
    "\
-- order: how far its tokens have come
select tokens.namespace, tokens.token_unique_reference, tokens.sequence
from command_tokens as watched
join tokens
  on tokens.namespace = watched.namespace
  and tokens.token_unique_reference = watched.token_unique_reference
where watched.command_id = $1
  and tokens.sequence > 0
",
);

const LOOKED: Sql = Sql {
    postgres: "\
-- order: what its tokens went through before is not of its concern
update commands set seen = $2::jsonb where id = $1
",
    sqlite: "\
-- order: what its tokens went through before is not of its concern
update commands set seen = $2 where id = $1
",
};

const USED: Sql = Sql::same(
    "\
-- order: the command of that key
select id, asked_by, waits, approved_by, leased, claim, seen, body, answer, created_at, updated_at, due_at
from commands
where asked_by = $1
  and idempotency_key = $2
",
);

/// Keeps a command; see [`crate::store::Desk::order`].
///
/// A crash before the commit leaves nothing, and the older ones go on; after it, the same key finds it.
pub(in crate::store) async fn order(
    session: &mut Session,
    new: &NewCommand,
    now: OffsetDateTime,
) -> Result<Ordered, Error> {
    let line = place::line(session, &new.order).await?;
    place::lock(session, &line).await?;
    let command = requested(new);
    let placed = insert(session, new, &command, &line, now).await?;
    let Some(place) = placed else {
        return same(session, new).await;
    };
    steps::add(session, &[&command], now).await?;
    look_at_none_before(session, new.id).await?;
    if new.approve_within.is_none() {
        place::take(session, &line, place, now).await?;
    }
    let kept = look::command(session, new.id).await?;
    kept.map(Ordered::New)
        .ok_or_else(|| Error::Conflict("a command went away".to_owned()))
}

fn requested(new: &NewCommand) -> Command {
    let why = match new.approve_within {
        Some(_) => "waits until another operator approves of it",
        None => "asked for",
    };
    Command::requested(new.id, new.order.clone(), why)
}

/// Its place, or nothing if its key was used before.
async fn insert(
    session: &mut Session,
    new: &NewCommand,
    command: &Command,
    line: &str,
    now: OffsetDateTime,
) -> Result<Option<i64>, Error> {
    let order = &new.order;
    let placed: Vec<(i64,)> = fetch!(
        session,
        INSERT,
        Id(new.id.0),
        order.token.namespace.as_str(),
        &order.token.reference,
        order.through.as_str(),
        &order.target.token,
        &order.target.reference_id,
        line,
        order.action.as_str(),
        order.forced,
        &new.asked_by,
        &new.idempotency_key,
        new.approve_within.is_some(),
        &command.why,
        json(command)?,
        Stamp(now),
        Stamp(now + new.approve_within.unwrap_or_default()),
    )?;
    Ok(placed.first().map(|(place,)| *place))
}

async fn look_at_none_before(session: &mut Session, id: CommandId) -> Result<(), Error> {
    let standing: Vec<(String, String, i64)> = fetch!(session, STANDING, Id(id.0))?;
    let seen = standing.into_iter().map(|(namespace, reference, sequence)| {
        let token = token_reference(&namespace, reference)?;
        Ok((token, sequence.unsigned_abs()))
    });
    let seen: Result<Vec<(TokenReference, u64)>, Error> = seen.collect();
    execute!(session, LOOKED, Id(id.0), written(&seen?)).map(drop)
}

/// The command that this key was first used for.
async fn same(session: &mut Session, new: &NewCommand) -> Result<Ordered, Error> {
    let rows: Vec<CommandRow> = fetch!(session, USED, &new.asked_by, &new.idempotency_key)?;
    let gone = || Error::Conflict("a key's command went away".to_owned());
    let held = rows.into_iter().next().ok_or_else(gone)?.held()?;
    Ok(match held.kept.command.order == new.order {
        true => Ordered::Same(held.kept),
        false => Ordered::Conflict(held.kept.command.id),
    })
}
