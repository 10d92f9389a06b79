-- The outbox: what a merchant is told of each change, to whom it goes, and who may ask.
--
-- Why these tables: see the Postgres migration of the same number; here in SQLite's words. There is no bell:
-- one process holds the file.

alter table tokens add column merchant_reference      text check (instr(merchant_reference, char(0)) = 0);
alter table tokens add column registered_requestor_id text check (instr(registered_requestor_id, char(0)) = 0);
alter table tokens add column registered_status       text check (instr(registered_status, char(0)) = 0);
alter table tokens add column registered_at           text;

create index tokens_merchant_reference on tokens (merchant_reference) where merchant_reference is not null;

create table events_head (
  only_row  integer primary key default 1 check (only_row = 1),
  position  integer not null check (position >= 0)
) strict;

insert into events_head (position) values (0);

create table events (
  position                integer     primary key check (position >= 1),
  id                      text        not null unique,
  type                    text        not null,
  namespace               text,
  token_unique_reference  text,
  token_requestor_id      text,
  sequence                integer     check (sequence >= 0),
  stops                   integer     not null check (stops in (0, 1)),
  notification_id         text,
  token_index             integer     check (token_index >= 0),
  only_for                text,
  recorded_at             text        not null,
  body                    text        not null check (json_valid(body)),
  check ((namespace is null) = (token_unique_reference is null)),
  check ((notification_id is null) = (token_index is null))
) strict;

create index events_token on events (namespace, token_unique_reference, position);
create index events_recorded_at on events (recorded_at);

create table destinations (
  name           text        primary key,
  position       integer     not null check (position >= 0),
  snapshot       text,
  enrolled_at    text        not null,
  paused_at      text,
  paused_reason  text,
  check ((paused_at is null) = (paused_reason is null))
) strict;

create table deliveries (
  id              integer     primary key autoincrement,
  destination     text        not null,
  event_position  integer     not null,
  lane            text        not null,
  stops           integer     not null check (stops in (0, 1)),
  replayed        integer     not null check (replayed in (0, 1)),
  state           text        not null check (state in ('due', 'leased', 'parked', 'delivered', 'skipped')),
  waits           integer     not null check (waits in (0, 1)),
  attempts        integer     not null default 0 check (attempts >= 0),
  tries           integer     not null default 0 check (tries >= 0),
  due_at          text        not null,
  failing_since   text,
  out_of_order    integer     not null default 0 check (out_of_order in (0, 1)),
  attempted_at    text,
  answer_status   integer,
  answer          text,
  created_at      text        not null,
  settled_at      text,
  settled_by      text,
  check ((settled_at is null) = (state in ('due', 'leased', 'parked')))
) strict;

create unique index deliveries_event on deliveries (event_position, destination) where not replayed;
create index deliveries_first on deliveries (destination, due_at, id)
  where state in ('due', 'leased') and not waits and attempts = 0;
create index deliveries_again on deliveries (destination, due_at, id)
  where state in ('due', 'leased') and not waits and attempts > 0;
create index deliveries_lane on deliveries (destination, lane, id) where state in ('due', 'leased', 'parked');
create index deliveries_stops on deliveries (destination, lane, id)
  where state in ('due', 'leased', 'parked') and stops;
create index deliveries_parked on deliveries (destination) where state = 'parked';
create index deliveries_failing on deliveries (destination, created_at)
  where state in ('due', 'leased', 'parked') and failing_since is not null;

create table operators (
  name        text        primary key,
  role        text        not null,
  token_hash  blob       not null unique check (length(token_hash) = 32),
  created_at  text        not null,
  expires_at  text        not null,
  revoked_at  text
) strict;

-- A program that tells nobody of what it records must not record any more.
update schema_info set version = 2, oldest_program = 2;
