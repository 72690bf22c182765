CREATE OR REPLACE VIEW coterie.clusters WITH (security_barrier) AS
SELECT c.name, c.id, c.era, c.created_at
FROM coterie.cluster c;
COMMENT ON VIEW coterie.clusters IS 'The cluster that lives in this database: one row, or none before it is initialised. How it is, says coterie.status.';
COMMENT ON COLUMN coterie.clusters.name IS 'Name of the cluster.';
COMMENT ON COLUMN coterie.clusters.id IS 'Identity of the cluster, made once.';
COMMENT ON COLUMN coterie.clusters.era IS 'High part of every token.';
COMMENT ON COLUMN coterie.clusters.created_at IS 'When it was initialised.';
