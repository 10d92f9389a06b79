//! What is known of the traffic: one row for each hour in which something came.

use std::time::Duration;

use time::OffsetDateTime;

use crate::domain::silence::{HISTORY, Hearing, Hour, hour_of};
use crate::store::Error;
use crate::store::row::row;
use crate::store::session::{Session, Sql, execute, fetch};
use crate::store::values::Stamp;

/// More hours than there are in the history.
const HOURS_MAX: i64 = 400;

const HOURS: Sql = Sql::same(
    "\
-- hear: the hours in which something came, newest first
select heard_at, pause_secs
from heard
order by hour desc
limit $1
",
);

const SINCE: Sql = Sql::same(
    "\
-- hear: when somebody listened for the first time
select since
from watch
",
);

const HEAR: Sql = Sql {
    postgres: "\
-- hear: something came in this hour
insert into heard (hour, heard_at, pause_secs)
values ($1, $2, $3)
on conflict (hour) do update
set
  heard_at = greatest(heard.heard_at, excluded.heard_at),
  pause_secs = greatest(heard.pause_secs, excluded.pause_secs)
",
    sqlite: "\
-- hear: something came in this hour
insert into heard (hour, heard_at, pause_secs)
values ($1, $2, $3)
on conflict (hour) do update
set
  heard_at = max(heard.heard_at, excluded.heard_at),
  pause_secs = max(heard.pause_secs, excluded.pause_secs)
",
};

const FORGET: Sql = Sql::same(
    "\
-- hear: forget hours that are too old to say what is usual; the newest stays
delete from heard
where heard_at < $1
  and hour < (select max(hour) from heard)
",
);

row! {
    struct HourRow {
        heard_at: Stamp,
        pause_secs: i64,
    }
}

/// What is known of it; who has listened to nobody yet listens since now.
pub(in crate::store) async fn hearing(session: &mut Session, now: OffsetDateTime) -> Result<Hearing, Error> {
    let rows: Vec<HourRow> = fetch!(session, HOURS, HOURS_MAX)?;
    let since: Vec<(Stamp,)> = fetch!(session, SINCE)?;
    let hour = |row: HourRow| Hour {
        heard: row.heard_at.0,
        pause: Duration::from_secs(row.pause_secs.unsigned_abs()),
    };
    Ok(Hearing {
        since: since.first().map_or(now, |(at,)| at.0),
        hours: rows.into_iter().rev().map(hour).collect(),
    })
}

/// The same after a notification that came then; see [`super::Alarms::hear`]. Two replicas that hear at once take the same
/// pause for longer than it was, by no more than a look.
///
/// A crash before the commit leaves it unsaid that something came, until the next does.
pub(in crate::store) async fn hear(
    session: &mut Session,
    heard: OffsetDateTime,
    now: OffsetDateTime,
) -> Result<Hearing, Error> {
    let mut hearing = hearing(session, now).await?;
    if hearing.hear(heard)
        && let Some(hour) = hearing.hours.last()
    {
        let pause_secs = i64::try_from(hour.pause.as_secs()).unwrap_or(i64::MAX);
        execute!(session, HEAR, Stamp(hour_of(heard)), Stamp(heard), pause_secs)?;
        execute!(session, FORGET, Stamp(heard - HISTORY))?;
    }
    Ok(hearing)
}
