-- Tend: what the house does by itself to stay fit: it says what needs a person, and lets go of what is old.
--
-- Why these tables: see the Postgres migration of the same number; here in SQLite's words.

update schema_info set version = 7;
