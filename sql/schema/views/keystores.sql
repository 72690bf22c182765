-- after views/nodes.sql
CREATE OR REPLACE VIEW coterie.keystores WITH (security_barrier) AS
SELECT k.name, k.version, k.state::text AS state, k.fingerprint, k.alias, k.subject, k.not_before, k.not_after,
       k.format, k.bytes, k.sha256, k.staged_at, k.staged_by, k.reason,
       ARRAY(SELECT c.recipient FROM coterie.keystore_copy c JOIN coterie.keystore_recipient r ON r.name = c.recipient AND r.fingerprint = c.seal
             WHERE c.name = k.name AND c.version = k.version ORDER BY c.recipient) AS opened_by,
       ARRAY(SELECT n.name FROM coterie.nodes n
             WHERE n.state NOT IN ('left', 'evicted') AND coterie.trust_admits(n.id) -- who waits for approval gets no keys
               AND NOT EXISTS (SELECT FROM coterie.keystore_copy c JOIN coterie.keystore_recipient r ON r.name = c.recipient AND r.fingerprint = c.seal
                               WHERE c.name = k.name AND c.version = k.version AND c.recipient = n.name)
             ORDER BY n.name) AS closed_to
FROM coterie.keystore k;
COMMENT ON VIEW coterie.keystores IS 'A row per version of a keystore.';
COMMENT ON COLUMN coterie.keystores.name IS 'Name of the keystore.';
COMMENT ON COLUMN coterie.keystores.version IS 'Number of the version, rising by one.';
COMMENT ON COLUMN coterie.keystores.state IS 'staged, active, retired or rejected.';
COMMENT ON COLUMN coterie.keystores.fingerprint IS 'SHA-256 of the certificate that servers show.';
COMMENT ON COLUMN coterie.keystores.alias IS 'Alias of its key.';
COMMENT ON COLUMN coterie.keystores.subject IS 'Subject of the certificate.';
COMMENT ON COLUMN coterie.keystores.not_before IS 'When the certificate begins to be valid.';
COMMENT ON COLUMN coterie.keystores.not_after IS 'When it ends.';
COMMENT ON COLUMN coterie.keystores.format IS 'pkcs12 or jks.';
COMMENT ON COLUMN coterie.keystores.bytes IS 'Length of the file.';
COMMENT ON COLUMN coterie.keystores.sha256 IS 'SHA-256 of the file.';
COMMENT ON COLUMN coterie.keystores.staged_at IS 'When it was staged.';
COMMENT ON COLUMN coterie.keystores.staged_by IS 'Role that staged it.';
COMMENT ON COLUMN coterie.keystores.reason IS 'Why, in that person''s words.';
COMMENT ON COLUMN coterie.keystores.opened_by IS 'Nodes and recovery keys that can open it.';
COMMENT ON COLUMN coterie.keystores.closed_to IS 'Nodes of the cluster that cannot.';
