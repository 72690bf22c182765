CREATE OR REPLACE VIEW coterie.encryptions WITH (security_barrier) AS
SELECT n.node, n.path, n.sha256, e.sha256 AS expected, n.sha256 IS NOT DISTINCT FROM e.sha256 AND n.error = '' AS ok, n.error, n.seen_at,
       s.node IS NOT NULL AND s.expires_at > coterie.clock() AS living, e.recorded_at, e.recorded_by, e.reason, n.incarnation
FROM coterie.encryption_node n
LEFT JOIN coterie.encryption e ON true
LEFT JOIN coterie.session s ON s.node = n.node AND s.incarnation = n.incarnation;
COMMENT ON VIEW coterie.encryptions IS 'A row per node: what it sees of the encryption keystore on the share, and what it must see to be ready.';
COMMENT ON COLUMN coterie.encryptions.node IS 'Name of the node.';
COMMENT ON COLUMN coterie.encryptions.path IS 'Path below the share at which it looked.';
COMMENT ON COLUMN coterie.encryptions.sha256 IS 'SHA-256 of what is there; null when nothing is, or it could not be read.';
COMMENT ON COLUMN coterie.encryptions.expected IS 'SHA-256 that all nodes must see; null while none has seen any.';
COMMENT ON COLUMN coterie.encryptions.ok IS 'Whether it is that one.';
COMMENT ON COLUMN coterie.encryptions.error IS 'Why it could not be read.';
COMMENT ON COLUMN coterie.encryptions.seen_at IS 'When it first saw it so.';
COMMENT ON COLUMN coterie.encryptions.living IS 'Whether the life in which it looked goes on.';
COMMENT ON COLUMN coterie.encryptions.recorded_at IS 'When the expected one was first seen, or accepted.';
COMMENT ON COLUMN coterie.encryptions.recorded_by IS 'Role of the node that saw it first, or of who accepted it.';
COMMENT ON COLUMN coterie.encryptions.reason IS 'Why it was accepted, in that person''s words.';
COMMENT ON COLUMN coterie.encryptions.incarnation IS 'Life of the node in which it looked.';
