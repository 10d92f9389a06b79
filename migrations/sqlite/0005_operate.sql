-- Operate: who did what and why, and how a person finds a token.
--
-- Why this table: see the Postgres migration of the same number; here in SQLite's words.

create table audit (
  id         text  primary key,
  at         text  not null,
  who        text  not null check (instr(who, char(0)) = 0),
  role       text,
  came_from  text  not null check (instr(came_from, char(0)) = 0),
  what       text  not null,
  about      text  not null check (instr(about, char(0)) = 0),
  why        text  check (instr(why, char(0)) = 0),
  outcome    text  not null check (instr(outcome, char(0)) = 0)
) strict;

create trigger audit_stays_as_it_is before update on audit
begin
  select raise(abort, 'the audit is only ever added to');
end;

-- What replaces a row deletes it without asking the trigger below.
create trigger audit_adds before insert on audit
when exists (select 1 from audit where id = new.id)
begin
  select raise(abort, 'the audit is only ever added to');
end;

create trigger audit_stays before delete on audit
begin
  select raise(abort, 'the audit is only ever added to');
end;

create index audit_about on audit (about, id);

drop index tokens_requestor;
create index tokens_requestor on tokens (token_requestor_id, namespace, token_unique_reference);
create index tokens_status on tokens (status, coalesce(status_at, '0001-01-01T00:00:00.000000Z'), namespace, token_unique_reference);
create index tokens_status_at on tokens (status_at, namespace, token_unique_reference) where status_at is not null;
create index tokens_token_suffix on tokens (token_info ->> 'tokenPanSuffix', namespace, token_unique_reference)
  where token_info ->> 'tokenPanSuffix' is not null;
create index tokens_account_suffix on tokens (token_info ->> 'accountPanSuffix', namespace, token_unique_reference)
  where token_info ->> 'accountPanSuffix' is not null;

update schema_info set version = 5;
