-- The outbox: what a merchant is told of each change, to whom it goes, and who may ask.
--
-- Why these tables: an event is written in the transaction that records its change, under a position that is
-- counted up under a lock just before the commit, so that the order of positions is the order of commits:
-- whoever has read up to a position has missed nothing before it. A destination is a cursor over that order.
-- What a destination has not taken yet is a delivery; nothing of this is a burden on receiving but the events.

alter table tokens
  add column merchant_reference      text,
  add column registered_requestor_id text,
  add column registered_status       text,
  add column registered_at           timestamptz;

create index tokens_merchant_reference on tokens (merchant_reference) where merchant_reference is not null;

comment on column tokens.merchant_reference is 'The merchant''s own reference for the card or customer, as registered';
comment on column tokens.registered_requestor_id is 'The token requestor (TRID), as registered';
comment on column tokens.registered_status is 'The status that the merchant knew of when it registered the token';
comment on column tokens.registered_at is 'When the merchant registered it; null: nobody did';

-- Receiving pays for these on every row. What they held up is held by the one verb that writes there: it has the token's
-- row locked. An index of blocks is enough for going by age, since times rise with the rows.
alter table token_transitions drop constraint token_transitions_namespace_token_unique_reference_fkey;
alter table token_statements drop constraint token_statements_namespace_token_unique_reference_fkey;
drop index notifications_received_at;
create index notifications_received_at on notifications using brin (received_at);
drop index token_transitions_recorded_at;
create index token_transitions_recorded_at on token_transitions using brin (recorded_at);

create table events_head (
  only_row  boolean primary key default true check (only_row),
  position  bigint  not null check (position >= 0)
);

insert into events_head (position) values (0);

comment on table events_head is 'The position of the newest event; its lock makes the order of positions the order of commits';
comment on column events_head.only_row is 'Keeps it to one row';
comment on column events_head.position is 'The newest event''s';

create table events (
  position                bigint      primary key check (position >= 1),
  id                      uuid        not null unique,
  type                    text        not null,
  namespace               text        collate "C",
  token_unique_reference  text        collate "C",
  token_requestor_id      text,
  sequence                bigint      check (sequence >= 0),
  stops                   boolean     not null,
  notification_id         uuid,
  token_index             integer     check (token_index >= 0),
  only_for                text,
  recorded_at             timestamptz not null,
  body                    json        not null,
  check ((namespace is null) = (token_unique_reference is null)),
  check ((notification_id is null) = (token_index is null))
);

create index events_token on events (namespace, token_unique_reference, position);
-- Small, since times rise with positions.
create index events_recorded_at on events using brin (recorded_at);

comment on table events is 'What a merchant is told, in the order of commits; rows are only ever added. A log-based reader may follow it';
comment on column events.position is 'From 1; without gaps but for what has gone by age. The order of commits';
comment on column events.id is 'The event''s own id; the same on every attempt and every replay';
comment on column events.type is 'What happened: token.suspended …; docs/events has them all';
comment on column events.namespace is 'Whose reference it is: mdes or tokenex; null: it speaks of no token';
comment on column events.token_unique_reference is 'About which token';
comment on column events.token_requestor_id is 'The token requestor (TRID) whose token it is, if that is known';
comment on column events.sequence is 'The token''s version after it';
comment on column events.stops is 'It keeps a merchant from charging a dead token, so that it may overtake what is stuck';
comment on column events.notification_id is 'Which notification said so; its sealed body may hold the token''s number';
comment on column events.token_index is 'The place in its tokens[], from 0';
comment on column events.only_for is 'The one destination that it is for; null: for everyone who asked';
comment on column events.recorded_at is 'When it was recorded';
comment on column events.body is 'The event as it leaves: {id, type, version, timestamp, data}; docs/events has its schema';

-- A bell for who waits in another process; what it rings for is found by looking.
create function mdes_receiver_ring() returns trigger language plpgsql as $$
begin
  perform pg_notify('mdes_receiver_events', '');
  return null;
end
$$;

create trigger events_ring after insert on events for each statement execute function mdes_receiver_ring();

create table destinations (
  name           text        primary key,
  position       bigint      not null check (position >= 0),
  snapshot       text,
  enrolled_at    timestamptz not null,
  paused_at      timestamptz,
  paused_reason  text,
  check ((paused_at is null) = (paused_reason is null))
);

comment on table destinations is 'Who is told: each one''s place in the order of events. What it is, the configuration says';
comment on column destinations.name is 'As the configuration calls it';
comment on column destinations.position is 'The newest event that was looked at for it: what it asked for up to here is in deliveries';
comment on column destinations.snapshot is 'The token up to which its first snapshot of all tokens has come; null: done, or none asked for';
comment on column destinations.enrolled_at is 'When it was first met';
comment on column destinations.paused_at is 'Since when nothing is sent to it; events go on accruing';
comment on column destinations.paused_reason is 'Why: it answered 410, or a person said so';

create table deliveries (
  id              bigint      generated always as identity primary key,
  destination     text        not null,
  event_position  bigint      not null,
  lane            text        collate "C" not null,
  stops           boolean     not null,
  replayed        boolean     not null,
  state           text        not null check (state in ('due', 'leased', 'parked', 'delivered', 'skipped')),
  waits           boolean     not null,
  attempts        integer     not null default 0 check (attempts >= 0),
  tries           integer     not null default 0 check (tries >= 0),
  due_at          timestamptz not null,
  failing_since   timestamptz,
  out_of_order    boolean     not null default false,
  attempted_at    timestamptz,
  answer_status   integer,
  answer          text,
  created_at      timestamptz not null,
  settled_at      timestamptz,
  settled_by      text,
  check ((settled_at is null) = (state in ('due', 'leased', 'parked')))
)
-- Room for a row's next version on its own page.
with (fillfactor = 70);

create unique index deliveries_event on deliveries (event_position, destination) where not replayed;
-- First tries and further tries apart, so that neither hides behind a crowd of the other; what waits is in neither.
create index deliveries_first on deliveries (destination, due_at, id)
  where state in ('due', 'leased') and not waits and attempts = 0;
create index deliveries_again on deliveries (destination, due_at, id)
  where state in ('due', 'leased') and not waits and attempts > 0;
create index deliveries_lane on deliveries (destination, lane, id) where state in ('due', 'leased', 'parked');
create index deliveries_stops on deliveries (destination, lane, id)
  where state in ('due', 'leased', 'parked') and stops;
-- For who looks at destinations: what waits for a person, and since when anything fails. What goes well is in neither.
create index deliveries_parked on deliveries (destination) where state = 'parked';
create index deliveries_failing on deliveries (destination, created_at)
  where state in ('due', 'leased', 'parked') and failing_since is not null;

comment on table deliveries is 'Each event on its way to each destination that asked for it';
comment on column deliveries.id is 'Ours, counted up; the order within a lane';
comment on column deliveries.destination is 'To whom';
comment on column deliveries.event_position is 'Which event';
comment on column deliveries.lane is 'What is kept in order: the token, as its namespace and reference; or the event itself, if it speaks of no token';
comment on column deliveries.stops is 'It may overtake what is stuck: as the event''s, but never a replayed one';
comment on column deliveries.replayed is 'It goes once more because someone asked for it';
comment on column deliveries.state is 'due, leased (being sent), parked (waits for a person, and its lane with it), delivered, skipped (by a person)';
comment on column deliveries.waits is 'An earlier one of its lane is open, and it may not overtake it: it is not looked at until that one is settled';
comment on column deliveries.attempts is 'How often it was sent, or begun to be; the number of the attempt that holds the lease';
comment on column deliveries.tries is 'How many attempts failed since the schedule of retries began, which it does anew when a person retries it';
comment on column deliveries.due_at is 'When it may be sent next, unless it waits; of a leased one, when the lease ends';
comment on column deliveries.failing_since is 'When the first of its attempts failed; null: none did';
comment on column deliveries.out_of_order is 'Its newest attempt overtook earlier ones of its lane';
comment on column deliveries.attempted_at is 'When the newest attempt ended';
comment on column deliveries.answer_status is 'The HTTP status of the newest answer, if there was one';
comment on column deliveries.answer is 'The newest answer or error, cut and masked';
comment on column deliveries.created_at is 'When it was found that the destination asked for it';
comment on column deliveries.settled_at is 'When it was delivered or skipped';
comment on column deliveries.settled_by is 'Who skipped it, and why';

create table operators (
  name        text        primary key,
  role        text        not null,
  token_hash  bytea       not null unique check (octet_length(token_hash) = 32),
  created_at  timestamptz not null,
  expires_at  timestamptz not null,
  revoked_at  timestamptz
);

comment on table operators is 'Who may ask the admin API';
comment on column operators.name is 'By which the log and the audit call them';
comment on column operators.role is 'What they may do: viewer looks, operator acts';
comment on column operators.token_hash is 'SHA-256 of their bearer token';
comment on column operators.created_at is 'Since when';
comment on column operators.expires_at is 'Until when';
comment on column operators.revoked_at is 'When they were told to go';

-- A program that tells nobody of what it records must not record any more.
update schema_info set version = 2, oldest_program = 2;
