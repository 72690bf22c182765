CREATE OR REPLACE VIEW coterie.license_reports WITH (security_barrier) AS
WITH used AS (
    SELECT k.pool, date_trunc('month', k.hour, 'UTC') AS month, max(k.entitled) AS entitled, max(k.peak) AS peak,
           (array_agg(k.hour ORDER BY k.peak DESC, k.hour))[1] AS peak_at, round(avg(k.peak), 1) AS mean_peak, max(k.over) AS peak_over,
           count(*) AS hours, count(*) FILTER (WHERE k.entitled > 0 AND k.peak >= k.entitled) AS hours_full
    FROM coterie.license_peaks k
    GROUP BY 1, 2
), refused AS (
    SELECT d.pool, date_trunc('month', d.hour, 'UTC') AS month, sum(d.times)::bigint AS denied, count(DISTINCT d.key) AS holders_denied
    FROM coterie.license_denial d
    GROUP BY 1, 2
)
SELECT pool, month, u.entitled, coalesce(u.peak, 0) AS peak, u.peak_at, u.mean_peak, coalesce(u.peak_over, 0) AS peak_over,
       coalesce(u.hours, 0) AS hours, coalesce(u.hours_full, 0) AS hours_full,
       coalesce(r.denied, 0) AS denied, coalesce(r.holders_denied, 0) AS holders_denied
FROM used u FULL JOIN refused r USING (pool, month);
COMMENT ON VIEW coterie.license_reports IS 'A row per pool and month: how much was used, and refused.';
COMMENT ON COLUMN coterie.license_reports.pool IS 'Pool.';
COMMENT ON COLUMN coterie.license_reports.month IS 'Beginning of the month, UTC.';
COMMENT ON COLUMN coterie.license_reports.entitled IS 'Highest entitlement.';
COMMENT ON COLUMN coterie.license_reports.peak IS 'Most seats held at once.';
COMMENT ON COLUMN coterie.license_reports.peak_at IS 'Hour in which that was.';
COMMENT ON COLUMN coterie.license_reports.mean_peak IS 'Mean of the peaks of its hours.';
COMMENT ON COLUMN coterie.license_reports.peak_over IS 'Most seats held at once beyond the entitlement.';
COMMENT ON COLUMN coterie.license_reports.hours IS 'Hours counted.';
COMMENT ON COLUMN coterie.license_reports.hours_full IS 'Hours in which all seats were held at some time.';
COMMENT ON COLUMN coterie.license_reports.denied IS 'Refusals.';
COMMENT ON COLUMN coterie.license_reports.holders_denied IS 'Holders who were refused at least once.';
