-- Commands: what the merchant wants of a token, from the wish to its proof, and the names that a token has elsewhere.
--
-- Why these tables: a command is on disk before it is sent, and each step of it before the next, so that a crash
-- leaves the step before; who works on it holds a lease, not a lock. What has ended is in no index but that of its
-- token: looking for what is due, or whose token has moved, costs by what is open. A link joins names for reading;
-- nothing is merged.

create table commands (
  id                      uuid        primary key,
  namespace               text        collate "C" not null check (namespace in ('mdes', 'tokenex')),
  token_unique_reference  text        collate "C" not null,
  service                 text        not null check (service in ('mdes', 'tokenex')),
  target_token            text        collate "C" not null,
  target_reference_id     text        collate "C",
  target                  text        collate "C" not null,
  place                   bigint      not null check (place >= 1),
  action                  text        not null check (action in ('suspend', 'resume', 'delete')),
  forced                  boolean     not null,
  asked_by                text        not null,
  idempotency_key         text,
  waits                   boolean     not null,
  approved_by             text,
  stage                   text        not null check (stage in (
    'requested', 'sent', 'accepted', 'unknown', 'overdue', 'confirmed', 'refused', 'contradicted', 'superseded')),
  proof                   text        check (proof in ('ours', 'satisfied', 'held_by_others')),
  code                    text,
  why                     text        not null,
  sends                   bigint      not null default 0 check (sends >= 0),
  leased                  boolean     not null default false,
  claim                   integer     not null default 0 check (claim >= 0),
  seen                    jsonb       not null default '[]',
  body                    json        not null,
  answer                  json,
  created_at              timestamptz not null,
  updated_at              timestamptz not null,
  due_at                  timestamptz not null,
  settled_at              timestamptz,
  check ((settled_at is not null) = (stage in ('confirmed', 'refused', 'contradicted', 'superseded'))),
  check (not waits or (stage = 'requested' and approved_by is null and not leased)),
  check (settled_at is null or not leased)
)
-- Room for a row's next version on its own page.
with (fillfactor = 70);

create unique index commands_idempotency on commands (asked_by, idempotency_key) where idempotency_key is not null;
create index commands_token on commands (namespace, token_unique_reference, id);
-- The line of a network token, what is due, and what is asked for by whom: of what is open alone.
create unique index commands_target on commands (target, place) where settled_at is null;
create index commands_due on commands (due_at, id) where settled_at is null;
create index commands_asker on commands (asked_by) where settled_at is null;

comment on table commands is 'What the merchant wants of tokens, each as it stands now';
comment on column commands.id is 'Ours, in the order of asking';
comment on column commands.namespace is 'Whose reference the token''s is: mdes or tokenex';
comment on column commands.token_unique_reference is 'About which token, as who asked names it';
comment on column commands.service is 'Who carries it out: mdes or tokenex';
comment on column commands.target_token is 'The token, as that service names it; TokenEx''s may look like a card number';
comment on column commands.target_reference_id is 'TokenEx''s tokenReferenceId, where its token has several network tokens';
comment on column commands.target is 'Within what commands go one at a time, the network token: ["mdes", its tokenUniqueReference, null], or the service''s own name of it where no link says that one';
comment on column commands.place is 'Its place in its line; the open one with the least goes first';
comment on column commands.action is 'What is wanted: suspend, resume, delete';
comment on column commands.forced is 'It is sent even if it cannot work';
comment on column commands.asked_by is 'Who asked: an operator, or tokenex: and the id of a client of the served contract';
comment on column commands.idempotency_key is 'The asker''s own; the same key of the same asker is the same command';
comment on column commands.waits is 'It waits until another operator approves of it';
comment on column commands.approved_by is 'Who did';
comment on column commands.stage is 'Where it stands: requested, sent, accepted, unknown, overdue; or its end: confirmed, refused, contradicted, superseded';
comment on column commands.proof is 'How sure a confirmation is: ours, satisfied (perhaps another''s doing), held_by_others (resumed by us, not by them)';
comment on column commands.code is 'The service''s code for why, if it gave one';
comment on column commands.why is 'Why it stands where it does, for people; numbers masked';
comment on column commands.sends is 'How often it was sent';
comment on column commands.leased is 'It is being worked on, until due_at';
comment on column commands.claim is 'The number of the claim that works on it, or did last';
comment on column commands.seen is 'How far it has looked at its tokens'' changes: [[namespace, reference, sequence], …]';
comment on column commands.body is 'The receiver''s own memory of it, from which it decides what is next; do not edit';
comment on column commands.answer is 'The service''s own words to the newest attempt; numbers masked';
comment on column commands.created_at is 'When it was asked for';
comment on column commands.updated_at is 'When it last went on';
comment on column commands.due_at is 'When it is looked at next; of one that is being worked on, when the lease ends; of one that waits for approval, when it is refused';
comment on column commands.settled_at is 'When it came to its end; null while it is open';

create table command_steps (
  command_id  uuid        not null references commands,
  number      integer     not null check (number >= 1),
  stage       text        not null,
  why         text        not null,
  at          timestamptz not null,
  primary key (command_id, number)
);

comment on table command_steps is 'What each command went through; rows are only ever added';
comment on column command_steps.command_id is 'Which command';
comment on column command_steps.number is 'From 1, without gaps, within a command';
comment on column command_steps.stage is 'Where it stood after';
comment on column command_steps.why is 'Why, for people; numbers masked';
comment on column command_steps.at is 'When';

create table links (
  token_unique_reference  text        collate "C" not null,
  tokenex_token           text        collate "C" not null,
  token_reference_id      text        collate "C" check (token_reference_id <> ''),
  created_at              timestamptz not null
);

create unique index links_names on links (token_unique_reference, tokenex_token, coalesce(token_reference_id, ''));
create index links_tokenex on links (tokenex_token);

comment on table links is 'Names of one token with MDES and with TokenEx, joined for reading: three different things, never compared';
comment on column links.token_unique_reference is 'MDES''s tokenUniqueReference';
comment on column links.tokenex_token is 'TokenEx''s token; it may look like a card number';
comment on column links.token_reference_id is 'TokenEx''s tokenReferenceId, where its token has several network tokens';
comment on column links.created_at is 'When they were joined';

-- The tokens whose changes speak of a command: its own, and those linked to it. Where it is about one of several
-- network tokens of a TokenEx token, a link that names another is none of it, and neither is the TokenEx token's name
-- alone, which they all share.
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
    and commands.namespace = 'mdes'
    and commands.target_reference_id is null
    and links.token_reference_id is null
  union
  select commands.id, 'mdes', links.token_unique_reference, commands.seen
  from commands
  join links on links.tokenex_token = commands.token_unique_reference
  where commands.settled_at is null
    and commands.namespace = 'tokenex'
    and (commands.target_reference_id is null
      or links.token_reference_id is null
      or links.token_reference_id = commands.target_reference_id)
)
select command_id, namespace, token_unique_reference,
  coalesce((
    select max((looked ->> 2)::bigint)
    from jsonb_array_elements(spoken_of.seen) as looked
    where looked ->> 0 = spoken_of.namespace
      and looked ->> 1 = spoken_of.token_unique_reference), 0) as seen
from spoken_of;

comment on view command_tokens is 'Each open command with the tokens whose changes speak of it';
comment on column command_tokens.command_id is 'Which command';
comment on column command_tokens.namespace is 'Whose reference it is: mdes or tokenex';
comment on column command_tokens.token_unique_reference is 'Which token';
comment on column command_tokens.seen is 'The sequence up to which the command has looked at its changes';

-- What is said in answer to a question of ours applies only if the token has not moved since.
alter table token_statements drop constraint token_statements_verdict_check;
alter table token_statements add constraint token_statements_verdict_check
  check (verdict in ('advanced', 'unchanged', 'stale', 'untimed', 'anomaly', 'late', 'hinted')) not valid;

comment on column token_statements.verdict is 'What became of it: advanced (a transition), unchanged, stale, untimed, anomaly, late (an answer to a question of ours, after the token had moved), hinted (an unproven callback: asked after)';

comment on table notifications is 'What Mastercard sent, or a service answered us, and we could read, sealed; one row per notification, however often it was told';
comment on column notifications.peer is 'The name that the sender''s certificate bore; mdes or tokenex: it answered a request of ours';
comment on column notifications.peer_certificate is 'SHA-256 of the sender''s certificate, hex; or that there was none, since it answered a request of ours';

-- A program that cannot read the events of commands would park them.
update schema_info set version = 3, oldest_program = 3;
