-- Tend: what the house does by itself to stay fit: it says what needs a person, and lets go of what is old.

-- Retention: one row, so that one replica at a time lets go of what is old. The events that went by age leave a trace,
-- so that a reader whose cursor is before them is told, though one that somebody still waits for may stay among them.
create table retention (
  only_row      boolean     primary key default true check (only_row),
  claim         integer     not null default 0 check (claim >= 0),
  leased_until  timestamptz not null default '2000-01-01T00:00:00Z',
  ended_at      timestamptz,
  events_gone   bigint      not null default 0 check (events_gone >= 0)
);

insert into retention (claim) values (0);

comment on table retention is 'Who lets go of what is old, and how far that came; one row';
comment on column retention.only_row is 'Keeps it to one row';
comment on column retention.claim is 'How often it was taken up; whoever holds an earlier claim has lost it';
comment on column retention.leased_until is 'Until then whoever took it up may be at work';
comment on column retention.ended_at is 'When all of it was last looked through';
comment on column retention.events_gone is 'The highest position of an event that went by age; a cursor before it has missed something';

-- Which notifications hold a token's current number, without a look at every token.
create index tokens_number on tokens (number_notification_id) where number_notification_id is not null;
-- What goes with its event, and which gaps hold a reconcile. Few, and not on the way of receiving.
create index deliveries_replayed on deliveries (event_position) where replayed;
create index gaps_reconcile on gaps (reconcile_id) where reconcile_id is not null;

update schema_info set version = 7;
