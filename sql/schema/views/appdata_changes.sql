CREATE OR REPLACE VIEW coterie.appdata_changes WITH (security_barrier) AS
SELECT c.seq,
       c.path,
       c.change,
       c.seen_by,
       c.source,
       c.at,
       c.latency,
       c.from_path,
       c.kind,
       c.class,
       c.size,
       CASE WHEN c.class <> 'secret' THEN encode(c.digest, 'hex') END AS digest,
       t.name AS tree
FROM coterie.appdata_change c
JOIN coterie.appdata_tree t ON t.id = c.tree;
COMMENT ON VIEW coterie.appdata_changes IS 'The journal: a row per change of a tree, whoever noticed it; thirty days are kept.';
COMMENT ON COLUMN coterie.appdata_changes.seq IS 'Number of the change in its tree; a higher one was committed later.';
COMMENT ON COLUMN coterie.appdata_changes.path IS 'Path below the root; bytes that cannot be shown are written \xNN.';
COMMENT ON COLUMN coterie.appdata_changes.change IS 'created, modified, touched (mode, owner or time alone), deleted or renamed.';
COMMENT ON COLUMN coterie.appdata_changes.seen_by IS 'Node that noticed it.';
COMMENT ON COLUMN coterie.appdata_changes.source IS 'How: watch (the node''s own file system told it), announce (somebody said so), scan.';
COMMENT ON COLUMN coterie.appdata_changes.at IS 'When it was written here.';
COMMENT ON COLUMN coterie.appdata_changes.latency IS 'How long after the change that was, by the clock of the share; null when that cannot be told.';
COMMENT ON COLUMN coterie.appdata_changes.from_path IS 'Of what was renamed: its path before.';
COMMENT ON COLUMN coterie.appdata_changes.kind IS 'What it is, or was: file, folder, link, fifo, socket, device.';
COMMENT ON COLUMN coterie.appdata_changes.class IS 'What it is to the cluster, by the layout.';
COMMENT ON COLUMN coterie.appdata_changes.size IS 'Size afterwards; of what is deleted, before.';
COMMENT ON COLUMN coterie.appdata_changes.digest IS 'SHA-256 of the content afterwards; null when it is not known, or the class is secret.';
COMMENT ON COLUMN coterie.appdata_changes.tree IS 'share, or node/NAME.';
