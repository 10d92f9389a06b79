-- Tend: what the house does by itself to stay fit: it says what needs a person, and lets go of what is old.
--
-- Why these tables: see the Postgres migration of the same number; here in SQLite's words.

create table alarms (
  alert      text    not null check (instr(alert, char(0)) = 0),
  about      text    not null check (instr(about, char(0)) = 0),
  id         text    not null,
  says       text    not null check (instr(says, char(0)) = 0),
  count      integer not null check (count >= 1),
  raised_at  text    not null,
  seen_at    text    not null,
  primary key (alert, about)
) strict, without rowid;

create table heard (
  hour        text    not null primary key,
  heard_at    text    not null,
  pause_secs  integer not null check (pause_secs >= 0),
  check (heard_at >= hour)
) strict, without rowid;

create table watch (
  only_row   integer not null primary key default 1 check (only_row = 1),
  since      text    not null,
  looked_at  text    not null
) strict, without rowid;

create table named_assets (
  id  text not null primary key check (instr(id, char(0)) = 0)
) strict, without rowid;

insert into named_assets (id)
select distinct value
from tokens, json_each(json_array(
  product_config ->> 'brandLogoAssetId',
  product_config ->> 'issuerLogoAssetId',
  product_config ->> 'coBrandLogoAssetId',
  product_config ->> 'cardBackgroundCombinedAssetId',
  product_config ->> 'cardBackgroundAssetId',
  product_config ->> 'iconAssetId'))
where namespace = 'mdes'
  and typeof(value) = 'text';

create table retention (
  only_row      integer primary key default 1 check (only_row = 1),
  claim         integer not null default 0 check (claim >= 0),
  leased_until  text    not null default '2000-01-01T00:00:00.000000Z',
  ended_at      text,
  events_gone   integer not null default 0 check (events_gone >= 0)
) strict;

insert into retention (claim) values (0);

create index tokens_number on tokens (number_notification_id) where number_notification_id is not null;
create index deliveries_replayed on deliveries (event_position) where replayed;
create index gaps_reconcile on gaps (reconcile_id) where reconcile_id is not null;

create index commands_waiting on commands (id) where settled_at is null and waits;
create index commands_overdue on commands (id) where settled_at is null and stage = 'overdue';

update schema_info set version = 7, oldest_program = 7;
