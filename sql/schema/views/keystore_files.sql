CREATE OR REPLACE VIEW coterie.keystore_files WITH (security_barrier) AS
SELECT f.name, f.path, f.version, f.error = '' AND f.version IS NOT NULL AND f.version = a.version AS ok, f.node, f.token, f.written_at, f.error, f.sha256,
       a.version AS active_version, f.seen_at
FROM coterie.keystore_file f
LEFT JOIN coterie.keystore a ON a.name = f.name AND a.state = 'active';
COMMENT ON VIEW coterie.keystore_files IS 'A row per keystore that has a copy on the share.';
COMMENT ON COLUMN coterie.keystore_files.name IS 'Name of the keystore.';
COMMENT ON COLUMN coterie.keystore_files.path IS 'Path of the copy below the share.';
COMMENT ON COLUMN coterie.keystore_files.version IS 'Version that it has; null when it is none of the database''s.';
COMMENT ON COLUMN coterie.keystore_files.ok IS 'Whether it has the active version.';
COMMENT ON COLUMN coterie.keystore_files.node IS 'Node that looked last.';
COMMENT ON COLUMN coterie.keystore_files.token IS 'Token of the lease under which it did.';
COMMENT ON COLUMN coterie.keystore_files.written_at IS 'When it was written last; null when it was as it should be.';
COMMENT ON COLUMN coterie.keystore_files.error IS 'Why it could not be written.';
COMMENT ON COLUMN coterie.keystore_files.sha256 IS 'SHA-256 of the file; null when there is none.';
COMMENT ON COLUMN coterie.keystore_files.active_version IS 'Version that it should have.';
COMMENT ON COLUMN coterie.keystore_files.seen_at IS 'When this was told.';
