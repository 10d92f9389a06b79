-- The console: who has logged in with a browser.
--
-- Why this table: a browser shows a session, not its operator's token, and any replica may be asked next; what is
-- taken from an operator is taken from their sessions too.

create table sessions (
  id_hash     bytea       primary key check (octet_length(id_hash) = 32),
  operator    text        not null references operators,
  created_at  timestamptz not null,
  expires_at  timestamptz not null
);

create index sessions_expires_at on sessions (expires_at);
create index sessions_operator on sessions (operator, created_at);

comment on table sessions is 'Who has logged in to the console';
comment on column sessions.id_hash is 'SHA-256 of what the browser''s cookie holds';
comment on column sessions.operator is 'Who';
comment on column sessions.created_at is 'Since when';
comment on column sessions.expires_at is 'Until when, unless they log out or their token is taken away';

update schema_info set version = 6;
