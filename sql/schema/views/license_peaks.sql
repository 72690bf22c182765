CREATE OR REPLACE VIEW coterie.license_peaks WITH (security_barrier) AS
SELECT k.pool,
       h.hour,
       CASE WHEN h.hour = k.hour THEN k.peak ELSE k.closing END AS peak,
       CASE WHEN h.hour = k.hour THEN k.over ELSE 0 END AS over,
       k.entitled,
       h.hour = k.hour AS moved
FROM (SELECT pool, hour, peak, over, closing, entitled, lead(hour) OVER (PARTITION BY pool ORDER BY hour) AS next FROM coterie.license_peak) AS k
CROSS JOIN LATERAL generate_series(k.hour, greatest(k.hour, coalesce(k.next - interval '1 hour', date_trunc('hour', coterie.clock(), 'UTC'))), interval '1 hour') AS h (hour);
COMMENT ON VIEW coterie.license_peaks IS 'A row per pool and hour: the most seats held at once, exactly.';
COMMENT ON COLUMN coterie.license_peaks.pool IS 'Pool.';
COMMENT ON COLUMN coterie.license_peaks.hour IS 'Beginning of the hour.';
COMMENT ON COLUMN coterie.license_peaks.peak IS 'Most seats held at once, also beyond the entitlement.';
COMMENT ON COLUMN coterie.license_peaks.over IS 'Most seats held at once beyond the entitlement.';
COMMENT ON COLUMN coterie.license_peaks.entitled IS 'Entitlement, as of the last change.';
COMMENT ON COLUMN coterie.license_peaks.moved IS 'Whether any seat was taken or given back in that hour.';
