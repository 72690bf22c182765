CREATE OR REPLACE VIEW coterie.appdata_files WITH (security_barrier) AS
SELECT l.path,
       l.kind,
       l.size,
       l.mode,
       coterie.appdata_moment(l.modified) AS modified_at,
       CASE WHEN l.class <> 'secret' THEN l.digest END AS digest,
       l.taken_at AS changed_at,
       l.class,
       l.uid,
       l.gid,
       l.target,
       l.error,
       t.name AS tree,
       CASE WHEN l.class <> 'secret' THEN l.raw END AS raw
FROM coterie.appdata_page p
JOIN coterie.appdata_tree t ON t.id = p.tree,
     coterie.appdata_lines(p.folder, p.entries) l;
COMMENT ON VIEW coterie.appdata_files IS 'A row per file of the manifests: of the share (tree = ''share''), and of what nodes have of their own.';
COMMENT ON COLUMN coterie.appdata_files.path IS 'Path below the root; bytes that cannot be shown are written \xNN.';
COMMENT ON COLUMN coterie.appdata_files.kind IS 'file, folder, link, fifo, socket, device; unknown: it has a name, and asking for more gave an error.';
COMMENT ON COLUMN coterie.appdata_files.size IS 'Bytes of a file.';
COMMENT ON COLUMN coterie.appdata_files.mode IS 'Rights, octal.';
COMMENT ON COLUMN coterie.appdata_files.modified_at IS 'When its content was written, by the clock of the share; infinity for what PostgreSQL has no time for.';
COMMENT ON COLUMN coterie.appdata_files.digest IS 'SHA-256 of its content, of a field-merged file of what is compared of it; null when it was not read, or is of the class secret.';
COMMENT ON COLUMN coterie.appdata_files.changed_at IS 'When the manifest took this content in.';
COMMENT ON COLUMN coterie.appdata_files.class IS 'What it is to the cluster, by the layout: shared, per_host, field_merged, secret or ignored.';
COMMENT ON COLUMN coterie.appdata_files.uid IS 'Owner.';
COMMENT ON COLUMN coterie.appdata_files.gid IS 'Group.';
COMMENT ON COLUMN coterie.appdata_files.target IS 'Where a link leads, quoted.';
COMMENT ON COLUMN coterie.appdata_files.error IS 'Why less is known of it than could be.';
COMMENT ON COLUMN coterie.appdata_files.tree IS 'share, or node/NAME.';
COMMENT ON COLUMN coterie.appdata_files.raw IS 'SHA-256 of a field-merged file as it is; null of others, and of the class secret.';
