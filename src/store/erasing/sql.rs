//! The statements of [`super`], in the order in which what points at something goes before it.

use crate::store::session::Sql;

/// A statement over the tokens that go, in both dialects: `gone (namespace, token_unique_reference)`.
macro_rules! over {
    ($says:literal, $sql:literal) => {
        over!($says, $sql, "")
    };
    ($says:literal, $sql:literal, $postgres_alone:literal) => {
        Sql {
            postgres: concat!(
                "-- erase: ",
                $says,
                "\nwith gone (namespace, token_unique_reference) as (\n  select * from unnest($1::text[], $2::text[]))",
                $sql,
                $postgres_alone,
            ),
            sqlite: concat!(
                "-- erase: ",
                $says,
                "\nwith gone (namespace, token_unique_reference) as (\n  select value ->> 'namespace', value ->> 'token_unique_reference' from json_each($1))",
                $sql,
            ),
        }
    };
}

pub(super) const LOCK: Sql = over!(
    "the tokens, in the one order of their locks",
    "
select tokens.token_unique_reference
from tokens
join gone
  on gone.namespace = tokens.namespace
  and gone.token_unique_reference = tokens.token_unique_reference
order by tokens.namespace, tokens.token_unique_reference
",
    "for update of tokens\n"
);

/// What is open: somebody still needs it.
pub(super) const HELD: Sql = over!(
    "what stands in the way",
    "
select 'deliveries', count(*)
from gone
cross join destinations
join deliveries
  on deliveries.destination = destinations.name
  and deliveries.lane = gone.namespace || ' ' || gone.token_unique_reference
where deliveries.state in ('due', 'leased', 'parked')
union all
select 'events that somebody was not told of', count(*)
from gone
join events
  on events.namespace = gone.namespace
  and events.token_unique_reference = gone.token_unique_reference
where events.position > (select min(position) from destinations)
union all
select 'questions', count(*)
from gone
join questions
  on questions.namespace = gone.namespace
  and questions.token_unique_reference = gone.token_unique_reference
where questions.settled_at is null
union all
select 'commands', count(distinct command_tokens.command_id)
from gone
join command_tokens
  on command_tokens.namespace = gone.namespace
  and command_tokens.token_unique_reference = gone.token_unique_reference
union all
select 'entries of quarantine', count(*)
from quarantine
where resolved_at is null
  and notification_id in (
    select said.notification_id
    from gone
    join token_statements as said
      on said.namespace = gone.namespace
      and said.token_unique_reference = gone.token_unique_reference)
"
);

/// Each with its table; what stands in one table may take several.
pub(super) const ERASE: [(&str, Sql); 11] = [
    // Two, since each has an index of its own.
    (
        "deliveries",
        over!(
            "deliveries",
            "
delete from deliveries
where not replayed
  and event_position in (
    select position
    from gone
    join events
      on events.namespace = gone.namespace
      and events.token_unique_reference = gone.token_unique_reference)
"
        ),
    ),
    (
        "deliveries",
        over!(
            "deliveries that were asked for again",
            "
delete from deliveries
where replayed
  and event_position in (
    select position
    from gone
    join events
      on events.namespace = gone.namespace
      and events.token_unique_reference = gone.token_unique_reference)
"
        ),
    ),
    (
        "events",
        over!(
            "events",
            "
delete from events
where (namespace, token_unique_reference) in (select namespace, token_unique_reference from gone)
"
        ),
    ),
    (
        "questions",
        over!(
            "questions",
            "
delete from questions
where (namespace, token_unique_reference) in (select namespace, token_unique_reference from gone)
"
        ),
    ),
    (
        "reconcile_findings",
        over!(
            "what was found of them",
            "
delete from reconcile_findings
where (namespace, token_unique_reference) in (select namespace, token_unique_reference from gone)
"
        ),
    ),
    (
        "command_steps",
        over!(
            "steps of commands",
            "
delete from command_steps
where command_id in (
  select commands.id
  from gone
  join commands
    on commands.namespace = gone.namespace
    and commands.token_unique_reference = gone.token_unique_reference)
"
        ),
    ),
    (
        "commands",
        over!(
            "commands",
            "
delete from commands
where (namespace, token_unique_reference) in (select namespace, token_unique_reference from gone)
"
        ),
    ),
    (
        "links",
        over!(
            "links by MDES's name",
            "
delete from links
where token_unique_reference in (select token_unique_reference from gone where namespace = 'mdes')
"
        ),
    ),
    (
        "links",
        over!(
            "links by TokenEx's name",
            "
delete from links
where tokenex_token in (select token_unique_reference from gone where namespace = 'tokenex')
"
        ),
    ),
    (
        "quarantine",
        over!(
            "entries of quarantine about what only they are in",
            "
delete from quarantine
where notification_id in (
  select said.notification_id
  from gone
  join token_statements as said
    on said.namespace = gone.namespace
    and said.token_unique_reference = gone.token_unique_reference
  where not exists (
    select 1
    from token_statements as other
    where other.notification_id = said.notification_id
      and (other.namespace, other.token_unique_reference) not in (
        select namespace, token_unique_reference from gone)))
"
        ),
    ),
    (
        "notifications",
        over!(
            "notifications that speak of nobody else",
            "
delete from notifications
where id in (
  select said.notification_id
  from gone
  join token_statements as said
    on said.namespace = gone.namespace
    and said.token_unique_reference = gone.token_unique_reference
  where not exists (
    select 1
    from token_statements as other
    where other.notification_id = said.notification_id
      and (other.namespace, other.token_unique_reference) not in (
        select namespace, token_unique_reference from gone)))
"
        ),
    ),
];

/// What of the notifications was not erased.
pub(super) const SHARED: Sql = over!(
    "notifications that speak of others too",
    "
select count(distinct notifications.id)
from gone
join token_statements as said
  on said.namespace = gone.namespace
  and said.token_unique_reference = gone.token_unique_reference
join notifications on notifications.id = said.notification_id
"
);

/// By these it was found what else goes.
pub(super) const ERASE_LAST: [(&str, Sql); 3] = [
    (
        "token_statements",
        over!(
            "what was said of them",
            "
delete from token_statements
where (namespace, token_unique_reference) in (select namespace, token_unique_reference from gone)
"
        ),
    ),
    (
        "token_transitions",
        over!(
            "what changed",
            "
delete from token_transitions
where (namespace, token_unique_reference) in (select namespace, token_unique_reference from gone)
"
        ),
    ),
    (
        "tokens",
        over!(
            "the tokens",
            "
delete from tokens
where (namespace, token_unique_reference) in (select namespace, token_unique_reference from gone)
"
        ),
    ),
];
