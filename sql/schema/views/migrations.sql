CREATE OR REPLACE VIEW coterie.migrations WITH (security_barrier) AS
SELECT m.node, m.plan, m.phase, m.files_done, m.files_total, m.bytes_done, m.bytes_total, m.message, m.read_by, m.source, m.target, m.begun_at, m.changed_at,
       r.state AS reading, r.node AS reader, r.files AS files_read, r.bytes AS bytes_read, r.message AS reading_message
FROM coterie.migration m LEFT JOIN coterie.migration_reading r ON r.plan = m.plan;
COMMENT ON VIEW coterie.migrations IS 'A row per plan to move the local folders of a server to the share.';
COMMENT ON COLUMN coterie.migrations.node IS 'Node whose folders are moved.';
COMMENT ON COLUMN coterie.migrations.plan IS 'Identity of the plan.';
COMMENT ON COLUMN coterie.migrations.phase IS 'How far it is: planned, copying, copied, proving, proved, publishing, published, cutting over, cut over, finishing, finished, rolling back or rolled back.';
COMMENT ON COLUMN coterie.migrations.files_done IS 'Files that the present phase has behind it.';
COMMENT ON COLUMN coterie.migrations.files_total IS 'Files in all.';
COMMENT ON COLUMN coterie.migrations.bytes_done IS 'Bytes that the present phase has behind it.';
COMMENT ON COLUMN coterie.migrations.bytes_total IS 'Bytes in all.';
COMMENT ON COLUMN coterie.migrations.message IS 'What stopped it; empty while it goes on, and when it is done.';
COMMENT ON COLUMN coterie.migrations.read_by IS 'Hosts and nodes that have read from the share, through their own mounts, all that was moved there.';
COMMENT ON COLUMN coterie.migrations.source IS 'Folder below which the folders are.';
COMMENT ON COLUMN coterie.migrations.target IS 'Folder on the share to which they go.';
COMMENT ON COLUMN coterie.migrations.begun_at IS 'When it was first heard of.';
COMMENT ON COLUMN coterie.migrations.changed_at IS 'When it was last heard of.';
COMMENT ON COLUMN coterie.migrations.reading IS 'How far the agent of another node is that reads all of it back from the share: asked, reading, well or bad; null when that was not asked for.';
COMMENT ON COLUMN coterie.migrations.reader IS 'Node whose agent reads, or was the last to.';
COMMENT ON COLUMN coterie.migrations.files_read IS 'Files that it has read.';
COMMENT ON COLUMN coterie.migrations.bytes_read IS 'Bytes that it has read.';
COMMENT ON COLUMN coterie.migrations.reading_message IS 'Why a node has given it up, or what is not as it was proved.';
