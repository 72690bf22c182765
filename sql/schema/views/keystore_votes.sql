CREATE OR REPLACE VIEW coterie.keystore_votes WITH (security_barrier) AS
SELECT v.name, v.version, v.node, v.ok, v.why, v.serves, v.alone, v.voted_at, v.incarnation
FROM coterie.keystore_vote v;
COMMENT ON VIEW coterie.keystore_votes IS 'A row per node and version of a keystore: what the node found when it looked at it as its server would.';
COMMENT ON COLUMN coterie.keystore_votes.name IS 'Name of the keystore.';
COMMENT ON COLUMN coterie.keystore_votes.version IS 'Its version.';
COMMENT ON COLUMN coterie.keystore_votes.node IS 'Node that looked.';
COMMENT ON COLUMN coterie.keystore_votes.ok IS 'Whether it would take it.';
COMMENT ON COLUMN coterie.keystore_votes.why IS 'What is wrong with it.';
COMMENT ON COLUMN coterie.keystore_votes.serves IS 'Whether a server of that node serves this keystore.';
COMMENT ON COLUMN coterie.keystore_votes.alone IS 'Whether that server is restarted for it.';
COMMENT ON COLUMN coterie.keystore_votes.voted_at IS 'When it voted.';
COMMENT ON COLUMN coterie.keystore_votes.incarnation IS 'Life of the node in which it looked.';
