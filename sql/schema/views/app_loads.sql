CREATE OR REPLACE VIEW coterie.app_loads WITH (security_barrier) AS
SELECT l.path, l.node, l.state, l.taken_at, l.loaded_at, l.digest FROM coterie.app_load l;
COMMENT ON VIEW coterie.app_loads IS 'A row per file that one server of the cluster executes into the common database, or has.';
COMMENT ON COLUMN coterie.app_loads.path IS 'Path below the installation.';
COMMENT ON COLUMN coterie.app_loads.node IS 'Node whose server executes it, or has.';
COMMENT ON COLUMN coterie.app_loads.state IS 'taken (that server may execute it) or loaded.';
COMMENT ON COLUMN coterie.app_loads.taken_at IS 'When the node took it.';
COMMENT ON COLUMN coterie.app_loads.loaded_at IS 'When it was said to be loaded.';
COMMENT ON COLUMN coterie.app_loads.digest IS 'SHA-256 of its content.';
