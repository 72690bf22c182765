CREATE OR REPLACE VIEW coterie.expiries WITH (security_barrier) AS
SELECT e.job, e.place, e.alias, e.node, e.subject, e.issuer, e.fingerprint, e.not_before, e.not_after,
       e.not_after - coterie.clock() AS expires_in, e.trouble, e.checked_at,
       CASE WHEN e.not_after <= coterie.clock() + interval '1 day' THEN 'error'
            WHEN e.trouble IS NOT NULL OR e.not_after <= coterie.clock() + interval '7 days' OR e.not_before > coterie.clock() THEN 'warning'
            WHEN e.not_after <= coterie.clock() + interval '30 days' THEN 'note' END AS severity,
       CASE WHEN e.not_after <= coterie.clock() THEN 'ended on ' || to_char(e.not_after AT TIME ZONE 'UTC', 'YYYY-MM-DD')
            WHEN e.not_after <= coterie.clock() + interval '30 days'
            THEN format('ends on %s, in %s days', to_char(e.not_after AT TIME ZONE 'UTC', 'YYYY-MM-DD'), extract(day FROM e.not_after - coterie.clock()))
            WHEN e.not_before > coterie.clock() THEN 'begins only on ' || to_char(e.not_before AT TIME ZONE 'UTC', 'YYYY-MM-DD')
            ELSE e.trouble END AS what
FROM coterie.expiry e;
COMMENT ON VIEW coterie.expiries IS 'Certificates as the action coterie.check-certificates saw them last: files, keystores, and what addresses serve.';
COMMENT ON COLUMN coterie.expiries.job IS 'Job that looked.';
COMMENT ON COLUMN coterie.expiries.place IS 'File, or host:port.';
COMMENT ON COLUMN coterie.expiries.alias IS 'Which one there: an alias, a number, served, or one of a chain.';
COMMENT ON COLUMN coterie.expiries.node IS 'Node that looked; a path outside the share is on that node.';
COMMENT ON COLUMN coterie.expiries.subject IS 'Whose certificate it is.';
COMMENT ON COLUMN coterie.expiries.issuer IS 'Who issued it.';
COMMENT ON COLUMN coterie.expiries.fingerprint IS 'SHA-256 of the certificate.';
COMMENT ON COLUMN coterie.expiries.not_before IS 'From when on it is valid.';
COMMENT ON COLUMN coterie.expiries.not_after IS 'Until when it is valid; null when it could not be seen.';
COMMENT ON COLUMN coterie.expiries.expires_in IS 'How long it is valid still; negative when it has ended.';
COMMENT ON COLUMN coterie.expiries.trouble IS 'What is wrong with it, or why it could not be seen.';
COMMENT ON COLUMN coterie.expiries.checked_at IS 'When it was looked at.';
COMMENT ON COLUMN coterie.expiries.severity IS 'error: it ends within a day, or has ended; warning: within 7 days, or there is trouble; note: within 30 days; null: all is well.';
COMMENT ON COLUMN coterie.expiries.what IS 'Why somebody should look at it, in words.';
