//! Presence: when each replica was last here, so that a time without any is known.

use std::time::Duration;

use time::OffsetDateTime;

use super::gaps;
use super::{Miss, Missed};
use crate::domain::id::GapId;
use crate::store::Error;
use crate::store::session::{Session, Sql, execute, fetch};
use crate::store::values::Stamp;

/// A replica that was not here for so long is forgotten.
const FORGOTTEN_AFTER: Duration = Duration::from_hours(24);

const NEWEST: Sql = Sql::same(
    "\
-- here: when any replica was last here
select max(here_at)
from presence
",
);

const HERE: Sql = Sql {
    postgres: "\
-- here: this one is
insert into presence (replica, here_at)
values ($1, $2)
on conflict (replica) do update
set here_at = greatest(presence.here_at, excluded.here_at)
",
    sqlite: "\
-- here: this one is
insert into presence (replica, here_at)
values ($1, $2)
on conflict (replica) do update
set here_at = max(presence.here_at, excluded.here_at)
",
};

/// The newest row stays, whoever's clock it was: this replica's own is as new as now.
const FORGET: Sql = Sql::same(
    "\
-- here: forget those that were not for a day
delete from presence
where here_at < $1
",
);

/// This replica is here; see [`super::Asking::here`].
///
/// A crash before the commit leaves all as it was: the next start sees the same silence.
pub(in crate::store) async fn here(
    session: &mut Session,
    replica: &str,
    downtime: GapId,
    longer_than: Duration,
    now: OffsetDateTime,
) -> Result<Option<OffsetDateTime>, Error> {
    let newest: Vec<(Option<Stamp>,)> = fetch!(session, NEWEST)?;
    let before = newest.first().and_then(|(at,)| at.map(|at| at.0));
    execute!(session, HERE, replica, Stamp(now))?;
    execute!(session, FORGET, Stamp(now - FORGOTTEN_AFTER))?;
    if let Some(from) = before.filter(|before| now - *before > longer_than) {
        gaps::note(session, &[silence(downtime, from, now)]).await?;
    }
    Ok(before)
}

fn silence(id: GapId, from: OffsetDateTime, until: OffsetDateTime) -> Miss {
    Miss {
        id,
        missed: Missed::Downtime,
        peer: String::new(),
        reason: Missed::Downtime.as_str().to_owned(),
        count: 1,
        from,
        until,
    }
}
