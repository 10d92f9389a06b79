-- Commands: what the merchant wants of a token, from the wish to its proof, and the names that a token has elsewhere.
--
-- Why these tables: see the Postgres migration of the same number; here in SQLite's words.

create table commands (
  id                      text        primary key,
  namespace               text        not null check (namespace in ('mdes', 'tokenex')),
  token_unique_reference  text        not null check (instr(token_unique_reference, char(0)) = 0),
  service                 text        not null check (service in ('mdes', 'tokenex')),
  target_token            text        not null check (instr(target_token, char(0)) = 0),
  target_reference_id     text        check (instr(target_reference_id, char(0)) = 0),
  target                  text        not null,
  place                   integer     not null check (place >= 1),
  action                  text        not null check (action in ('suspend', 'resume', 'delete')),
  forced                  integer     not null check (forced in (0, 1)),
  asked_by                text        not null check (instr(asked_by, char(0)) = 0),
  idempotency_key         text        check (instr(idempotency_key, char(0)) = 0),
  waits                   integer     not null check (waits in (0, 1)),
  approved_by             text        check (instr(approved_by, char(0)) = 0),
  stage                   text        not null check (stage in (
    'requested', 'sent', 'accepted', 'unknown', 'overdue', 'confirmed', 'refused', 'contradicted', 'superseded')),
  proof                   text        check (proof in ('ours', 'satisfied', 'held_by_others')),
  code                    text        check (instr(code, char(0)) = 0),
  why                     text        not null check (instr(why, char(0)) = 0),
  sends                   integer     not null default 0 check (sends >= 0),
  leased                  integer     not null default 0 check (leased in (0, 1)),
  claim                   integer     not null default 0 check (claim >= 0),
  seen                    text        not null default '[]' check (json_valid(seen)),
  body                    text        not null check (json_valid(body)),
  answer                  text        check (answer is null or json_valid(answer)),
  created_at              text        not null,
  updated_at              text        not null,
  due_at                  text        not null,
  settled_at              text,
  check ((settled_at is not null) = (stage in ('confirmed', 'refused', 'contradicted', 'superseded'))),
  check (not waits or (stage = 'requested' and approved_by is null and not leased)),
  check (settled_at is null or not leased)
) strict;

create unique index commands_idempotency on commands (asked_by, idempotency_key) where idempotency_key is not null;
create index commands_token on commands (namespace, token_unique_reference, id);
create unique index commands_target on commands (target, place) where settled_at is null;
create index commands_due on commands (due_at, id) where settled_at is null;
create index commands_asker on commands (asked_by) where settled_at is null;

create table command_steps (
  command_id  text        not null references commands,
  number      integer     not null check (number >= 1),
  stage       text        not null,
  why         text        not null check (instr(why, char(0)) = 0),
  at          text        not null,
  primary key (command_id, number)
) strict;

create table links (
  token_unique_reference  text        not null check (instr(token_unique_reference, char(0)) = 0),
  tokenex_token           text        not null check (instr(tokenex_token, char(0)) = 0),
  token_reference_id      text        check (token_reference_id <> '' and instr(token_reference_id, char(0)) = 0),
  created_at              text        not null
) strict;

create unique index links_names on links (token_unique_reference, tokenex_token, coalesce(token_reference_id, ''));
create index links_tokenex on links (tokenex_token);

-- The sign keeps to what is open: an index of all there ever was is no help.
create view command_tokens as
with spoken_of as (
  select id as command_id, namespace, token_unique_reference, seen
  from commands
  where settled_at is null
    and (namespace = 'mdes' or target_reference_id is null)
  union
  select commands.id, 'tokenex', links.tokenex_token, commands.seen
  from commands
  join links on links.token_unique_reference = commands.token_unique_reference
  where commands.settled_at is null
    and +commands.namespace = 'mdes'
    and commands.target_reference_id is null
    and links.token_reference_id is null
  union
  select commands.id, 'mdes', links.token_unique_reference, commands.seen
  from commands
  join links on links.tokenex_token = commands.token_unique_reference
  where commands.settled_at is null
    and +commands.namespace = 'tokenex'
    and (commands.target_reference_id is null
      or links.token_reference_id is null
      or links.token_reference_id = commands.target_reference_id)
)
select command_id, namespace, token_unique_reference,
  coalesce((
    select max(looked.value ->> 2)
    from json_each(spoken_of.seen) as looked
    where looked.value ->> 0 = spoken_of.namespace
      and looked.value ->> 1 = spoken_of.token_unique_reference), 0) as seen
from spoken_of;

-- What is said in answer to a question of ours applies only if the token has not moved since. A check is changed by
-- making its table anew.
create table token_statements_new (
  notification_id         text    not null,
  token_index             integer not null check (token_index >= 0),
  statement_hash          blob    not null check (length(statement_hash) = 32),
  namespace               text    not null,
  token_unique_reference  text    not null,
  verdict                 text    not null check (verdict in ('advanced', 'unchanged', 'stale', 'untimed', 'anomaly', 'late', 'hinted')),
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

insert into token_statements_new select * from token_statements;
drop table token_statements;
alter table token_statements_new rename to token_statements;

-- Finds a statement heard before, and by its first columns everything heard of a token.
create index token_statements_heard
  on token_statements (namespace, token_unique_reference, statement_hash, received_at);

-- A program that cannot read the events of commands would park them.
update schema_info set version = 3, oldest_program = 3;
