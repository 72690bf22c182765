CREATE OR REPLACE VIEW coterie.trust_stores WITH (security_barrier) AS
SELECT s.version, s.digest, s.made_at, s.cause, (SELECT count(*) FROM coterie.trust_entry e WHERE e.version = s.version) AS entries
FROM coterie.trust_store s;
COMMENT ON VIEW coterie.trust_stores IS 'A row for each of the last versions of the trust store; the highest is what every node renders.';
COMMENT ON COLUMN coterie.trust_stores.version IS 'Number of the version, rising by one; 0 is the empty one.';
COMMENT ON COLUMN coterie.trust_stores.digest IS 'SHA-256 over its aliases and fingerprints.';
COMMENT ON COLUMN coterie.trust_stores.made_at IS 'When it was made.';
COMMENT ON COLUMN coterie.trust_stores.cause IS 'What it was made for.';
COMMENT ON COLUMN coterie.trust_stores.entries IS 'How many certificates it has.';
