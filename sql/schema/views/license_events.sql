CREATE OR REPLACE VIEW coterie.license_events WITH (security_barrier) AS
SELECT e.id, e.at, e.pool, e.kind, e.holder, e.node, e.session, e.seats, e.over, e.reason, e.key
FROM coterie.license_event e;
COMMENT ON VIEW coterie.license_events IS 'The ledger of seats: a row per thing that happened, never changed.';
COMMENT ON COLUMN coterie.license_events.id IS 'Number of the event; within a pool in the order in which it happened.';
COMMENT ON COLUMN coterie.license_events.at IS 'When, by the databases clock.';
COMMENT ON COLUMN coterie.license_events.pool IS 'Pool.';
COMMENT ON COLUMN coterie.license_events.kind IS 'granted, overdraft, excess, shared, left, lingers, released, reclaimed, idle, settled; away: granted by a node without the database.';
COMMENT ON COLUMN coterie.license_events.holder IS 'Who.';
COMMENT ON COLUMN coterie.license_events.node IS 'Node.';
COMMENT ON COLUMN coterie.license_events.session IS 'Session of the application.';
COMMENT ON COLUMN coterie.license_events.seats IS 'By how much the number of held seats changed.';
COMMENT ON COLUMN coterie.license_events.over IS 'By how much the number beyond the entitlement changed.';
COMMENT ON COLUMN coterie.license_events.reason IS 'Why, in words.';
COMMENT ON COLUMN coterie.license_events.key IS 'Key of the seat.';
