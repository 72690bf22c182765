CREATE OR REPLACE VIEW coterie.events WITH (security_barrier) AS
SELECT e.id, e.at, e.node, e.kind, e.subject, e.rule, e.actor, e.reason, e.detail, e.token, e.peer, e.since
FROM coterie.event e;
COMMENT ON VIEW coterie.events IS 'The ledger: a row per thing that happened, never changed.';
COMMENT ON COLUMN coterie.events.id IS 'Number of the event, rising.';
COMMENT ON COLUMN coterie.events.at IS 'When it happened, by the database''s clock.';
COMMENT ON COLUMN coterie.events.node IS 'Node that it concerns or that did it.';
COMMENT ON COLUMN coterie.events.kind IS 'What happened, noun.verb.';
COMMENT ON COLUMN coterie.events.subject IS 'Name of the thing it happened to.';
COMMENT ON COLUMN coterie.events.rule IS 'Rule by which it was decided.';
COMMENT ON COLUMN coterie.events.actor IS 'Database role that did it.';
COMMENT ON COLUMN coterie.events.reason IS 'Reason, in words.';
COMMENT ON COLUMN coterie.events.detail IS 'Further facts.';
COMMENT ON COLUMN coterie.events.token IS 'Fencing token concerned.';
COMMENT ON COLUMN coterie.events.peer IS 'The other node, for example the former holder.';
COMMENT ON COLUMN coterie.events.since IS 'When the state that ended here began to end.';
