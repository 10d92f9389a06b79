-- Asking: the questions that are open, the reconciles, what may have been missed, and card art.
--
-- Why these tables: see the Postgres migration of the same number; here in SQLite's words.

create table questions (
  namespace               text    not null,
  token_unique_reference  text    not null check (instr(token_unique_reference, char(0)) = 0),
  asks                    integer not null default 0 check (asks >= 0),
  finding                 text    check (finding in (
    'agrees', 'repaired', 'differs', 'moved', 'not_there', 'unanswered')),
  why                     text    check (instr(why, char(0)) = 0),
  given_up                integer not null default 0 check (given_up in (0, 1)),
  claim                   integer not null default 0 check (claim >= 0),
  opened_at               text    not null,
  due_at                  text    not null,
  settled_at              text,
  primary key (namespace, token_unique_reference)
) strict, without rowid;

create index questions_due on questions (namespace, due_at, token_unique_reference);
create index questions_given_up on questions (namespace, token_unique_reference) where given_up;

create table reconciles (
  id                 text    primary key,
  cause              text    not null check (cause in ('person', 'schedule', 'gap')),
  asked_by           text    not null check (instr(asked_by, char(0)) = 0),
  namespaces         text    not null check (json_valid(namespaces)),
  since              text,
  dry_run            integer not null check (dry_run in (0, 1)),
  total              integer check (total >= 0),
  agrees             integer not null default 0,
  repaired           integer not null default 0,
  differs            integer not null default 0,
  moved              integer not null default 0,
  not_there          integer not null default 0,
  unanswered         integer not null default 0,
  cursor_namespace   text,
  cursor_reference   text    check (instr(cursor_reference, char(0)) = 0),
  claim              integer not null default 0 check (claim >= 0),
  leased_until       text    not null,
  created_at         text    not null,
  updated_at         text    not null,
  ended_at           text,
  stopped            integer not null default 0 check (stopped in (0, 1)),
  check ((cursor_namespace is null) = (cursor_reference is null)),
  check (not stopped or ended_at is not null)
) strict;

create index reconciles_open on reconciles (id) where ended_at is null;
create unique index reconciles_scheduled on reconciles (cause) where ended_at is null and cause = 'schedule';
create index reconciles_schedule on reconciles (created_at) where cause = 'schedule';

create table reconcile_findings (
  reconcile_id            text    not null references reconciles on delete cascade,
  namespace               text    not null,
  token_unique_reference  text    not null check (instr(token_unique_reference, char(0)) = 0),
  finding                 text    not null check (finding in (
    'agrees', 'repaired', 'differs', 'moved', 'not_there', 'unanswered')),
  held                    text    check (instr(held, char(0)) = 0),
  seen                    text    check (instr(seen, char(0)) = 0),
  seen_at                 text,
  notification_id         text,
  sequence                integer not null check (sequence >= 0),
  why                     text    not null check (instr(why, char(0)) = 0),
  at                      text    not null,
  primary key (reconcile_id, namespace, token_unique_reference)
) strict, without rowid;

create table gaps (
  id            text    primary key,
  missed        text    not null check (missed in ('downtime', 'refused', 'unavailable')),
  peer          text    not null check (instr(peer, char(0)) = 0),
  reason        text    not null check (instr(reason, char(0)) = 0),
  count         integer not null check (count >= 1),
  from_at       text    not null,
  until_at      text    not null,
  closed_at     text,
  reconcile_id  text    references reconciles,
  check (from_at <= until_at),
  check (reconcile_id is null or closed_at is not null)
) strict;

create unique index gaps_open on gaps (missed, peer) where closed_at is null;

create table presence (
  replica  text not null primary key,
  here_at  text not null
) strict;

create table assets (
  id            text    not null check (instr(id, char(0)) = 0),
  namespace     text    not null check (namespace in ('mdes', 'tokenex')),
  place         integer not null check (place >= 0),
  content_type  text    not null check (instr(content_type, char(0)) = 0),
  body          blob    not null,
  width         integer check (width >= 0),
  height        integer check (height >= 0),
  fetched_at    text    not null,
  primary key (namespace, id, place)
) strict;

-- An older program would not know the new doubts in a token's state.
update schema_info set version = 4, oldest_program = 4;
