CREATE OR REPLACE VIEW coterie.owns WITH (security_barrier) AS
SELECT o.node,
       o.root,
       o.rules,
       o.every,
       o.trouble,
       o.since,
       t.whole_at AS scanned_at,
       t.took,
       t.files,
       t.bytes,
       (SELECT count(*) FROM coterie.drift d WHERE d.node = o.node) AS drifts,
       r.node IS NOT NULL AS reference,
       r.by_whom AS named_by,
       r.reason
FROM coterie.own o
LEFT JOIN coterie.appdata_tree t ON t.name = 'node/' || o.node
LEFT JOIN coterie.own_reference r ON r.node = o.node;
COMMENT ON VIEW coterie.owns IS 'A row per node that looks at files of its own which must be equal on all nodes.';
COMMENT ON COLUMN coterie.owns.node IS 'Name of the node.';
COMMENT ON COLUMN coterie.owns.root IS 'Folder on that node below which they are.';
COMMENT ON COLUMN coterie.owns.rules IS 'Name of the rules by which it looks; the same on all nodes, or they are told to differ.';
COMMENT ON COLUMN coterie.owns.every IS 'How often it looks.';
COMMENT ON COLUMN coterie.owns.trouble IS 'Why it cannot look; empty when it can.';
COMMENT ON COLUMN coterie.owns.since IS 'Since when it can, or cannot.';
COMMENT ON COLUMN coterie.owns.scanned_at IS 'When it last looked at all of them.';
COMMENT ON COLUMN coterie.owns.took IS 'How long that took.';
COMMENT ON COLUMN coterie.owns.files IS 'How many they are.';
COMMENT ON COLUMN coterie.owns.bytes IS 'Bytes in them.';
COMMENT ON COLUMN coterie.owns.drifts IS 'How many differ.';
COMMENT ON COLUMN coterie.owns.reference IS 'Whether it is the node that the others are to be like.';
COMMENT ON COLUMN coterie.owns.named_by IS 'Who said so.';
COMMENT ON COLUMN coterie.owns.reason IS 'Why, in that person''s words.';
