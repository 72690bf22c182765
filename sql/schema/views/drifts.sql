CREATE OR REPLACE VIEW coterie.drifts WITH (security_barrier) AS
SELECT d.node,
       d.path,
       d.differs,
       d.class,
       CASE WHEN d.class <> 'secret' OR d.differs && '{unclear}' AND d.expected !~ '^[0-9a-f]{64}$' THEN d.expected END AS expected,
       CASE WHEN d.class <> 'secret' OR d.differs && '{unclear}' AND d.found !~ '^[0-9a-f]{64}$' THEN d.found END AS found,
       d.since,
       d.reference,
       d.against,
       d.reference IS NOT NULL AS decided
FROM coterie.drift d;
COMMENT ON VIEW coterie.drifts IS 'A row per file that is not on a node as it should be, of those that must be equal on all nodes.';
COMMENT ON COLUMN coterie.drifts.node IS 'Node on which it differs.';
COMMENT ON COLUMN coterie.drifts.path IS 'Path below the root of that node; bytes that cannot be shown are written \xNN. A dot when the rules of two nodes differ.';
COMMENT ON COLUMN coterie.drifts.differs IS 'In what: missing, extra, kind, content, mode, owner, unclear (it could not be compared) or rules.';
COMMENT ON COLUMN coterie.drifts.class IS 'What it is to the cluster: shared, field_merged (some of its fields may differ) or secret.';
COMMENT ON COLUMN coterie.drifts.expected IS 'What the reference has: SHA-256 of what is compared, or the target of a link; null when it has nothing there, or there is no reference, or it is secret.';
COMMENT ON COLUMN coterie.drifts.found IS 'What this node has, or why it is not known; null when it has nothing, or it is secret.';
COMMENT ON COLUMN coterie.drifts.since IS 'When it was first seen to differ.';
COMMENT ON COLUMN coterie.drifts.reference IS 'What it is held against: the node that an operator named, or most; null when as many have it one way as another.';
COMMENT ON COLUMN coterie.drifts.against IS 'A node that has what is expected; without a reference, one that has something else.';
COMMENT ON COLUMN coterie.drifts.decided IS 'Whether there is a reference; without one nobody can say which node is right.';
