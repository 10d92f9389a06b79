//! How many things there are of which a person may have to know; no count grows with what waits.

use std::time::Duration;

use time::OffsetDateTime;

use super::Counts;
use crate::store::Error;
use crate::store::row::row;
use crate::store::session::{Session, Sql, fetch};
use crate::store::values::Stamp;

/// What was said of a deactivated token longer ago is known by now.
const OF_LATE: Duration = Duration::from_hours(7 * 24);
/// So many of each are looked at.
const LOOKED_AT_MAX: i64 = 10_000;

const COUNTS: Sql = Sql {
    postgres: "\
-- counts: tokens in doubt, and commands
select
  (select count(*) from (
    select doubts, updated_at from tokens where provisional limit $1) as doubtful
    where 'woke_after_deactivation' = any (doubts) and updated_at >= $2) as woken,
  (select count(*) from (select 1 from questions where given_up limit $1) as vain) as given_up,
  (select count(*) from (
    select waits from commands where settled_at is null limit $1) as open where waits) as waiting,
  (select count(*) from (
    select stage from commands where settled_at is null limit $1) as open where stage = 'overdue') as overdue
",
    sqlite: "\
-- counts: tokens in doubt, and commands
select
  (select count(*) from (
    select doubts, updated_at from tokens where provisional limit $1) as doubtful
    where exists (select 1 from json_each(doubts) where value = 'woke_after_deactivation')
      and updated_at >= $2) as woken,
  (select count(*) from (select 1 from questions where given_up limit $1) as vain) as given_up,
  (select count(*) from (
    select waits from commands where settled_at is null limit $1) as open where waits) as waiting,
  (select count(*) from (
    select stage from commands where settled_at is null limit $1) as open where stage = 'overdue') as overdue
",
};

row! {
    struct CountsRow {
        woken: i64,
        given_up: i64,
        waiting: i64,
        overdue: i64,
    }
}

/// How many of each; see [`super::Alarms::counts`].
pub(in crate::store) async fn counts(session: &mut Session, now: OffsetDateTime) -> Result<Counts, Error> {
    let rows: Vec<CountsRow> = fetch!(session, COUNTS, LOOKED_AT_MAX, Stamp(now - OF_LATE))?;
    let counts = |row: &CountsRow| Counts {
        woken: row.woken.unsigned_abs(),
        given_up: row.given_up.unsigned_abs(),
        waiting: row.waiting.unsigned_abs(),
        overdue: row.overdue.unsigned_abs(),
    };
    Ok(rows.first().map(counts).unwrap_or_default())
}
