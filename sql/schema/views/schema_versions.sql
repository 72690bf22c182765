CREATE OR REPLACE VIEW coterie.schema_versions WITH (security_barrier) AS
SELECT v.version, v.name, v.sha256, v.needs, v.applied_at, v.applied_by
FROM coterie.schema_version v;
COMMENT ON VIEW coterie.schema_versions IS 'Migrations of this schema that were applied; number 0 stands for its functions and views.';
COMMENT ON COLUMN coterie.schema_versions.version IS 'Number of the migration; the highest is the version of the schema.';
COMMENT ON COLUMN coterie.schema_versions.name IS 'Name of the migration.';
COMMENT ON COLUMN coterie.schema_versions.sha256 IS 'Digest of what was applied.';
COMMENT ON COLUMN coterie.schema_versions.needs IS 'Lowest schema version that a program must have been built for to work with the database since.';
COMMENT ON COLUMN coterie.schema_versions.applied_at IS 'When it was applied.';
COMMENT ON COLUMN coterie.schema_versions.applied_by IS 'Role that applied it.';
