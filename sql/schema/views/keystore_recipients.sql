CREATE OR REPLACE VIEW coterie.keystore_recipients WITH (security_barrier) AS
SELECT r.name, r.node, n.id AS node_id, r.fingerprint, r.identity, r.seal, r.signature, r.published_at, r.published_by
FROM coterie.keystore_recipient r
LEFT JOIN coterie.node n ON n.name = r.node;
COMMENT ON VIEW coterie.keystore_recipients IS 'A row per key that versions of keystores are sealed to.';
COMMENT ON COLUMN coterie.keystore_recipients.name IS 'Name of the node, or recovery/ and the beginning of the key''s fingerprint.';
COMMENT ON COLUMN coterie.keystore_recipients.node IS 'Node whose key it is; null for a recovery key.';
COMMENT ON COLUMN coterie.keystore_recipients.node_id IS 'Id of that node.';
COMMENT ON COLUMN coterie.keystore_recipients.fingerprint IS 'SHA-256 of the sealing key.';
COMMENT ON COLUMN coterie.keystore_recipients.identity IS 'Public key of the node''s identity.';
COMMENT ON COLUMN coterie.keystore_recipients.seal IS 'Public key that is sealed to.';
COMMENT ON COLUMN coterie.keystore_recipients.signature IS 'The identity''s signature of the sealing key.';
COMMENT ON COLUMN coterie.keystore_recipients.published_at IS 'When it was published.';
COMMENT ON COLUMN coterie.keystore_recipients.published_by IS 'Role that published it.';
