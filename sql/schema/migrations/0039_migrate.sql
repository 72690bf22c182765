-- needs 36
-- Moving one server's local folders to the share.

CREATE TABLE coterie.migration (
    plan        text PRIMARY KEY CHECK (plan ~ '^[0-9]{8}-[a-z0-9]{6}$'),
    node        text NOT NULL CHECK (node <> ''),
    source      text NOT NULL,
    target      text NOT NULL,
    phase       text NOT NULL CHECK (phase <> ''),
    files_done  bigint NOT NULL DEFAULT 0 CHECK (files_done >= 0),
    files_total bigint NOT NULL DEFAULT 0 CHECK (files_total >= 0),
    bytes_done  bigint NOT NULL DEFAULT 0 CHECK (bytes_done >= 0),
    bytes_total bigint NOT NULL DEFAULT 0 CHECK (bytes_total >= 0),
    message     text NOT NULL DEFAULT '' CHECK (length(message) <= 2000),
    read_by     text[] NOT NULL DEFAULT '{}',
    begun_at    timestamptz NOT NULL DEFAULT coterie.clock(),
    changed_at  timestamptz NOT NULL DEFAULT coterie.clock()
);
COMMENT ON TABLE coterie.migration IS 'One row per plan to move the local folders of a server to the share. What counts is the journal of the plan, at both ends; this is what it was last heard to say.';
COMMENT ON COLUMN coterie.migration.plan IS 'Identity of the plan.';
COMMENT ON COLUMN coterie.migration.node IS 'Node whose folders are moved; it need not have joined yet.';
COMMENT ON COLUMN coterie.migration.source IS 'Folder below which they are.';
COMMENT ON COLUMN coterie.migration.target IS 'Folder on the share to which they go.';
COMMENT ON COLUMN coterie.migration.phase IS 'How far it is: planned, beginning, copying, copied, proving, proved, publishing, published, cutting over, cut over, finishing, finished, rolling back or rolled back.';
COMMENT ON COLUMN coterie.migration.files_done IS 'Files that the present phase has behind it.';
COMMENT ON COLUMN coterie.migration.files_total IS 'Files in all.';
COMMENT ON COLUMN coterie.migration.bytes_done IS 'Bytes that the present phase has behind it.';
COMMENT ON COLUMN coterie.migration.bytes_total IS 'Bytes in all.';
COMMENT ON COLUMN coterie.migration.message IS 'What stopped it; empty while it goes on, and when it is done.';
COMMENT ON COLUMN coterie.migration.read_by IS 'Hosts that have read from the share, through their own mounts, all that was moved there.';
COMMENT ON COLUMN coterie.migration.begun_at IS 'When it was first heard of.';
COMMENT ON COLUMN coterie.migration.changed_at IS 'When it was last heard of.';
