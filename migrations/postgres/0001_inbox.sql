-- The inbox: what Mastercard said, what it made of each token, and what could not be read.
--
-- Why these tables: a notification is kept sealed, as it came, so that anything can be read again;
-- a token is one row that a merchant may query; its applied changes stand in order beside it, for
-- whoever wants to be told of them; everything else that was said is in the journal.
--
-- No foreign key points at notifications: they are the bulk, and one day go by age, while the
-- history of a token stays.

create table notifications (
  id                  uuid        primary key,
  request_id          text        not null,
  content_hash        bytea       not null check (octet_length(content_hash) = 32),
  received_at         timestamptz not null,
  peer                text        not null,
  organization        text,
  peer_address        text        not null,
  peer_certificate    text        not null,
  sealed_by           text        not null check (sealed_by in ('sender', 'us')),
  key                 text        not null,
  sealed_body         bytea       not null,
  flags               text[]      not null,
  repeats             bigint      not null default 0 check (repeats >= 0)
);

-- Two tellings are one notification if their content and Mastercard's requestId agree.
create unique index notifications_identity
  on notifications (request_id, content_hash);
create index notifications_received_at on notifications (received_at);

-- Ciphertext does not compress, and one page read is cheaper than two.
alter table notifications alter column sealed_body set storage external;
alter table notifications set (toast_tuple_target = 8160);

comment on table notifications is 'What Mastercard sent and we could read, sealed as it came; one row per notification, however often it was told';
comment on column notifications.id is 'Our id, in the order of receipt';
comment on column notifications.request_id is 'Mastercard''s requestId, verbatim; ours if it was missing. The answer carried it as responseId';
comment on column notifications.content_hash is 'Keyed hash of the decrypted content; with request_id it tells repeats';
comment on column notifications.received_at is 'When its last byte came in';
comment on column notifications.peer is 'The name that the sender''s certificate bore';
comment on column notifications.organization is 'The organization whose entry admitted that certificate, if it has a name';
comment on column notifications.peer_address is 'Where the connection came from';
comment on column notifications.peer_certificate is 'SHA-256 of the sender''s certificate, hex';
comment on column notifications.sealed_by is 'sender: it rests as it came; us: it came unsealed and we sealed it';
comment on column notifications.key is 'SHA-256 of the public half of the key that opens it, hex; `mdes-receiver keys reseal` moves it to a newer one';
comment on column notifications.sealed_body is 'The sealed body; `mdes-receiver inspect` opens it';
comment on column notifications.flags is 'What was odd about the whole';
comment on column notifications.repeats is 'How often it was told again';

create table tokens (
  namespace               text        collate "C" not null check (namespace in ('mdes', 'tokenex')),
  token_unique_reference  text        collate "C" not null,
  token_requestor_id      text,
  status                  text,
  suspended_by            text[]      not null default '{}',
  status_at               timestamptz,
  reason_code             text,
  token_info              jsonb       not null default '{}',
  product_config          jsonb       not null default '{}',
  sequence                bigint      not null default 0 check (sequence >= 0),
  provisional             boolean     not null default false,
  doubts                  text[]      not null default '{}',
  number_notification_id  uuid,
  state                   json,
  updated_at              timestamptz not null,
  primary key (namespace, token_unique_reference),
  check (provisional = (cardinality(doubts) > 0))
)
-- Room for a row's next version on its own page, so that a change need not touch the indexes.
with (fillfactor = 70);

create index tokens_requestor on tokens (token_requestor_id);
create index tokens_provisional on tokens (namespace, token_unique_reference) where provisional;

comment on table tokens is 'Each token as it stands now';
comment on column tokens.namespace is 'Whose reference it is: mdes or tokenex';
comment on column tokens.token_unique_reference is 'MDES''s tokenUniqueReference, verbatim';
comment on column tokens.token_requestor_id is 'The token requestor (TRID) it belongs to, if that was ever said';
comment on column tokens.status is 'MDES''s word, verbatim: INACTIVE, ACTIVE, SUSPENDED, DEACTIVATED, or one we do not know (then not chargeable). Null: nothing was said of it';
comment on column tokens.suspended_by is 'Who suspended it, in MDES''s words, verbatim';
comment on column tokens.status_at is 'When the status became what it is, as the network says; null if it did not say';
comment on column tokens.reason_code is 'The eventReasonCode that came with the status, verbatim';
comment on column tokens.token_info is 'tokenInfo, field by field the latest that was said; numbers masked';
comment on column tokens.product_config is 'productConfig, field by field the latest that was said';
comment on column tokens.sequence is 'How many changes were applied: the sequence of its newest transition, 0 before the first';
comment on column tokens.provisional is 'What stands here may not be the truth and is worth asking after; doubts say why';
comment on column tokens.doubts is 'Why it is provisional: tie, untimed, from_the_future, deactivated_out_of_order, repeated_across, woke_after_deactivation';
comment on column tokens.number_notification_id is 'The notification whose sealed body holds the token''s current number';
comment on column tokens.state is 'The receiver''s own memory of how the columns came to be, from which it decides the next statement; do not edit. json, so that it comes back as it was written';
comment on column tokens.updated_at is 'When this row last changed';

create table token_transitions (
  namespace               text        collate "C" not null,
  token_unique_reference  text        collate "C" not null,
  sequence                bigint      not null check (sequence >= 1),
  kind                    text        not null check (kind in ('status', 'suspenders', 'metadata')),
  from_status             text,
  to_status               text,
  status_at               timestamptz,
  reason_code             text,
  changes                 jsonb       not null,
  notification_id         uuid        not null,
  recorded_at             timestamptz not null,
  primary key (namespace, token_unique_reference, sequence),
  foreign key (namespace, token_unique_reference) references tokens
);

create index token_transitions_recorded_at on token_transitions (recorded_at);

comment on table token_transitions is 'Every applied change of a token, in order: one row per statement that changed something';
comment on column token_transitions.namespace is 'Whose reference it is: mdes or tokenex';
comment on column token_transitions.token_unique_reference is 'Of which token';
comment on column token_transitions.sequence is 'From 1, without gaps, within a token';
comment on column token_transitions.kind is 'The most that changed: status, else suspenders, else metadata';
comment on column token_transitions.from_status is 'The status before; null at first sight';
comment on column token_transitions.to_status is 'The status after';
comment on column token_transitions.status_at is 'When the status became what it is, as the network says';
comment on column token_transitions.reason_code is 'The eventReasonCode that came with this statement, verbatim';
comment on column token_transitions.changes is 'Everything that changed: [{field, from, to}]; numbers masked';
comment on column token_transitions.notification_id is 'Which notification said so';
comment on column token_transitions.recorded_at is 'When it was recorded';

create table token_statements (
  notification_id         uuid        not null,
  token_index             integer     not null check (token_index >= 0),
  statement_hash          bytea       not null check (octet_length(statement_hash) = 32),
  namespace               text        collate "C" not null,
  token_unique_reference  text        collate "C" not null,
  verdict                 text        not null check (verdict in ('advanced', 'unchanged', 'stale', 'untimed', 'anomaly')),
  sequence                bigint      check (sequence >= 1),
  status                  text,
  status_at               timestamptz,
  reason_code             text,
  flags                   text[]      not null,
  unrecognized            jsonb       not null,
  repeats                 bigint      not null check (repeats >= 0),
  received_at             timestamptz not null,
  primary key (notification_id, token_index, statement_hash),
  foreign key (namespace, token_unique_reference) references tokens,
  check ((sequence is not null) = (verdict = 'advanced'))
);

-- Finds a statement heard before, and by its first columns everything heard of a token.
create index token_statements_heard
  on token_statements (namespace, token_unique_reference, statement_hash, received_at);

comment on table token_statements is 'The journal: everything said of a token, applied or not; a repeat within the retry window is counted on the first';
comment on column token_statements.notification_id is 'In which notification';
comment on column token_statements.token_index is 'Its place in tokens[], from 0';
comment on column token_statements.statement_hash is 'Keyed hash of what it said, by which a repeat is known';
comment on column token_statements.namespace is 'Whose reference it is: mdes or tokenex';
comment on column token_statements.token_unique_reference is 'About which token';
comment on column token_statements.verdict is 'What became of it: advanced (a transition), unchanged, stale, untimed, anomaly';
comment on column token_statements.sequence is 'The transition it made; null unless advanced';
comment on column token_statements.status is 'The status it stated, verbatim';
comment on column token_statements.status_at is 'The statusTimestamp it stated';
comment on column token_statements.reason_code is 'The eventReasonCode it stated, verbatim';
comment on column token_statements.flags is 'What was odd about it';
comment on column token_statements.unrecognized is 'Fields that we do not know, verbatim but for masked numbers';
comment on column token_statements.repeats is 'How often it was heard again within the retry window';
comment on column token_statements.received_at is 'When it was first received';

create table quarantine (
  id               uuid        primary key,
  received_at      timestamptz not null,
  peer             text        not null,
  organization     text,
  peer_address     text        not null,
  peer_certificate text        not null,
  body             bytea,
  body_bytes       bigint      not null check (body_bytes >= 0),
  sealed_by        text        not null check (sealed_by in ('sender', 'us')),
  notification_id  uuid,
  token_index      integer     check (token_index >= 0),
  reason           text        not null,
  detail           text        not null,
  keys_tried       text        not null,
  tries            bigint      not null default 0 check (tries >= 0),
  resolved_at      timestamptz,
  resolution       text,
  check ((notification_id is null) = (token_index is null)),
  check ((body is null) = (notification_id is not null)),
  check ((resolved_at is null) = (resolution is null))
);

alter table quarantine alter column body set storage external;

create index quarantine_open on quarantine (reason, id) where resolved_at is null;
-- A token that cannot be read has one open entry, however often it is tried.
create unique index quarantine_open_token on quarantine (notification_id, token_index) where resolved_at is null;

comment on table quarantine is 'What could not be used, kept until it is read after all or set aside';
comment on column quarantine.id is 'Our id, in the order of receipt';
comment on column quarantine.received_at is 'When its last byte came in';
comment on column quarantine.peer is 'The name that the sender''s certificate bore';
comment on column quarantine.organization is 'The organization whose entry admitted that certificate, if it has a name';
comment on column quarantine.peer_address is 'Where the connection came from';
comment on column quarantine.peer_certificate is 'SHA-256 of the sender''s certificate, hex';
comment on column quarantine.body is 'The body, sealed; null for one token of a notification, whose sealed body notification_id points to';
comment on column quarantine.body_bytes is 'How many bytes came; more than rest here if the body was over the limit';
comment on column quarantine.sealed_by is 'sender: it rests as it came; us: it came unsealed and we sealed it';
comment on column quarantine.notification_id is 'For one token of a notification: which notification';
comment on column quarantine.token_index is 'For one token of a notification: its place in tokens[], from 0';
comment on column quarantine.reason is 'Why: an MDES reason code, or a word of ours';
comment on column quarantine.detail is 'Which step failed; holds nothing of the content';
comment on column quarantine.keys_tried is 'The ring of keys that was tried; empty if no key would help';
comment on column quarantine.tries is 'How often it was tried again in vain';
comment on column quarantine.resolved_at is 'When it was read after all or set aside; null while it is open';
comment on column quarantine.resolution is 'How it was resolved';

create table schema_info (
  only_row        boolean primary key default true check (only_row),
  version         bigint  not null,
  oldest_program  bigint  not null
);

comment on table schema_info is 'Which programs may run on this schema; one row';
comment on column schema_info.only_row is 'Keeps it to one row';
comment on column schema_info.version is 'The schema''s version: the number of its newest migration';
comment on column schema_info.oldest_program is 'The oldest program that may run on it, named by the schema version which that program knows';

insert into schema_info (version, oldest_program) values (1, 1);
