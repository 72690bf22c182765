-- What the watch of a tree may have missed.
ALTER TABLE coterie.appdata_tree ADD doubted_at timestamptz, ADD doubted_by text, ADD doubt text, ADD doubts bigint NOT NULL DEFAULT 0;
COMMENT ON COLUMN coterie.appdata_tree.doubted_at IS 'When a node last told that it may have missed changes; null when a scan that began later has seen the whole tree.';
COMMENT ON COLUMN coterie.appdata_tree.doubted_by IS 'Node that told so.';
COMMENT ON COLUMN coterie.appdata_tree.doubt IS 'Why, in words.';
COMMENT ON COLUMN coterie.appdata_tree.doubts IS 'How often nodes have told so.';
