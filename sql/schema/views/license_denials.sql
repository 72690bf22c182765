CREATE OR REPLACE VIEW coterie.license_denials WITH (security_barrier) AS
SELECT d.pool,
       d.last_at AS at,
       d.holder,
       d.reason,
       d.times,
       d.first_at,
       d.node
FROM coterie.license_denial d;
COMMENT ON VIEW coterie.license_denials IS 'A row per refusal: the same holder and reason within an hour are one row.';
COMMENT ON COLUMN coterie.license_denials.pool IS 'Pool.';
COMMENT ON COLUMN coterie.license_denials.at IS 'When it was refused last.';
COMMENT ON COLUMN coterie.license_denials.holder IS 'Who asked.';
COMMENT ON COLUMN coterie.license_denials.reason IS 'Why it was refused.';
COMMENT ON COLUMN coterie.license_denials.times IS 'How often within the hour.';
COMMENT ON COLUMN coterie.license_denials.first_at IS 'When it was refused first.';
COMMENT ON COLUMN coterie.license_denials.node IS 'Node that asked last.';
