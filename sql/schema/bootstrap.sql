-- What must stand before the first migration: the record of migrations itself.
-- Applied at every upgrade, so each statement must be repeatable.

-- Functions are for whom a GRANT names; PUBLIC never gets one by default.
ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;

CREATE TABLE IF NOT EXISTS coterie.schema_version (
    version    integer PRIMARY KEY CHECK (version >= 0),
    name       text NOT NULL,
    sha256     text NOT NULL CHECK (sha256 ~ '^[0-9a-f]{64}$'),
    needs      integer NOT NULL CHECK (needs >= 0),
    applied_at timestamptz NOT NULL,
    applied_by text NOT NULL DEFAULT session_user
);
COMMENT ON TABLE coterie.schema_version IS 'One row per applied migration, and one with number 0 for the functions and views.';
COMMENT ON COLUMN coterie.schema_version.version IS 'Number of the migration; 0 stands for the functions and views as a whole.';
COMMENT ON COLUMN coterie.schema_version.name IS 'Name of the migration''s file.';
COMMENT ON COLUMN coterie.schema_version.sha256 IS 'Digest of what was applied; a migration never changes after it was applied.';
COMMENT ON COLUMN coterie.schema_version.needs IS 'Lowest schema version that a program must have been built for to work with the database after this migration.';
COMMENT ON COLUMN coterie.schema_version.applied_at IS 'When it was applied last, by the database''s clock.';
COMMENT ON COLUMN coterie.schema_version.applied_by IS 'Role that applied it.';
