-- The inbox: what Mastercard said, what it made of each token, and what could not be read.
--
-- Why these tables: see the Postgres migration of the same number; here in SQLite's words.
-- An id is its text, a time is UTC text to the microsecond (so that texts sort as times),
-- a list or an object is JSON text, a yes or no is 1 or 0.
--
-- A NUL ends a text early for whoever reads it through C, so that it is refused, as Postgres refuses it.

create table notifications (
  id                  text    primary key,
  request_id          text    not null check (instr(request_id, char(0)) = 0),
  content_hash        blob    not null check (length(content_hash) = 32),
  received_at         text    not null,
  peer                text    not null,
  organization        text,
  peer_address        text    not null,
  peer_certificate    text    not null,
  sealed_by           text    not null check (sealed_by in ('sender', 'us')),
  key                 text    not null,
  flags               text    not null check (json_valid(flags)),
  repeats             integer not null default 0 check (repeats >= 0),
  -- The bulk comes last, so that the other columns are read without it.
  sealed_body         blob    not null
) strict;

-- Two tellings are one notification if their content and Mastercard's requestId agree.
create unique index notifications_identity
  on notifications (request_id, content_hash);
create index notifications_received_at on notifications (received_at);

create table tokens (
  namespace               text    not null check (namespace in ('mdes', 'tokenex')),
  token_unique_reference  text    not null check (instr(token_unique_reference, char(0)) = 0),
  token_requestor_id      text    check (instr(token_requestor_id, char(0)) = 0),
  status                  text    check (instr(status, char(0)) = 0),
  suspended_by            text    not null default '[]' check (json_valid(suspended_by)),
  status_at               text,
  reason_code             text    check (instr(reason_code, char(0)) = 0),
  token_info              text    not null default '{}' check (json_valid(token_info)),
  product_config          text    not null default '{}' check (json_valid(product_config)),
  sequence                integer not null default 0 check (sequence >= 0),
  provisional             integer not null default 0 check (provisional in (0, 1)),
  doubts                  text    not null default '[]' check (json_valid(doubts)),
  number_notification_id  text,
  -- The receiver's own memory of how the columns came to be; do not edit.
  state                   text    check (json_valid(state)),
  updated_at              text    not null,
  primary key (namespace, token_unique_reference),
  check (provisional = (json_array_length(doubts) > 0))
) strict, without rowid;

create index tokens_requestor on tokens (token_requestor_id);
create index tokens_provisional on tokens (namespace, token_unique_reference) where provisional;

create table token_transitions (
  namespace               text    not null,
  token_unique_reference  text    not null,
  sequence                integer not null check (sequence >= 1),
  kind                    text    not null check (kind in ('status', 'suspenders', 'metadata')),
  from_status             text,
  to_status               text,
  status_at               text,
  reason_code             text    check (instr(reason_code, char(0)) = 0),
  changes                 text    not null check (json_valid(changes)),
  notification_id         text    not null,
  recorded_at             text    not null,
  primary key (namespace, token_unique_reference, sequence),
  foreign key (namespace, token_unique_reference) references tokens
) strict, without rowid;

create index token_transitions_recorded_at on token_transitions (recorded_at);

create table token_statements (
  notification_id         text    not null,
  token_index             integer not null check (token_index >= 0),
  statement_hash          blob    not null check (length(statement_hash) = 32),
  namespace               text    not null,
  token_unique_reference  text    not null,
  verdict                 text    not null check (verdict in ('advanced', 'unchanged', 'stale', 'untimed', 'anomaly')),
  sequence                integer check (sequence >= 1),
  status                  text    check (instr(status, char(0)) = 0),
  status_at               text,
  reason_code             text    check (instr(reason_code, char(0)) = 0),
  flags                   text    not null check (json_valid(flags)),
  unrecognized            text    not null check (json_valid(unrecognized)),
  repeats                 integer not null check (repeats >= 0),
  received_at             text    not null,
  primary key (notification_id, token_index, statement_hash),
  foreign key (namespace, token_unique_reference) references tokens,
  check ((sequence is not null) = (verdict = 'advanced'))
) strict, without rowid;

-- Finds a statement heard before, and by its first columns everything heard of a token.
create index token_statements_heard
  on token_statements (namespace, token_unique_reference, statement_hash, received_at);

create table quarantine (
  id               text    primary key,
  received_at      text    not null,
  peer             text    not null,
  organization     text,
  peer_address     text    not null,
  peer_certificate text    not null,
  body_bytes       integer not null check (body_bytes >= 0),
  sealed_by        text    not null check (sealed_by in ('sender', 'us')),
  notification_id  text,
  token_index      integer check (token_index >= 0),
  reason           text    not null check (instr(reason, char(0)) = 0),
  detail           text    not null check (instr(detail, char(0)) = 0),
  keys_tried       text    not null,
  tries            integer not null default 0 check (tries >= 0),
  resolved_at      text,
  resolution       text    check (instr(resolution, char(0)) = 0),
  body             blob,
  check ((notification_id is null) = (token_index is null)),
  check ((body is null) = (notification_id is not null)),
  check ((resolved_at is null) = (resolution is null))
) strict;

create index quarantine_open on quarantine (reason, id) where resolved_at is null;
-- A token that cannot be read has one open entry, however often it is tried.
create unique index quarantine_open_token on quarantine (notification_id, token_index) where resolved_at is null;

-- Which programs may run on this schema; one row. A program is named by the schema version it knows.
create table schema_info (
  only_row        integer primary key default 1 check (only_row = 1),
  version         integer not null,
  oldest_program  integer not null
) strict;

insert into schema_info (version, oldest_program) values (1, 1);
