CREATE OR REPLACE VIEW coterie.renewals WITH (security_barrier) AS
SELECT r.name, r.node, r.begun_at, r.ended_at, r.version, r.failures, r.failing AS failing_since, r.error, r.next_at, r.token
FROM coterie.renewal r;
COMMENT ON VIEW coterie.renewals IS 'A row per keystore whose certificate a program renews: the last attempt.';
COMMENT ON COLUMN coterie.renewals.name IS 'Name of the keystore.';
COMMENT ON COLUMN coterie.renewals.node IS 'Node that ran the program.';
COMMENT ON COLUMN coterie.renewals.begun_at IS 'When the attempt began.';
COMMENT ON COLUMN coterie.renewals.ended_at IS 'When it ended; null while it goes on, or when its node died.';
COMMENT ON COLUMN coterie.renewals.version IS 'Version that was staged; null when none was.';
COMMENT ON COLUMN coterie.renewals.failures IS 'Attempts in a row that failed.';
COMMENT ON COLUMN coterie.renewals.failing_since IS 'When the first of them ended.';
COMMENT ON COLUMN coterie.renewals.error IS 'Why the last one failed.';
COMMENT ON COLUMN coterie.renewals.next_at IS 'Not before this another attempt begins.';
COMMENT ON COLUMN coterie.renewals.token IS 'Token of the lease under which it ran.';
