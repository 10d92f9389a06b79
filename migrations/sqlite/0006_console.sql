-- The console: who has logged in with a browser.
--
-- Why this table: see the Postgres migration of the same number; here in SQLite's words.

create table sessions (
  id_hash     blob not null primary key check (length(id_hash) = 32),
  operator    text not null references operators,
  created_at  text not null,
  expires_at  text not null
) strict, without rowid;

create index sessions_expires_at on sessions (expires_at);
create index sessions_operator on sessions (operator, created_at);

update schema_info set version = 6;
