CREATE OR REPLACE VIEW coterie.appdata_trees WITH (security_barrier) AS
SELECT t.name,
       CASE WHEN t.scan = 0 THEN 'never'
            WHEN t.held_files > 0 AND t.finished_at IS NOT NULL THEN 'held'
            WHEN t.finished_at IS NOT NULL THEN 'known'
            WHEN t.moved_at > coterie.clock() - interval '1 minute' THEN 'scanning'
            ELSE 'interrupted'
       END AS state,
       t.layout,
       t.files,
       t.bytes,
       t.holes,
       t.whole_at,
       t.scanned_by,
       t.begun_at,
       t.finished_at,
       t.took,
       t.folders AS looked_folders,
       t.entries AS looked_entries,
       t.read_bytes,
       t.errors,
       t.found,
       t.held_files,
       t.held_sample,
       t.held_since,
       t.accepted_by,
       t.reason,
       CASE WHEN (SELECT coterie.appdata_trusted()) THEN encode(t.content, 'hex') END AS content,
       CASE WHEN (SELECT coterie.appdata_trusted()) THEN encode(t.exact, 'hex') END AS exact,
       t.head,
       t.doubted_at,
       t.doubted_by,
       t.doubt,
       t.doubts
FROM coterie.appdata_tree t;
COMMENT ON VIEW coterie.appdata_trees IS 'A row per tree of files that is known file by file: the share, and what nodes have of their own.';
COMMENT ON COLUMN coterie.appdata_trees.name IS 'share, or node/NAME for the files that a node has of its own.';
COMMENT ON COLUMN coterie.appdata_trees.state IS 'never (scanned), scanning, interrupted, known, or held: files are missing, too many to be believed without an operator''s word.';
COMMENT ON COLUMN coterie.appdata_trees.layout IS 'Layout by which the last scan gave classes.';
COMMENT ON COLUMN coterie.appdata_trees.files IS 'Files, links and the like, when the tree was last known as a whole.';
COMMENT ON COLUMN coterie.appdata_trees.bytes IS 'Bytes in them.';
COMMENT ON COLUMN coterie.appdata_trees.holes IS 'Entries of which less is known than could be, as those that may not be read.';
COMMENT ON COLUMN coterie.appdata_trees.whole_at IS 'When a scan last came to its end.';
COMMENT ON COLUMN coterie.appdata_trees.scanned_by IS 'Node that began the last scan.';
COMMENT ON COLUMN coterie.appdata_trees.begun_at IS 'When it began.';
COMMENT ON COLUMN coterie.appdata_trees.finished_at IS 'When it ended; null while it is at work, or was interrupted.';
COMMENT ON COLUMN coterie.appdata_trees.took IS 'How long the last scan that came to its end took.';
COMMENT ON COLUMN coterie.appdata_trees.looked_folders IS 'Folders that the last scan has looked at so far.';
COMMENT ON COLUMN coterie.appdata_trees.looked_entries IS 'Names that it has looked at so far.';
COMMENT ON COLUMN coterie.appdata_trees.read_bytes IS 'Bytes of content that it has read so far.';
COMMENT ON COLUMN coterie.appdata_trees.errors IS 'Names and folders about which it could not learn all.';
COMMENT ON COLUMN coterie.appdata_trees.found IS 'Changes that it found: what no node had told of.';
COMMENT ON COLUMN coterie.appdata_trees.held_files IS 'Files that it missed, too many to be believed without an operator''s word; 0 when there are none.';
COMMENT ON COLUMN coterie.appdata_trees.held_sample IS 'Some of them, quoted.';
COMMENT ON COLUMN coterie.appdata_trees.held_since IS 'When files were first missed so.';
COMMENT ON COLUMN coterie.appdata_trees.accepted_by IS 'Who last said that missing files are really gone.';
COMMENT ON COLUMN coterie.appdata_trees.reason IS 'Why, in that person''s words.';
COMMENT ON COLUMN coterie.appdata_trees.content IS 'SHA-256 over all names and contents: two trees with the same are the same; null while something is not settled, and to who is neither agent nor operator.';
COMMENT ON COLUMN coterie.appdata_trees.exact IS 'The same, with modes, owners and times; null as that is.';
COMMENT ON COLUMN coterie.appdata_trees.head IS 'Number of the last change of the manifest.';
COMMENT ON COLUMN coterie.appdata_trees.doubted_at IS 'When a node last told that it may have missed changes; null when a scan has seen the whole tree since.';
COMMENT ON COLUMN coterie.appdata_trees.doubted_by IS 'Node that told so.';
COMMENT ON COLUMN coterie.appdata_trees.doubt IS 'Why, in words.';
COMMENT ON COLUMN coterie.appdata_trees.doubts IS 'How often nodes have told so.';
