//! The statements of [`super`], in the order in which what points at something goes before it.

use crate::store::session::Sql;

/// A statement over the tokens that go, in both dialects: `gone (namespace, token_unique_reference)`. What stands behind
/// the semicolon is for Postgres alone.
macro_rules! over {
    ($says:literal, $($sql:literal)+ $(; $postgres:literal)?) => {
        Sql {
            postgres: concat!(
                "-- erase: ",
                $says,
                "\nwith gone (namespace, token_unique_reference) as (\n  select * from unnest($1::text[], $2::text[]))",
                $($sql,)+
                $($postgres,)?
            ),
            sqlite: concat!(
                "-- erase: ",
                $says,
                "\nwith gone (namespace, token_unique_reference) as (\n  select value ->> 'namespace', value ->> 'token_unique_reference' from json_each($1))",
                $($sql,)+
            ),
        }
    };
}

/// All rows of a table that bear the tokens' own names.
macro_rules! named {
    ($table:literal, $says:literal $($and:literal)?) => {
        (
            $table,
            over!(
                $says,
                "\ndelete from "
                $table
                "
where (namespace, token_unique_reference) in (select namespace, token_unique_reference from gone)
"
                $($and)?
            ),
        )
    };
}

/// Deliveries of their events.
macro_rules! delivered {
    ($says:literal, $which:literal) => {
        (
            "deliveries",
            over!(
                $says,
                "
delete from deliveries
where "
                $which
                "
  and event_position in (
    select position
    from gone
    join events
      on events.namespace = gone.namespace
      and events.token_unique_reference = gone.token_unique_reference)
"
            ),
        )
    };
}

/// What belongs to notifications that speak of nobody else.
macro_rules! alone {
    ($table:literal, $notification:literal, $says:literal) => {
        (
            $table,
            over!(
                $says,
                "\ndelete from "
                $table
                "\nwhere "
                $notification
                " in (
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
        )
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
";
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

/// Each with its table; what stands in one table may take several. A command that was ordered since [`HELD`] stays, with its
/// steps: it may be on its way.
pub(super) const ERASE: [(&str, Sql); 11] = [
    // Two, since each has an index of its own.
    delivered!("deliveries", "not replayed"),
    delivered!("deliveries that were asked for again", "replayed"),
    named!("events", "events"),
    named!("questions", "questions"),
    named!("reconcile_findings", "what was found of them"),
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
    and commands.token_unique_reference = gone.token_unique_reference
  where commands.settled_at is not null)
"
        ),
    ),
    named!("commands", "commands" "and settled_at is not null\n"),
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
    alone!(
        "quarantine",
        "notification_id",
        "entries of quarantine about what only they are in"
    ),
    alone!("notifications", "id", "notifications that speak of nobody else"),
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
    named!("token_statements", "what was said of them"),
    named!("token_transitions", "what changed"),
    named!("tokens", "the tokens"),
];
