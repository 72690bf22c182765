-- needs 39
-- What was moved to the share is read back by the agent of another node.

CREATE TABLE coterie.migration_reading (
    plan        text PRIMARY KEY REFERENCES coterie.migration (plan) ON DELETE CASCADE,
    manifest    text NOT NULL CHECK (manifest ~ '^[0-9a-f]{64}$'),
    machine     text NOT NULL,
    state       text NOT NULL DEFAULT 'asked' CHECK (state IN ('asked', 'reading', 'well', 'bad')),
    node        text,
    incarnation bigint,
    mark        jsonb,
    files       bigint NOT NULL DEFAULT 0 CHECK (files >= 0),
    bytes       bigint NOT NULL DEFAULT 0 CHECK (bytes >= 0),
    message     text NOT NULL DEFAULT '' CHECK (length(message) <= 2000),
    asked_at    timestamptz NOT NULL DEFAULT coterie.clock(),
    changed_at  timestamptz NOT NULL DEFAULT coterie.clock(),
    CHECK ((node IS NULL) = (incarnation IS NULL)),
    CHECK (state IN ('asked', 'reading') OR mark IS NOT NULL),
    CHECK (state <> 'reading' OR node IS NOT NULL)
);
COMMENT ON TABLE coterie.migration_reading IS 'One row per plan whose files another node''s agent is to read back from the share, is reading, or has read.';
COMMENT ON COLUMN coterie.migration_reading.plan IS 'Identity of the plan.';
COMMENT ON COLUMN coterie.migration_reading.manifest IS 'Digest of the manifest of what was proved, by which the right share is known.';
COMMENT ON COLUMN coterie.migration_reading.machine IS 'The host that has moved the files, whose own word does not count.';
COMMENT ON COLUMN coterie.migration_reading.state IS 'asked, reading, well (all is as it was proved) or bad.';
COMMENT ON COLUMN coterie.migration_reading.node IS 'Node that reads, or was the last to.';
COMMENT ON COLUMN coterie.migration_reading.incarnation IS 'Life of that node in which it took this upon itself; when it has ended, another one may.';
COMMENT ON COLUMN coterie.migration_reading.mark IS 'How far that node is in the manifest, and what it has found up to there: it goes on from here.';
COMMENT ON COLUMN coterie.migration_reading.files IS 'Files that have been read.';
COMMENT ON COLUMN coterie.migration_reading.bytes IS 'Bytes that have been read.';
COMMENT ON COLUMN coterie.migration_reading.message IS 'Why a node has given it up, or what is not as it was proved.';
COMMENT ON COLUMN coterie.migration_reading.asked_at IS 'When it was asked for.';
COMMENT ON COLUMN coterie.migration_reading.changed_at IS 'When it was last heard of.';
