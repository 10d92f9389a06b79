-- Operate: who did what and why, and how a person finds a token.
--
-- Why this table: an act and the entry that tells of it are one transaction where the act is one; else the entry is
-- there before the act begins. Nobody changes an entry, or takes one away, not by accident either: a trigger refuses
-- it. Why these indexes: a person looks for a token by what stands on a receipt, by its status, or by when that became
-- so, and does not wait while ten million are read. A change of status pays for two of them; a metadata notice that
-- changes no suffix pays for none.

create table audit (
  id         uuid        primary key,
  at         timestamptz not null,
  who        text        collate "C" not null,
  role       text,
  came_from  text        not null,
  what       text        collate "C" not null,
  about      text        collate "C" not null,
  why        text,
  outcome    text        not null
);

comment on table audit is 'Every act of a person and every look at a token''s number; rows are only ever added';
comment on column audit.id is 'Ours, in the order of time';
comment on column audit.at is 'When';
comment on column audit.who is 'The operator''s name, or command line';
comment on column audit.role is 'What the operator''s role was then; null on the command line';
comment on column audit.came_from is 'The address that asked, or the user of the command line';
comment on column audit.what is 'The act: token.reveal, delivery.skip …';
comment on column audit.about is 'About what: a token as namespace:reference, a destination''s name, an id …; numbers masked';
comment on column audit.why is 'The reason that was given; numbers masked';
comment on column audit.outcome is 'What became of it; begun: more than one transaction, and an entry with the end follows';

create function mdes_receiver_audit_stays() returns trigger language plpgsql as $$
begin
  raise exception 'the audit is only ever added to' using errcode = 'restrict_violation';
end
$$;

create trigger audit_stays before update or delete or truncate on audit
  for each statement execute function mdes_receiver_audit_stays();

create index audit_about on audit (about, id);

comment on column operators.role is 'What they may do: charger asks what may be charged, viewer looks, operator looks and acts, revealer looks and sees numbers';

-- The same column first as before; behind it the order in which a page is read.
drop index tokens_requestor;
create index tokens_requestor on tokens (token_requestor_id, namespace, token_unique_reference);
create index tokens_status on tokens (status, (coalesce(status_at, '0001-01-01T00:00:00Z'::timestamptz)), namespace, token_unique_reference);
create index tokens_status_at on tokens (status_at, namespace, token_unique_reference) where status_at is not null;
create index tokens_token_suffix on tokens ((token_info ->> 'tokenPanSuffix'), namespace, token_unique_reference)
  where token_info ->> 'tokenPanSuffix' is not null;
create index tokens_account_suffix on tokens ((token_info ->> 'accountPanSuffix'), namespace, token_unique_reference)
  where token_info ->> 'accountPanSuffix' is not null;

update schema_info set version = 5;
