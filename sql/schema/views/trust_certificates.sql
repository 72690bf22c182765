CREATE OR REPLACE VIEW coterie.trust_certificates WITH (security_barrier) AS
SELECT c.node, c.version, c.fingerprint,
       CASE WHEN c.dropped_at IS NOT NULL THEN 'dropped' WHEN c.served THEN 'served' ELSE 'announced' END AS state,
       EXISTS (SELECT FROM coterie.trust_entry e
               WHERE e.version = (SELECT max(s.version) FROM coterie.trust_store s) AND e.node = c.node AND e.fingerprint = c.fingerprint) AS trusted,
       c.subject, c.not_before, c.not_after, c.id, c.published_at, c.dropped_at
FROM coterie.trust_certificate c;
COMMENT ON VIEW coterie.trust_certificates IS 'A row per certificate that a node published.';
COMMENT ON COLUMN coterie.trust_certificates.node IS 'Name of the node.';
COMMENT ON COLUMN coterie.trust_certificates.version IS 'Number among the certificates of the node, rising by one.';
COMMENT ON COLUMN coterie.trust_certificates.fingerprint IS 'SHA-256 of the certificate.';
COMMENT ON COLUMN coterie.trust_certificates.state IS 'served by its server, announced as the next one, or dropped.';
COMMENT ON COLUMN coterie.trust_certificates.trusted IS 'Whether the newest trust store has it.';
COMMENT ON COLUMN coterie.trust_certificates.subject IS 'Its subject.';
COMMENT ON COLUMN coterie.trust_certificates.not_before IS 'When it begins to be valid.';
COMMENT ON COLUMN coterie.trust_certificates.not_after IS 'When it ends.';
COMMENT ON COLUMN coterie.trust_certificates.id IS 'Id of the installation that published it.';
COMMENT ON COLUMN coterie.trust_certificates.published_at IS 'When it was published first.';
COMMENT ON COLUMN coterie.trust_certificates.dropped_at IS 'When the node gave it up; null while it has it.';
