-- Tend: what the house does by itself to stay fit: it says what needs a person, and lets go of what is old.
--
-- Why these tables: see the Postgres migration of the same number; here in SQLite's words.

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

update schema_info set version = 7;
