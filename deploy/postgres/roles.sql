-- Two roles: one that makes the tables, and one that the receiver runs as, which can change none of them.
-- Once, by a superuser, in the receiver's database; then give each a password (`\password mdes_receiver_migrate`), or
-- let pg_hba.conf admit it by its certificate.

create role mdes_receiver_migrate login;
create role mdes_receiver login;

-- Nobody else makes anything here.
revoke create on schema public from public;
grant usage, create on schema public to mdes_receiver_migrate;
grant usage on schema public to mdes_receiver;
