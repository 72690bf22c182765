-- needs 43
-- What a cluster must know of its application: how each server is set, and which of
-- its load files have been given to the common database.

CREATE TABLE coterie.app_setting (
    node    text PRIMARY KEY REFERENCES coterie.node (name) ON DELETE CASCADE,
    product text NOT NULL CHECK (length(product) BETWEEN 1 AND 100),
    told    jsonb NOT NULL CHECK (jsonb_typeof(told) = 'object' AND length(told::text) <= 65536),
    told_at timestamptz NOT NULL DEFAULT coterie.clock()
);
COMMENT ON TABLE coterie.app_setting IS 'One row per node that has told how its application is set.';
COMMENT ON COLUMN coterie.app_setting.node IS 'Name of the node.';
COMMENT ON COLUMN coterie.app_setting.product IS 'Name of the profile by which it was read.';
COMMENT ON COLUMN coterie.app_setting.told IS 'Values by the names of settings (FILE#KEY), without passwords; of a whole file (FILE) a digest with the salt of the cluster, which is not shown.';
COMMENT ON COLUMN coterie.app_setting.told_at IS 'When it was told.';

CREATE TABLE coterie.app_load (
    path       text NOT NULL CHECK (length(path) BETWEEN 1 AND 1000),
    digest     text NOT NULL CHECK (digest ~ '^[0-9a-f]{64}$'),
    node       text NOT NULL,
    state      text NOT NULL DEFAULT 'taken' CHECK (state IN ('taken', 'loaded')),
    taken_at   timestamptz NOT NULL DEFAULT coterie.clock(),
    loaded_at  timestamptz,
    -- The first to take a file is the only one: who comes second has nothing to take.
    PRIMARY KEY (path, digest),
    CHECK ((loaded_at IS NOT NULL) = (state = 'loaded'))
);
COMMENT ON TABLE coterie.app_load IS 'One row per file that a server executes into the common database when it starts, and that one server of the cluster may execute.';
COMMENT ON COLUMN coterie.app_load.path IS 'Path below the installation, quoted.';
COMMENT ON COLUMN coterie.app_load.digest IS 'SHA-256 of its content: another content is another file.';
COMMENT ON COLUMN coterie.app_load.node IS 'Node whose server executes it, or has. It outlives the node.';
COMMENT ON COLUMN coterie.app_load.state IS 'taken (that server may execute it) or loaded.';
COMMENT ON COLUMN coterie.app_load.taken_at IS 'When the node took it.';
COMMENT ON COLUMN coterie.app_load.loaded_at IS 'When it was said to be loaded.';
