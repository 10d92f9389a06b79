-- What the receiver may do as mdes_receiver. By mdes_receiver_migrate, after each `mdes-receiver migrate`.

-- Which version the schema has, and views: looked at, never written.
grant select on schema_info, command_tokens to mdes_receiver;

-- Added to, never changed: a trigger says so too, but whoever owns a table may drop its triggers.
grant select, insert on audit to mdes_receiver;

-- One row each, which is there from the first.
grant select, update on events_head, retention to mdes_receiver;

-- What is heard, held and told, until retention or an erasure lets go of it.
grant select, insert, update, delete on
  notifications, tokens, token_transitions, token_statements, quarantine, events, destinations,
  deliveries, operators, commands, command_steps, links, questions, reconciles, reconcile_findings,
  gaps, presence, assets, sessions, alarms, heard, watch, named_assets
  to mdes_receiver;
