//! The alarms that are raised: one row each, whoever sees it.

use std::collections::BTreeMap;
use std::time::Duration;

use time::OffsetDateTime;

use super::{KeptAlarm, Looked, Standing};
use crate::clock::new_id;
use crate::domain::alarm::{Alarm, Alert, OfAlarm, State};
use crate::domain::event::{Event, EventData, VERSION};
use crate::domain::id::{AlarmId, EventId};
use crate::store::Error;
use crate::store::batch::batch_row;
use crate::store::events::{self, EventRow};
use crate::store::row::row;
use crate::store::session::{Session, Sql, execute, fetch};
use crate::store::values::{Id, Stamp};

/// What stands in the shared memory is not so any more when two looks have not seen it …
const UNSEEN: Duration = Duration::from_secs(40);
/// … and what each replica may have its own of, when none of them has seen it for so long.
const UNSEEN_BY_ANY: Duration = Duration::from_mins(2);
/// So many are shown.
const SHOWN_MAX: i64 = 1_000;

const LOOKED: Sql = Sql {
    postgres: "\
-- look: somebody does
insert into watch (since, looked_at)
values ($1, $1)
on conflict (only_row) do update
set looked_at = greatest(watch.looked_at, excluded.looked_at)
",
    sqlite: "\
-- look: somebody does
insert into watch (since, looked_at)
values ($1, $1)
on conflict (only_row) do update
set looked_at = max(watch.looked_at, excluded.looked_at)
",
};

const SEE: Sql = Sql {
    postgres: "\
-- look: what is seen; a row that keeps the id that it is given is a new one
insert into alarms (alert, about, id, says, count, raised_at, seen_at)
select alert, about, id, says, count, seen_at, seen_at
from unnest($1, $2, $3, $4, $5, $6) as seen (alert, about, id, says, count, seen_at)
order by alert, about
on conflict (alert, about) do update
set says = excluded.says, count = excluded.count, seen_at = greatest(alarms.seen_at, excluded.seen_at)
returning alert, about, id, says, count, raised_at, seen_at
",
    sqlite: "\
-- look: what is seen; a row that keeps the id that it is given is a new one
insert into alarms (alert, about, id, says, count, raised_at, seen_at)
select
  value ->> 'alert', value ->> 'about', value ->> 'id', value ->> 'says', value ->> 'count',
  value ->> 'seen_at', value ->> 'seen_at'
from json_each($1)
where true
on conflict (alert, about) do update
set says = excluded.says, count = excluded.count, seen_at = max(alarms.seen_at, excluded.seen_at)
returning alert, about, id, says, count, raised_at, seen_at
",
};

/// `$3`: a JSON array of the alerts of which each replica may have its own.
const CLEAR: Sql = Sql {
    postgres: "\
-- look: what nobody sees any more; what somebody is just looking at is passed over
delete from alarms
where (alert, about) in (
  select alert, about
  from alarms
  where seen_at < case when alert in (select json_array_elements_text($3::json)) then $2 else $1 end
  for update skip locked)
returning alert, about, id, says, count, raised_at, seen_at
",
    sqlite: "\
-- look: what nobody sees any more
delete from alarms
where seen_at < case when alert in (select value from json_each($3)) then $2 else $1 end
returning alert, about, id, says, count, raised_at, seen_at
",
};

const STANDING: Sql = Sql::same(
    "\
-- alarms: all of them
select alert, about, id, says, count, raised_at, seen_at
from alarms
order by alert, about
limit $1
",
);

const LOOKED_AT: Sql = Sql::same(
    "\
-- alarms: when somebody last looked
select looked_at
from watch
",
);

batch_row! {
    /// An alarm that is seen.
    struct SeenRow<'a> {
        alert: &'static str,
        about: &'a str,
        id: Id,
        says: &'a str,
        count: i64,
        seen_at: Stamp,
    }
}

row! {
    struct AlarmRow {
        alert: String,
        about: String,
        id: Id,
        says: String,
        count: i64,
        raised_at: Stamp,
        seen_at: Stamp,
    }
}

impl AlarmRow {
    /// `None`: a newer program raised it, and knows what it is.
    fn kept(self) -> Option<KeptAlarm> {
        Some(KeptAlarm {
            id: AlarmId(self.id.0),
            alarm: Alarm {
                alert: Alert::parse(&self.alert)?,
                about: self.about,
                says: self.says,
                count: self.count.unsigned_abs(),
            },
            raised_at: self.raised_at.0,
            seen_at: self.seen_at.0,
        })
    }
}

/// A look; see [`super::Alarms::look`].
///
/// A crash before the commit leaves neither a row nor an event of it; after it, both.
pub(in crate::store) async fn look(
    session: &mut Session,
    seen: &[Alarm],
    may_clear: bool,
    now: OffsetDateTime,
) -> Result<Looked, Error> {
    execute!(session, LOOKED, Stamp(now))?;
    let raised = see(session, seen, now).await?;
    let cleared = match may_clear {
        true => clear(session, now).await?,
        false => Vec::new(),
    };
    let told = raised.iter().map(|one| event(one, State::Raised, now));
    let told: Vec<Event> = told
        .chain(cleared.iter().map(|one| event(one, State::Cleared, now)))
        .collect();
    let rows: Result<Vec<EventRow<'_>>, Error> = told.iter().map(|event| EventRow::of(event, None, None)).collect();
    events::append(session, &rows?).await?;
    Ok(Looked { raised, cleared })
}

/// Gives those that nobody had seen.
async fn see(session: &mut Session, seen: &[Alarm], now: OffsetDateTime) -> Result<Vec<KeptAlarm>, Error> {
    // A statement takes each once.
    let each: BTreeMap<(&str, &str), &Alarm> = seen
        .iter()
        .map(|alarm| ((alarm.alert.as_str(), alarm.about.as_str()), alarm))
        .collect();
    let rows: Vec<SeenRow<'_>> = each.into_values().map(|alarm| SeenRow::of(alarm, now)).collect();
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let kept: Vec<AlarmRow> = session.fetch_batch(SEE, &rows).await?;
    let is_new = |one: &AlarmRow| rows.iter().any(|row| row.id == one.id);
    Ok(kept.into_iter().filter(is_new).filter_map(AlarmRow::kept).collect())
}

impl<'a> SeenRow<'a> {
    fn of(alarm: &'a Alarm, now: OffsetDateTime) -> Self {
        SeenRow {
            alert: alarm.alert.as_str(),
            about: &alarm.about,
            id: Id(new_id(now)),
            says: &alarm.says,
            count: i64::try_from(alarm.count).unwrap_or(i64::MAX).max(1),
            seen_at: Stamp(now),
        }
    }
}

/// Gives those that nobody sees any more. One that only a newer program knows goes without a word.
async fn clear(session: &mut Session, now: OffsetDateTime) -> Result<Vec<KeptAlarm>, Error> {
    let own = Alert::ALL.iter().filter(|alert| alert.kind().is_a_replicas_own());
    let own: Vec<&str> = own.map(|alert| alert.as_str()).collect();
    let rows: Vec<AlarmRow> = fetch!(
        session,
        CLEAR,
        Stamp(now - UNSEEN),
        Stamp(now - UNSEEN_BY_ANY),
        serde_json::json!(own).to_string(),
    )?;
    Ok(rows.into_iter().filter_map(AlarmRow::kept).collect())
}

fn event(kept: &KeptAlarm, state: State, now: OffsetDateTime) -> Event {
    Event {
        id: EventId(new_id(now)),
        kind: kept.alarm.alert.kind().event(),
        version: VERSION,
        timestamp: now,
        data: EventData {
            alarm: Some(OfAlarm::of(&kept.alarm, state, kept.raised_at)),
            ..EventData::of_no_token(now)
        },
    }
}

/// What stands now; see [`super::Alarms::alarms`].
pub(in crate::store) async fn standing(session: &mut Session) -> Result<Standing, Error> {
    let rows: Vec<AlarmRow> = fetch!(session, STANDING, SHOWN_MAX)?;
    let looked_at: Vec<(Stamp,)> = fetch!(session, LOOKED_AT)?;
    Ok(Standing {
        alarms: rows.into_iter().filter_map(AlarmRow::kept).collect(),
        looked_at: looked_at.first().map(|(at,)| at.0),
    })
}
