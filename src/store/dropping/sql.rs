//! The statements of [`super`]: what a page looks at, what of it is free to go, and how it goes.

use crate::store::retention::Kept;
use crate::store::session::Sql;

/// Some destination was not told yet of what this notification said: it may have to be opened once more.
macro_rules! awaited {
    ($id:literal) => {
        concat!(
            "(
    exists (
      select 1
      from token_statements as said
      join events on events.namespace = said.namespace
        and events.token_unique_reference = said.token_unique_reference
        and events.position > (select min(position) from destinations)
      where said.notification_id = ",
            $id,
            "
        and events.notification_id = ",
            $id,
            ")
    or exists (
      select 1
      from token_statements as said
      cross join destinations
      join deliveries on deliveries.destination = destinations.name
        and deliveries.lane = said.namespace || ' ' || said.token_unique_reference
        and deliveries.state in ('due', 'leased', 'parked')
      join events on events.position = deliveries.event_position
      where said.notification_id = ",
            $id,
            "
        and events.notification_id = ",
            $id,
            "))"
        )
    };
}

pub(in crate::store) use awaited;

pub(super) const HOLD_EVENTS: &str = "\
-- retention: no destination is enrolled while events go, and none goes while one is
select claim
from retention
for no key update
";

/// A turn of theirs waits for as long as a page takes.
pub(super) const HOLD_DESTINATIONS: &str = "\
-- retention: no destination moves while events go
select name
from destinations
order by name
for no key update
";

pub(super) const BEGIN: Sql = Sql::same(
    "\
-- retention: take it up, if nobody has it and it is time
update retention
set claim = claim + 1, leased_until = $2
where leased_until <= $1
  and ($3 is null or ended_at is null or ended_at < $3)
returning claim
",
);

pub(super) const HOLD: Sql = Sql::same(
    "\
-- retention: go on with it, or let go of it
update retention
set leased_until = $2, ended_at = coalesce($3, ended_at)
where claim = $1
",
);

pub(super) const EVENTS_GONE: Sql = Sql::same(
    "\
-- retention: how far events have gone
update retention
set events_gone = $1
where events_gone < $1
",
);

/// What is free: every destination is past it, and no delivery of it is open. One that a person replayed is open in the
/// lane of its token.
pub(super) const EVENTS: Sql = Sql::same(
    "\
-- retention: a page of events
select
  old.position, old.recorded_at as at, cast(1 as bigint) as own,
  (select count(*) from deliveries where event_position = old.position and not replayed)
    + (select count(*) from deliveries where event_position = old.position and replayed) as beside,
  old.position <= coalesce((select min(position) from destinations), old.position)
  and not exists (
    select 1
    from destinations
    join deliveries on deliveries.destination = destinations.name
      and deliveries.lane = coalesce(old.namespace || ' ' || old.token_unique_reference, 'event ' || old.position)
    where deliveries.state in ('due', 'leased', 'parked')
      and deliveries.event_position = old.position) as is_free
from (
  select position, namespace, token_unique_reference, recorded_at
  from events
  where position > $1
  order by position
  limit $2) as old
order by old.position
",
);

/// What stays: a token's current number, what is open in quarantine, what a question or a command is about that is open,
/// and what some destination was not told yet: it may have to be opened once more.
const NOTIFICATIONS: Sql = Sql::same(concat!(
    "\
-- retention: a page of notifications
select
  old.id, old.received_at as at, cast(1 as bigint) as own, cast(0 as bigint) as beside,
  not exists (
    select 1 from tokens where tokens.number_notification_id = old.id)
  and not exists (
    select 1 from quarantine where quarantine.notification_id = old.id and quarantine.resolved_at is null)
  and not exists (
    select 1
    from token_statements as said
    join questions on questions.namespace = said.namespace
      and questions.token_unique_reference = said.token_unique_reference
    where said.notification_id = old.id)
  and not exists (
    select 1
    from token_statements as said
    join commands on commands.namespace = said.namespace
      and commands.token_unique_reference = said.token_unique_reference
      and commands.settled_at is null
    where said.notification_id = old.id)
",
    "  and not ",
    awaited!("old.id"),
    " as is_free
from (
  select id, received_at
  from notifications
  where id > $1
    and id < $2
  order by id
  limit $3) as old
order by old.id
",
));

/// What a notification said stays for as long as it does, so that the page above finds whom it is about.
const STATEMENTS: Sql = Sql::same(
    "\
-- retention: a page of what notifications said
select
  old.id, old.at, old.own, cast(0 as bigint) as beside,
  not exists (
    select 1 from notifications where notifications.id = old.id)
  and not exists (
    select 1
    from token_statements as said
    join questions on questions.namespace = said.namespace
      and questions.token_unique_reference = said.token_unique_reference
    where said.notification_id = old.id)
  and not exists (
    select 1
    from token_statements as said
    join commands on commands.namespace = said.namespace
      and commands.token_unique_reference = said.token_unique_reference
      and commands.settled_at is null
    where said.notification_id = old.id)
  and not exists (
    select 1 from gaps where gaps.closed_at is null and gaps.from_at <= old.at)
  and not exists (
    select 1 from reconciles where reconciles.ended_at is null and reconciles.since <= old.at) as is_free
from (
  select notification_id as id, max(received_at) as at, count(*) as own
  from token_statements
  where notification_id > $1
    and notification_id < $2
  group by notification_id
  order by notification_id
  limit $3) as old
order by old.id
",
);

const QUARANTINE: Sql = Sql::same(
    "\
-- retention: a page of quarantine; what is open has no end
select
  old.id, old.resolved_at as at, cast(1 as bigint) as own, cast(0 as bigint) as beside,
  old.resolved_at is not null as is_free
from (
  select id, resolved_at
  from quarantine
  where id > $1
    and id < $2
  order by id
  limit $3) as old
order by old.id
",
);

const COMMANDS: Sql = Sql::same(
    "\
-- retention: a page of commands; what is open has no end
select
  old.id, old.settled_at as at, cast(1 as bigint) as own,
  (select count(*) from command_steps where command_steps.command_id = old.id) as beside,
  old.settled_at is not null as is_free
from (
  select id, settled_at
  from commands
  where id > $1
    and id < $2
  order by id
  limit $3) as old
order by old.id
",
);

const GAPS: Sql = Sql::same(
    "\
-- retention: a page of gaps; what is open has no end
select
  old.id, old.closed_at as at, cast(1 as bigint) as own, cast(0 as bigint) as beside,
  not exists (
    select 1 from reconciles where reconciles.id = old.reconcile_id and reconciles.ended_at is null) as is_free
from (
  select id, closed_at, reconcile_id
  from gaps
  where id > $1
    and id < $2
  order by id
  limit $3) as old
order by old.id
",
);

/// The newest of the schedule says when the next one is due.
const RECONCILES: Sql = Sql::same(
    "\
-- retention: a page of reconciles; what is open has no end
select
  old.id, old.ended_at as at, cast(1 as bigint) as own,
  (select count(*) from reconcile_findings where reconcile_findings.reconcile_id = old.id) as beside,
  not exists (
    select 1 from gaps where gaps.reconcile_id = old.id)
  and (old.cause <> 'schedule'
    or old.created_at < (select max(created_at) from reconciles where cause = 'schedule')) as is_free
from (
  select id, cause, created_at, ended_at
  from reconciles
  where id > $1
    and id < $2
  order by id
  limit $3) as old
order by old.id
",
);

/// By ids: behind `$1`, before `$2`, at most `$3`.
pub(super) fn page(kept: Kept) -> Sql {
    match kept {
        Kept::Events => EVENTS,
        Kept::Notifications => NOTIFICATIONS,
        Kept::Statements => STATEMENTS,
        Kept::Quarantine => QUARANTINE,
        Kept::Commands => COMMANDS,
        Kept::Gaps => GAPS,
        Kept::Reconciles => RECONCILES,
    }
}

/// What hangs by events, and they.
pub(super) const DROP_EVENTS: [Sql; 3] = [
    Sql {
        postgres: "\
-- retention: the deliveries of these events
delete from deliveries
using unnest($1) as old (position)
where deliveries.event_position = old.position
  and not deliveries.replayed
",
        sqlite: "\
-- retention: the deliveries of these events
delete from deliveries
where event_position in (select value ->> 'position' from json_each($1))
  and not replayed
",
    },
    Sql {
        postgres: "\
-- retention: and those of their replays
delete from deliveries
using unnest($1) as old (position)
where deliveries.event_position = old.position
  and deliveries.replayed
",
        sqlite: "\
-- retention: and those of their replays
delete from deliveries
where event_position in (select value ->> 'position' from json_each($1))
  and replayed
",
    },
    Sql {
        postgres: "\
-- retention: these events
delete from events
using unnest($1) as old (position)
where events.position = old.position
",
        sqlite: "\
-- retention: these events
delete from events
where position in (select value ->> 'position' from json_each($1))
",
    },
];

const DROP_NOTIFICATIONS: Sql = Sql {
    postgres: "\
-- retention: these notifications
delete from notifications
using unnest($1) as old (id)
where notifications.id = old.id
",
    sqlite: "\
-- retention: these notifications
delete from notifications
where id in (select value ->> 'id' from json_each($1))
",
};

const DROP_STATEMENTS: Sql = Sql {
    postgres: "\
-- retention: what these notifications said
delete from token_statements
using unnest($1) as old (id)
where token_statements.notification_id = old.id
",
    sqlite: "\
-- retention: what these notifications said
delete from token_statements
where notification_id in (select value ->> 'id' from json_each($1))
",
};

const DROP_QUARANTINE: Sql = Sql {
    postgres: "\
-- retention: these entries of quarantine
delete from quarantine
using unnest($1) as old (id)
where quarantine.id = old.id
  and quarantine.resolved_at is not null
",
    sqlite: "\
-- retention: these entries of quarantine
delete from quarantine
where id in (select value ->> 'id' from json_each($1))
  and resolved_at is not null
",
};

const DROP_STEPS: Sql = Sql {
    postgres: "\
-- retention: the steps of these commands
delete from command_steps
using unnest($1) as old (id)
where command_steps.command_id = old.id
",
    sqlite: "\
-- retention: the steps of these commands
delete from command_steps
where command_id in (select value ->> 'id' from json_each($1))
",
};

const DROP_COMMANDS: Sql = Sql {
    postgres: "\
-- retention: these commands
delete from commands
using unnest($1) as old (id)
where commands.id = old.id
  and commands.settled_at is not null
",
    sqlite: "\
-- retention: these commands
delete from commands
where id in (select value ->> 'id' from json_each($1))
  and settled_at is not null
",
};

const DROP_GAPS: Sql = Sql {
    postgres: "\
-- retention: these gaps
delete from gaps
using unnest($1) as old (id)
where gaps.id = old.id
",
    sqlite: "\
-- retention: these gaps
delete from gaps
where id in (select value ->> 'id' from json_each($1))
",
};

const DROP_RECONCILES: Sql = Sql {
    postgres: "\
-- retention: these reconciles; their findings go with them
delete from reconciles
using unnest($1) as old (id)
where reconciles.id = old.id
",
    sqlite: "\
-- retention: these reconciles; their findings go with them
delete from reconciles
where id in (select value ->> 'id' from json_each($1))
",
};

/// Of events, see [`DROP_EVENTS`].
pub(super) fn drop(kept: Kept) -> &'static [Sql] {
    match kept {
        Kept::Events => &DROP_EVENTS,
        Kept::Notifications => &[DROP_NOTIFICATIONS],
        Kept::Statements => &[DROP_STATEMENTS],
        Kept::Quarantine => &[DROP_QUARANTINE],
        Kept::Commands => &[DROP_STEPS, DROP_COMMANDS],
        Kept::Gaps => &[DROP_GAPS],
        Kept::Reconciles => &[DROP_RECONCILES],
    }
}
