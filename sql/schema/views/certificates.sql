CREATE OR REPLACE VIEW coterie.certificates WITH (security_barrier) AS
SELECT n.node, k.alias, k.subject, k.not_after, n.served_fingerprint,
       n.state IN ('proved', 'placed') AND n.version IS NOT NULL AND n.version = a.version AS ok,
       n.name AS keystore, n.version, n.state::text AS state, k.fingerprint, n.file_sha256, n.error, n.reported_at,
       a.version AS active_version, n.incarnation, n.rollout, n.phase::text AS phase
FROM coterie.keystore_node n
LEFT JOIN coterie.keystore k ON k.name = n.name AND k.version = n.version
LEFT JOIN coterie.keystore a ON a.name = n.name AND a.state = 'active';
COMMENT ON VIEW coterie.certificates IS 'A row per keystore and node: which version the node has in place, and which certificate its server showed by a handshake.';
COMMENT ON COLUMN coterie.certificates.node IS 'Name of the node.';
COMMENT ON COLUMN coterie.certificates.alias IS 'Alias of the key; null when what is in place is no version of the database.';
COMMENT ON COLUMN coterie.certificates.subject IS 'Subject of its certificate.';
COMMENT ON COLUMN coterie.certificates.not_after IS 'When that ends.';
COMMENT ON COLUMN coterie.certificates.served_fingerprint IS 'SHA-256 of the certificate that the server showed; null when it showed none.';
COMMENT ON COLUMN coterie.certificates.ok IS 'Whether the node has the active version, proved if there is something to prove it by.';
COMMENT ON COLUMN coterie.certificates.keystore IS 'Name of the keystore.';
COMMENT ON COLUMN coterie.certificates.version IS 'Version that is in place; null when it is none of the database''s.';
COMMENT ON COLUMN coterie.certificates.state IS 'proved, placed (there is nothing to prove it by), drifted or failed.';
COMMENT ON COLUMN coterie.certificates.fingerprint IS 'SHA-256 of the certificate of that version.';
COMMENT ON COLUMN coterie.certificates.file_sha256 IS 'SHA-256 of the file.';
COMMENT ON COLUMN coterie.certificates.error IS 'What went wrong.';
COMMENT ON COLUMN coterie.certificates.reported_at IS 'When the node reported this.';
COMMENT ON COLUMN coterie.certificates.active_version IS 'Version that the cluster is to serve.';
COMMENT ON COLUMN coterie.certificates.incarnation IS 'Life of the node in which it reported.';
COMMENT ON COLUMN coterie.certificates.rollout IS 'Rollout in which it was reported; null outside of one.';
COMMENT ON COLUMN coterie.certificates.phase IS 'Phase of that rollout, as the node knew it.';
