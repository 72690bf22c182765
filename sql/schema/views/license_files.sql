CREATE OR REPLACE VIEW coterie.license_files WITH (security_barrier) AS
SELECT f.serial, f.issuer, f.signed_by, f.applied_at, f.applied_by, e.pool, e.seats,
       CASE WHEN isfinite(e.begins_at) THEN e.begins_at END AS begins_at, CASE WHEN isfinite(e.ends_at) THEN e.ends_at END AS ends_at, e.addresses, f.document, f.signature
FROM coterie.license_entitlement e
LEFT JOIN coterie.license_file f ON f.serial = e.serial;
COMMENT ON VIEW coterie.license_files IS 'A row per entitlement: a pool in a signed file, or an operator''s plain word (serial is null).';
COMMENT ON COLUMN coterie.license_files.serial IS 'Serial of the file; null for an operators word.';
COMMENT ON COLUMN coterie.license_files.issuer IS 'Who issued the file.';
COMMENT ON COLUMN coterie.license_files.signed_by IS 'Fingerprint of the key that verified it.';
COMMENT ON COLUMN coterie.license_files.applied_at IS 'When the file was applied.';
COMMENT ON COLUMN coterie.license_files.applied_by IS 'Role that applied it.';
COMMENT ON COLUMN coterie.license_files.pool IS 'Pool.';
COMMENT ON COLUMN coterie.license_files.seats IS 'Seats.';
COMMENT ON COLUMN coterie.license_files.begins_at IS 'When they begin.';
COMMENT ON COLUMN coterie.license_files.ends_at IS 'When they end.';
COMMENT ON COLUMN coterie.license_files.addresses IS 'Addresses of nodes that they are bound to.';
COMMENT ON COLUMN coterie.license_files.document IS 'What was signed.';
COMMENT ON COLUMN coterie.license_files.signature IS 'Its signature.';
