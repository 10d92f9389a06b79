-- Tend: what the house does by itself to stay fit: it says what needs a person, and lets go of what is old.

-- What needs a person. Why these tables: an alarm is one row for all replicas as long as it holds, so that it is told once
-- when it is raised and once when it is cleared; what is usual is read off one row for each hour in which something came,
-- which costs receiving nothing and stays when notifications go by age; and somebody must be seen to look, since where
-- nobody does, no alarm says nothing.

create table alarms (
  alert      text        collate "C" not null,
  about      text        collate "C" not null,
  id         uuid        not null,
  says       text        not null,
  count      bigint      not null check (count >= 1),
  raised_at  timestamptz not null,
  seen_at    timestamptz not null,
  primary key (alert, about)
)
-- Room for a row's next version on its own page.
with (fillfactor = 70);

comment on table alarms is 'What needs a person now; a row goes when nobody sees it any more. What was, stands in events (ops.…)';
comment on column alarms.alert is 'Which: the name of its alert and of its entry in the runbook';
comment on column alarms.about is 'Of what: a destination''s name, a file, a word of ours; empty if there is only one such thing';
comment on column alarms.id is 'Ours, in the order in which they were raised';
comment on column alarms.says is 'What is so, in one sentence, as it was last seen';
comment on column alarms.count is 'How many things, as it was last seen';
comment on column alarms.raised_at is 'Since when';
comment on column alarms.seen_at is 'When a replica last saw it';

create table heard (
  hour        timestamptz primary key,
  heard_at    timestamptz not null,
  pause_secs  bigint      not null check (pause_secs >= 0),
  check (heard_at >= hour)
)
with (fillfactor = 70);

comment on table heard is 'The hours of the last two weeks in which a notification of Mastercard''s came, by which a silence is known to be unusual';
comment on column heard.hour is 'Which';
comment on column heard.heard_at is 'When the last one of it came, as far as it is on disk';
comment on column heard.pause_secs is 'The longest pause that ended in it, in seconds';

create table watch (
  only_row   boolean     primary key default true check (only_row),
  since      timestamptz not null,
  looked_at  timestamptz not null
)
with (fillfactor = 70);

comment on table watch is 'Who looks after what needs a person; no row: nobody ever did';
comment on column watch.only_row is 'Keeps it to one row';
comment on column watch.since is 'When a replica looked for the first time';
comment on column watch.looked_at is 'When a replica last did';

-- Which card art may be fetched: what some token named. Beside the tokens, since an index of six fields of theirs would
-- cost every change of a status.
create table named_assets (
  id  text collate "C" primary key
);

comment on table named_assets is 'Assets that the card art of some MDES token names, or named';
comment on column named_assets.id is 'MDES''s id of the asset';

insert into named_assets (id)
select distinct id
from tokens
cross join lateral (
  values
    (product_config ->> 'brandLogoAssetId'),
    (product_config ->> 'issuerLogoAssetId'),
    (product_config ->> 'coBrandLogoAssetId'),
    (product_config ->> 'cardBackgroundCombinedAssetId'),
    (product_config ->> 'cardBackgroundAssetId'),
    (product_config ->> 'iconAssetId')
) as named (id)
where namespace = 'mdes'
  and id is not null;

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

-- What the alarms count, whatever else waits beside it. Few.
-- Not by its time: that would cost every update of every token its place on the page.
create index tokens_woken on tokens (namespace, token_unique_reference) where provisional and 'woke_after_deactivation' = any (doubts);
create index commands_waiting on commands (id) where settled_at is null and waits;
create index commands_overdue on commands (id) where settled_at is null and stage = 'overdue';

update schema_info set version = 7, oldest_program = 7;
