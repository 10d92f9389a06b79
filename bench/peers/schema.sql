-- What a peer keeps: the least that does the same job.
create table notification (
  id           bigint      generated always as identity primary key,
  request_id   text        not null unique,
  received_at  timestamptz not null default now(),
  body         text        not null
);
create table token (
  reference     text        primary key,
  requestor     text,
  status        text,
  suspended_by  text[]      not null default '{}',
  status_at     timestamptz,
  updated_at    timestamptz not null default now()
);
create table transition (
  id               bigint      generated always as identity primary key,
  reference        text        not null references token,
  notification_id  bigint      not null references notification,
  from_status      text,
  to_status        text,
  status_at        timestamptz,
  recorded_at      timestamptz not null default now()
);
create index transition_reference on transition (reference);
