CREATE OR REPLACE VIEW coterie.appdata_folders WITH (security_barrier) AS
SELECT t.name AS tree,
       f.path,
       CASE WHEN (SELECT coterie.appdata_trusted()) THEN encode(f.content, 'hex') END AS content,
       CASE WHEN (SELECT coterie.appdata_trusted()) THEN encode(f.exact, 'hex') END AS exact,
       f.files,
       f.bytes,
       f.holes,
       f.error,
       f.moved,
       f.scan = 0 AS told
FROM coterie.appdata_folder f
JOIN coterie.appdata_tree t ON t.id = f.tree;
COMMENT ON VIEW coterie.appdata_folders IS 'A row per folder of a manifest, with sums over all below it: where two trees have the same sum they are the same.';
COMMENT ON COLUMN coterie.appdata_folders.tree IS 'Tree that it belongs to: share, or node/NAME.';
COMMENT ON COLUMN coterie.appdata_folders.path IS 'Path below the root, quoted; a dot is the root.';
COMMENT ON COLUMN coterie.appdata_folders.content IS 'SHA-256 over all names and contents below; null while something below is not settled.';
COMMENT ON COLUMN coterie.appdata_folders.exact IS 'The same, with modes, owners and times.';
COMMENT ON COLUMN coterie.appdata_folders.files IS 'Files, links and the like below it.';
COMMENT ON COLUMN coterie.appdata_folders.bytes IS 'Bytes in them.';
COMMENT ON COLUMN coterie.appdata_folders.holes IS 'Entries below of which less is known than could be.';
COMMENT ON COLUMN coterie.appdata_folders.error IS 'Why its entries are not all; empty when they are.';
COMMENT ON COLUMN coterie.appdata_folders.moved IS 'Number of the change of the manifest that wrote it last.';
COMMENT ON COLUMN coterie.appdata_folders.told IS 'Whether somebody told of a change in it, or below it, since it was summed; its entries are all there.';
