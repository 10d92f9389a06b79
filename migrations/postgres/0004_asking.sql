-- Asking: the questions that are open, the reconciles, what may have been missed, and card art.
--
-- Why these tables: a token in doubt has one question until the doubt is gone; a reconcile is one row whose cursor
-- says how far it is, so that a crash costs one page; a gap is a time in which a notification may have been missed.
-- Who works on one of them holds a lease, not a lock. No foreign key points at tokens: it would lock a token's row,
-- and receiving does not wait for a question.

create table questions (
  namespace               text        collate "C" not null,
  token_unique_reference  text        collate "C" not null,
  asks                    integer     not null default 0 check (asks >= 0),
  finding                 text        check (finding in (
    'agrees', 'repaired', 'differs', 'moved', 'not_there', 'unanswered')),
  why                     text,
  given_up                boolean     not null default false,
  claim                   integer     not null default 0 check (claim >= 0),
  opened_at               timestamptz not null,
  due_at                  timestamptz not null,
  settled_at              timestamptz,
  primary key (namespace, token_unique_reference)
)
-- Room for a row's next version on its own page.
with (fillfactor = 70);

create index questions_due on questions (namespace, due_at, token_unique_reference);
create index questions_given_up on questions (namespace, token_unique_reference) where given_up;

comment on table questions is 'The tokens that are in doubt and asked after, each until the doubt is gone';
comment on column questions.namespace is 'Whose reference it is: mdes or tokenex';
comment on column questions.token_unique_reference is 'About which token';
comment on column questions.asks is 'How often it was asked in vain';
comment on column questions.finding is 'What came of the newest asking; null: it was not asked yet';
comment on column questions.why is 'The same for people; numbers masked';
comment on column questions.given_up is 'It was asked in vain too often and needs a person; it is asked again all the same, seldom';
comment on column questions.claim is 'The number of the claim that asks, or did last';
comment on column questions.opened_at is 'When the doubt was met';
comment on column questions.settled_at is 'When it was last asked to its end; null: it was not, or is being asked. A token that moved since is asked after anew';
comment on column questions.due_at is 'When it is asked next; while it is being asked, when the lease ends';

create table reconciles (
  id                 uuid        primary key,
  cause              text        not null check (cause in ('person', 'schedule', 'gap')),
  asked_by           text        not null,
  namespaces         text[]      not null,
  since              timestamptz,
  dry_run            boolean     not null,
  total              bigint      check (total >= 0),
  agrees             bigint      not null default 0,
  repaired           bigint      not null default 0,
  differs            bigint      not null default 0,
  moved              bigint      not null default 0,
  not_there          bigint      not null default 0,
  unanswered         bigint      not null default 0,
  cursor_namespace   text,
  cursor_reference   text        collate "C",
  claim              integer     not null default 0 check (claim >= 0),
  leased_until       timestamptz not null,
  created_at         timestamptz not null,
  updated_at         timestamptz not null,
  ended_at           timestamptz,
  stopped            boolean     not null default false,
  check ((cursor_namespace is null) = (cursor_reference is null)),
  check (not stopped or ended_at is not null)
);

create index reconciles_open on reconciles (id) where ended_at is null;
create unique index reconciles_scheduled on reconciles (cause) where ended_at is null and cause = 'schedule';
create index reconciles_schedule on reconciles (created_at) where cause = 'schedule';

comment on table reconciles is 'Comparisons of what we hold with what the network says, each as far as it is';
comment on column reconciles.id is 'Ours, in the order of asking';
comment on column reconciles.cause is 'Why: person, schedule, gap';
comment on column reconciles.asked_by is 'Who asked for it';
comment on column reconciles.namespaces is 'Whose references: those whose service was configured when it was asked for';
comment on column reconciles.since is 'It asks only about tokens of which nothing was recorded since then; null: about all';
comment on column reconciles.dry_run is 'It looks and changes nothing';
comment on column reconciles.total is 'How many tokens there were to ask about when it began; at most a million are counted; null: it has not begun';
comment on column reconciles.agrees is 'How many are as we hold them, or as they were registered if nothing was heard of them before';
comment on column reconciles.repaired is 'How many were not, and are now';
comment on column reconciles.differs is 'How many are not, and stay so: a dry run, or the state rules do not take it yet';
comment on column reconciles.moved is 'How many moved while we asked';
comment on column reconciles.not_there is 'How many the service does not know';
comment on column reconciles.unanswered is 'How many nobody answered for';
comment on column reconciles.cursor_namespace is 'It is after this token: whose reference';
comment on column reconciles.cursor_reference is 'It is after this token';
comment on column reconciles.claim is 'The number of the claim that works on it, or did last';
comment on column reconciles.leased_until is 'Until when somebody works on it';
comment on column reconciles.created_at is 'When it was asked for';
comment on column reconciles.updated_at is 'When it last went on';
comment on column reconciles.ended_at is 'When it ended; null while it is open';
comment on column reconciles.stopped is 'It was stopped before it was through';

create table reconcile_findings (
  reconcile_id            uuid        not null references reconciles on delete cascade,
  namespace               text        collate "C" not null,
  token_unique_reference  text        collate "C" not null,
  finding                 text        not null check (finding in (
    'agrees', 'repaired', 'differs', 'moved', 'not_there', 'unanswered')),
  held                    text,
  seen                    text,
  seen_at                 timestamptz,
  notification_id         uuid,
  sequence                bigint      not null check (sequence >= 0),
  why                     text        not null,
  at                      timestamptz not null,
  primary key (reconcile_id, namespace, token_unique_reference)
);

comment on table reconcile_findings is 'What reconciles found that was not as we held it; at most 10,000 of each';
comment on column reconcile_findings.reconcile_id is 'Which reconcile';
comment on column reconcile_findings.namespace is 'Whose reference it is: mdes or tokenex';
comment on column reconcile_findings.token_unique_reference is 'About which token';
comment on column reconcile_findings.finding is 'What: repaired, differs, moved, not_there, unanswered';
comment on column reconcile_findings.held is 'The status that we held';
comment on column reconcile_findings.seen is 'The status that the network says';
comment on column reconcile_findings.seen_at is 'Since when, by the network';
comment on column reconcile_findings.notification_id is 'The answer, as recorded';
comment on column reconcile_findings.sequence is 'The token''s sequence after it';
comment on column reconcile_findings.why is 'The same for people; numbers masked';
comment on column reconcile_findings.at is 'When';

create table gaps (
  id            uuid        primary key,
  missed        text        not null check (missed in ('downtime', 'refused', 'unavailable')),
  peer          text        not null,
  reason        text        not null,
  count         bigint      not null check (count >= 1),
  from_at       timestamptz not null,
  until_at      timestamptz not null,
  closed_at     timestamptz,
  reconcile_id  uuid        references reconciles,
  check (from_at <= until_at),
  check (reconcile_id is null or closed_at is not null)
);

create unique index gaps_open on gaps (missed, peer) where closed_at is null;

comment on table gaps is 'Times in which a notification may have been missed';
comment on column gaps.id is 'Ours, in the order in which they were opened';
comment on column gaps.missed is 'How: downtime (no replica was here), refused (one who bears a known name was not let in), unavailable (503)';
comment on column gaps.peer is 'Whose notifications: the name on the certificate; empty: anybody''s';
comment on column gaps.reason is 'The newest reason, in one word';
comment on column gaps.count is 'How many misses';
comment on column gaps.from_at is 'The first';
comment on column gaps.until_at is 'The last';
comment on column gaps.closed_at is 'When it had been quiet for long enough; null: it is open';
comment on column gaps.reconcile_id is 'The reconcile that it began';

create table presence (
  replica  text        collate "C" primary key,
  here_at  timestamptz not null
)
with (fillfactor = 50);

comment on table presence is 'When each replica was last here, so that a time without any is known';
comment on column presence.replica is 'Its name: a new one for each start';
comment on column presence.here_at is 'When it last said so';

create table assets (
  id            text        collate "C" not null,
  namespace     text        collate "C" not null check (namespace in ('mdes', 'tokenex')),
  place         integer     not null check (place >= 0),
  content_type  text        not null,
  body          bytea       not null,
  width         integer     check (width >= 0),
  height        integer     check (height >= 0),
  fetched_at    timestamptz not null,
  primary key (namespace, id, place)
);

-- Pictures do not compress.
alter table assets alter column body set storage external;

comment on table assets is 'Card art and texts, by their ids: what an id names never changes, so that it is fetched once';
comment on column assets.id is 'MDES''s asset id, or TokenEx''s asset GUID';
comment on column assets.namespace is 'Whose id it is: mdes or tokenex';
comment on column assets.place is 'Its place among the media of that id, from 0';
comment on column assets.content_type is 'What it is, as the network says';
comment on column assets.body is 'It';
comment on column assets.width is 'In pixels, if it was said';
comment on column assets.height is 'In pixels, if it was said';
comment on column assets.fetched_at is 'When it was fetched';

comment on column tokens.doubts is 'Why it is provisional: tie, untimed, from_the_future, deactivated_out_of_order, repeated_across, woke_after_deactivation, unrecognized, hinted, several_network_tokens, number_missing';

-- An older program would not know the new doubts in a token's state.
update schema_info set version = 4, oldest_program = 4;
