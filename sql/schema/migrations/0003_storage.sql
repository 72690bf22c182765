-- What each node sees of the shared folder.

-- Best first; the package appdata has the same words in the same order.
CREATE TYPE coterie.storage_state AS ENUM (
    'OK', 'DEGRADED', 'FULL', 'READ_ONLY', 'STALE', 'OLD_GENERATION', 'WRONG_SHARE', 'NOT_MOUNTED', 'HUNG');
COMMENT ON TYPE coterie.storage_state IS 'What a node sees of the share, in one word; best first.';

-- Written when a node sees something else than before, and every few minutes: a healthy hour costs next to nothing.
CREATE TABLE coterie.storage (
    node        text PRIMARY KEY REFERENCES coterie.node (name) ON DELETE CASCADE,
    state       coterie.storage_state NOT NULL,
    reason      text NOT NULL,
    marker_ok   boolean NOT NULL,
    readable    boolean NOT NULL,
    writable    boolean NOT NULL,
    fs_type     text NOT NULL,
    source      text NOT NULL,
    options     text NOT NULL,
    latency_ms  real,
    free_bytes  bigint,
    generation  bigint,
    since       timestamptz NOT NULL DEFAULT coterie.clock(),
    checked_at  timestamptz NOT NULL DEFAULT coterie.clock(),
    -- Whoever cannot read the marker does not know whose folder it is.
    CONSTRAINT well_is_well CHECK (state <> 'OK' OR (readable AND writable))
);
COMMENT ON TABLE coterie.storage IS 'One row per node: what it sees of the shared folder.';
COMMENT ON COLUMN coterie.storage.node IS 'Node that looked.';
COMMENT ON COLUMN coterie.storage.state IS 'What it saw, in one word.';
COMMENT ON COLUMN coterie.storage.reason IS 'Why that state, in words; empty when all is well.';
COMMENT ON COLUMN coterie.storage.marker_ok IS 'Whether the folder carries this cluster''s marker.';
COMMENT ON COLUMN coterie.storage.readable IS 'Whether the node could list and read it.';
COMMENT ON COLUMN coterie.storage.writable IS 'Whether the node could write, rename, read back and remove a file in it.';
COMMENT ON COLUMN coterie.storage.fs_type IS 'Type of the file system, as the kernel names it.';
COMMENT ON COLUMN coterie.storage.source IS 'What is mounted, for example nas1:/export/deploy.';
COMMENT ON COLUMN coterie.storage.options IS 'Options of the mount and of the file system.';
COMMENT ON COLUMN coterie.storage.latency_ms IS 'How long the last small write took, forced to disk, in milliseconds; null when none was tried.';
COMMENT ON COLUMN coterie.storage.free_bytes IS 'Bytes that the node may still write; null when not known.';
COMMENT ON COLUMN coterie.storage.generation IS 'Generation that the marker says; null when no marker of ours was seen.';
COMMENT ON COLUMN coterie.storage.since IS 'When the node reported this state first.';
COMMENT ON COLUMN coterie.storage.checked_at IS 'When the node last reported; it looks every few seconds, and reports news at once, the same every few minutes.';
