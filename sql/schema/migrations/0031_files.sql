-- Hooks that act upon changes of the share, on each node once.
CREATE TABLE coterie.appdata_hook (
    node      text NOT NULL REFERENCES coterie.node (name) ON DELETE CASCADE,
    hook      text NOT NULL CHECK (length(hook) BETWEEN 1 AND 200),
    seq       bigint NOT NULL,
    heeded_at timestamptz NOT NULL DEFAULT coterie.clock(),
    acted     bigint NOT NULL DEFAULT 0,
    acted_at  timestamptz,
    trouble   text NOT NULL DEFAULT '',
    PRIMARY KEY (node, hook)
);
COMMENT ON TABLE coterie.appdata_hook IS 'One row per node and hook for files of the share: what it was given already.';
COMMENT ON COLUMN coterie.appdata_hook.node IS 'Node on which it acts.';
COMMENT ON COLUMN coterie.appdata_hook.hook IS 'Name of the hook, in the configuration of that node.';
COMMENT ON COLUMN coterie.appdata_hook.seq IS 'Number of the last change that it was given, wanted or not.';
COMMENT ON COLUMN coterie.appdata_hook.heeded_at IS 'When that was.';
COMMENT ON COLUMN coterie.appdata_hook.acted IS 'How often it has acted.';
COMMENT ON COLUMN coterie.appdata_hook.acted_at IS 'When it last had.';
COMMENT ON COLUMN coterie.appdata_hook.trouble IS 'What went wrong then; empty when nothing did.';
