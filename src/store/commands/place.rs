//! The line of a network token: who gives a place in it holds its lock, and takes the places of those before.

use std::collections::BTreeSet;

use serde_json::Value;
use time::OffsetDateTime;

use super::rows::{CommandRow, Held};
use super::supersede::supersede;
use crate::domain::command::{Command, Order, Service};
use crate::domain::id::{Namespace, TokenReference};
use crate::store::desk::Link;
use crate::store::session::{Session, Sql, execute, fetch};
use crate::store::values::{Id, Stamp};
use crate::store::{Error, links};

/// The line in which an order stands: that of its network token, by the name that MDES gives it where the links say so
/// with one voice, whoever carries the order out; else by the name that the service knows it by. A link that is made
/// later moves nobody.
pub(super) async fn line(session: &mut Session, order: &Order) -> Result<String, Error> {
    let target = &order.target;
    if order.through == Service::Mdes {
        return Ok(named(Namespace::Mdes, &target.token, None));
    }
    let token = TokenReference {
        namespace: Namespace::TokenEx,
        reference: target.token.clone(),
    };
    let links = links::of(session, &token).await?;
    let is_meant = |link: &&Link| {
        let (one, other) = (link.token_reference_id.as_ref(), target.reference_id.as_ref());
        one.zip(other).is_none_or(|(one, other)| one == other)
    };
    let joined = links
        .iter()
        .filter(is_meant)
        .map(|link| link.token_unique_reference.as_str());
    let joined: BTreeSet<&str> = joined.collect();
    Ok(match (joined.first(), joined.len()) {
        (Some(only), 1) => named(Namespace::Mdes, only, None),
        _ => named(Namespace::TokenEx, &target.token, target.reference_id.as_deref()),
    })
}

fn named(namespace: Namespace, token: &str, reference_id: Option<&str>) -> String {
    let name = [Some(namespace.as_str()), Some(token), reference_id];
    Value::from_iter(name).to_string()
}

const LOCK: &str = "\
-- place: the lock of a line, until the commit
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
select id, asked_by, waits, approved_by, leased, claim, seen, body, answer, created_at, updated_at, due_at
from commands
where target = $1
  and settled_at is null
  and place < $2
  and not waits
  and not (stage = 'sent' and leased and due_at > $3)
order by place
for update
",
    sqlite: "\
-- place: the open ones before it
select id, asked_by, waits, approved_by, leased, claim, seen, body, answer, created_at, updated_at, due_at
from commands
where target = $1
  and settled_at is null
  and place < $2
  and not waits
  and not (stage = 'sent' and leased and due_at > $3)
order by place
",
};

/// Takes the places of all before that one, but of what is being sent just now, and of what waits for approval.
pub(super) async fn take(session: &mut Session, line: &str, place: i64, now: OffsetDateTime) -> Result<(), Error> {
    let rows: Vec<CommandRow> = fetch!(session, EARLIER, line, place, Stamp(now))?;
    let held: Result<Vec<Held>, Error> = rows.into_iter().map(CommandRow::held).collect();
    supersede(session, held?, now).await
}

const NEWER: Sql = Sql::same(
    "\
-- place: is there one behind it that may go
select count(*)
from commands as newer
join commands as older on older.id = $1
where newer.target = older.target
  and newer.settled_at is null
  and not newer.waits
  and newer.place > older.place
",
);

/// There is a newer one that may go.
pub(super) async fn is_taken(session: &mut Session, command: &Command) -> Result<bool, Error> {
    if command.stage.is_final() {
        // What came to its end by itself is in nobody's way.
        return Ok(false);
    }
    let newer: Vec<(i64,)> = fetch!(session, NEWER, Id(command.id.0))?;
    Ok(newer.first().is_some_and(|(count,)| *count > 0))
}
