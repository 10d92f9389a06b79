//! The statements of `record`, whole, in both dialects.
//!
//! Each takes a whole batch (arrays on Postgres, one JSON text on SQLite; see `store::batch`) and unfolds it,
//! so that a batch of a hundred costs as many statements as a batch of one.

use crate::store::session::Sql;

pub(super) const INSERT_NOTIFICATIONS: Sql = Sql {
    postgres: "\
-- record: the notifications that are new, in the order of their identity; of two equal ones the first
insert into notifications
  (id, request_id, content_hash, received_at, peer, organization,
   peer_address, peer_certificate, sealed_by, key, flags, sealed_body)
select
  id, request_id, content_hash, received_at, peer, organization,
  peer_address, peer_certificate, sealed_by, key, array(select json_array_elements_text(flags::json)), sealed_body
from unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) with ordinality as told (
  id, request_id, content_hash, received_at, peer, organization,
  peer_address, peer_certificate, sealed_by, key, flags, sealed_body, place)
order by request_id collate \"C\", content_hash, place
on conflict do nothing
returning id
",
    sqlite: "\
-- record: the notifications that are new, in the order of their identity; of two equal ones the first
insert into notifications
  (id, request_id, content_hash, received_at, peer, organization,
   peer_address, peer_certificate, sealed_by, key, flags, sealed_body)
select
  value ->> 'id', value ->> 'request_id', unhex(value ->> 'content_hash'),
  value ->> 'received_at', value ->> 'peer', value ->> 'organization',
  value ->> 'peer_address', value ->> 'peer_certificate', value ->> 'sealed_by',
  value ->> 'key', value -> 'flags', unhex(value ->> 'sealed_body')
from json_each($1) as told
where true
order by told.key
on conflict do nothing
returning id
",
};

pub(super) const COUNT_NOTIFICATIONS: Sql = Sql {
    postgres: "\
-- record: count notifications told again on the first telling
with first as (
  select notifications.id, again.times
  from unnest($1, $2, $3) as again (request_id, content_hash, times)
  join notifications
    on notifications.request_id = again.request_id
    and notifications.content_hash = again.content_hash
  order by notifications.id
  for update of notifications
)
update notifications
set repeats = repeats + first.times
from first
where notifications.id = first.id
returning notifications.id, notifications.request_id, notifications.content_hash
",
    sqlite: "\
-- record: count notifications told again on the first telling
update notifications
set repeats = repeats + (again.value ->> 'times')
from json_each($1) as again
where request_id = again.value ->> 'request_id'
  and content_hash = unhex(again.value ->> 'content_hash')
returning id, request_id, content_hash
",
};

pub(super) const HEARD: Sql = Sql {
    postgres: "\
-- record: which statements the journal holds within the retry window
select
  journal.namespace, journal.token_unique_reference, journal.statement_hash, received_at,
  notification_id, token_index
from unnest($1, $2, $3, $4, $5) as asked (namespace, token_unique_reference, statement_hash, since, until)
join token_statements as journal
  on journal.namespace = asked.namespace
  and journal.token_unique_reference = asked.token_unique_reference
  and journal.statement_hash = asked.statement_hash
where received_at between since and until
  and verdict <> 'late'
",
    sqlite: "\
-- record: which statements the journal holds within the retry window
select
  journal.namespace, journal.token_unique_reference, statement_hash, received_at, notification_id, token_index
from json_each($1) as asked
join token_statements as journal
  on journal.namespace = value ->> 'namespace'
  and journal.token_unique_reference = value ->> 'token_unique_reference'
  and statement_hash = unhex(value ->> 'statement_hash')
where received_at between value ->> 'since' and value ->> 'until'
  and verdict <> 'late'
",
};

pub(super) const UPDATE_TOKENS: Sql = Sql {
    postgres: "\
-- record: the tokens as they are now
update tokens
set
  token_requestor_id = now.token_requestor_id,
  status = now.status,
  suspended_by = array(select json_array_elements_text(now.suspended_by::json)),
  status_at = now.status_at,
  reason_code = now.reason_code,
  token_info = now.token_info::jsonb,
  product_config = now.product_config::jsonb,
  sequence = now.sequence,
  provisional = now.provisional,
  doubts = array(select json_array_elements_text(now.doubts::json)),
  number_notification_id = now.number_notification_id,
  state = now.state::json,
  updated_at = now.updated_at
from unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15) as now (
  namespace, token_unique_reference, token_requestor_id, status, suspended_by, status_at, reason_code,
  token_info, product_config, sequence, provisional, doubts, number_notification_id, state, updated_at)
where tokens.namespace = now.namespace
  and tokens.token_unique_reference = now.token_unique_reference
",
    sqlite: "\
-- record: the tokens as they are now
update tokens
set
  token_requestor_id = value ->> 'token_requestor_id',
  status = value ->> 'status',
  suspended_by = value -> 'suspended_by',
  status_at = value ->> 'status_at',
  reason_code = value ->> 'reason_code',
  token_info = value -> 'token_info',
  product_config = value -> 'product_config',
  sequence = value ->> 'sequence',
  provisional = value ->> 'provisional',
  doubts = value -> 'doubts',
  number_notification_id = value ->> 'number_notification_id',
  state = value -> 'state',
  updated_at = value ->> 'updated_at'
from json_each($1) as now
where tokens.namespace = value ->> 'namespace'
  and tokens.token_unique_reference = value ->> 'token_unique_reference'
",
};

pub(super) const INSERT_STATEMENTS: Sql = Sql {
    postgres: "\
-- record: what was said, in the journal
insert into token_statements
  (notification_id, token_index, statement_hash, namespace, token_unique_reference, verdict, sequence,
   status, status_at, reason_code, flags, unrecognized, repeats, received_at)
select
  notification_id, token_index, statement_hash, namespace, token_unique_reference, verdict, sequence,
  status, status_at, reason_code, array(select json_array_elements_text(flags::json)), unrecognized::jsonb,
  repeats, received_at
from unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) as said (
  notification_id, token_index, statement_hash, namespace, token_unique_reference, verdict, sequence,
  status, status_at, reason_code, flags, unrecognized, repeats, received_at)
",
    sqlite: "\
-- record: what was said, in the journal
insert into token_statements
  (notification_id, token_index, statement_hash, namespace, token_unique_reference, verdict, sequence,
   status, status_at, reason_code, flags, unrecognized, repeats, received_at)
select
  value ->> 'notification_id', value ->> 'token_index', unhex(value ->> 'statement_hash'),
  value ->> 'namespace', value ->> 'token_unique_reference', value ->> 'verdict', value ->> 'sequence',
  value ->> 'status', value ->> 'status_at', value ->> 'reason_code', value -> 'flags',
  value -> 'unrecognized', value ->> 'repeats', value ->> 'received_at'
from json_each($1)
",
};

pub(super) const COUNT_STATEMENTS: Sql = Sql {
    postgres: "\
-- record: count statements heard again on the journal's line (the tokens' locks order this)
update token_statements as journal
set repeats = repeats + again.times
from unnest($1, $2, $3, $4) as again (notification_id, token_index, statement_hash, times)
where journal.notification_id = again.notification_id
  and journal.token_index = again.token_index
  and journal.statement_hash = again.statement_hash
",
    sqlite: "\
-- record: count statements heard again on the journal's line
update token_statements
set repeats = repeats + (value ->> 'times')
from json_each($1) as again
where notification_id = value ->> 'notification_id'
  and token_index = value ->> 'token_index'
  and statement_hash = unhex(value ->> 'statement_hash')
",
};

pub(super) const INSERT_TRANSITIONS: Sql = Sql {
    postgres: "\
-- record: what changed
insert into token_transitions
  (namespace, token_unique_reference, sequence, kind, from_status, to_status, status_at, reason_code,
   changes, notification_id, recorded_at)
select
  namespace, token_unique_reference, sequence, kind, from_status, to_status, status_at, reason_code,
  changes::jsonb, notification_id, recorded_at
from unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) as changed (
  namespace, token_unique_reference, sequence, kind, from_status, to_status, status_at, reason_code,
  changes, notification_id, recorded_at)
",
    sqlite: "\
-- record: what changed
insert into token_transitions
  (namespace, token_unique_reference, sequence, kind, from_status, to_status, status_at, reason_code,
   changes, notification_id, recorded_at)
select
  value ->> 'namespace', value ->> 'token_unique_reference', value ->> 'sequence', value ->> 'kind',
  value ->> 'from_status', value ->> 'to_status', value ->> 'status_at', value ->> 'reason_code',
  value -> 'changes', value ->> 'notification_id', value ->> 'recorded_at'
from json_each($1)
",
};

pub(super) const INSERT_UNREADABLE: Sql = Sql {
    postgres: "\
-- record: the tokens that could not be read, pointing at the sealed body
insert into quarantine
  (id, received_at, peer, organization, peer_address, peer_certificate, body_bytes, sealed_by,
   notification_id, token_index, reason, detail, keys_tried)
select
  id, received_at, peer, organization, peer_address, peer_certificate, body_bytes, sealed_by,
  notification_id, token_index, 'unreadable_token', detail, ''
from unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) as unreadable (
  id, received_at, peer, organization, peer_address, peer_certificate, body_bytes, sealed_by,
  notification_id, token_index, detail)
on conflict do nothing
",
    sqlite: "\
-- record: the tokens that could not be read, pointing at the sealed body
insert into quarantine
  (id, received_at, peer, organization, peer_address, peer_certificate, body_bytes, sealed_by,
   notification_id, token_index, reason, detail, keys_tried)
select
  value ->> 'id', value ->> 'received_at', value ->> 'peer', value ->> 'organization',
  value ->> 'peer_address', value ->> 'peer_certificate', value ->> 'body_bytes', value ->> 'sealed_by',
  value ->> 'notification_id', value ->> 'token_index', 'unreadable_token', value ->> 'detail', ''
from json_each($1)
where true
on conflict do nothing
",
};
