-- needs 6
-- Leases that are taken by name are listed for who wants them, and swept away when nobody does.

ALTER TABLE coterie.lease ADD COLUMN declared_at timestamptz NOT NULL DEFAULT coterie.clock();
COMMENT ON COLUMN coterie.lease.declared_at IS 'When the row was made.';

-- They have one argument more now (functions/tick.sql, functions/leases_for.sql).
DROP FUNCTION IF EXISTS coterie.tick(text, bigint, text[], real, bigint, double precision, bigint, boolean, boolean, text[], bigint[], bigint[], text[], bigint[], text[], text[], bigint[]);
DROP FUNCTION IF EXISTS coterie.leases_for(text, bigint);
