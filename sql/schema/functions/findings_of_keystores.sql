CREATE OR REPLACE FUNCTION coterie.findings_of_keystores() RETURNS SETOF coterie.finding
LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 10 SET search_path = pg_catalog, coterie, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM coterie.expiry) THEN
        RETURN QUERY
        SELECT CASE WHEN v.not_after IS NULL OR v.what = v.trouble THEN 'COT-531' ELSE 'COT-530' END, v.severity, v.place,
               coalesce(v.not_after - CASE v.severity WHEN 'error' THEN interval '1 day' WHEN 'warning' THEN interval '7 days' ELSE interval '30 days' END, v.checked_at),
               left(format('%s%s: %s%s', v.place, CASE WHEN v.alias <> '' THEN format(' (%s)', v.alias) END,
                           CASE WHEN v.not_after IS NOT NULL THEN format('the certificate of %s ', v.subject) END, v.what), 500),
               format('put a new one in its place, and look again: coterie run %s', v.job)
        FROM coterie.expiries v WHERE v.severity IS NOT NULL;
    END IF;
    IF EXISTS (SELECT FROM coterie.keystore) THEN
        RETURN QUERY
        WITH alive AS (
            SELECT s.node AS name FROM coterie.session s WHERE s.expires_at > coterie.clock()
        )
        SELECT 'COT-530', CASE WHEN k.not_after <= coterie.clock() + interval '1 day' THEN 'error' WHEN k.not_after <= coterie.clock() + interval '7 days' THEN 'warning' ELSE 'note' END,
               k.name, k.not_after - CASE WHEN k.not_after <= coterie.clock() + interval '1 day' THEN interval '1 day' WHEN k.not_after <= coterie.clock() + interval '7 days' THEN interval '7 days' ELSE interval '30 days' END,
               left(format('keystore %s: the certificate of version %s ends on %s', k.name, k.version, to_char(k.not_after AT TIME ZONE 'UTC', 'YYYY-MM-DD')), 500),
               'stage a new one: coterie keystore stage FILE, then coterie keystore activate'
        FROM coterie.keystore k WHERE k.state = 'active' AND k.not_after <= coterie.clock() + interval '30 days'
        UNION ALL
        SELECT 'COT-926', CASE c.state WHEN 'failed' THEN 'error' ELSE 'warning' END, c.node, c.reported_at,
               left(format('%s: keystore %s: %s', c.node, c.keystore, coalesce(nullif(c.error, ''), c.state)), 500),
               'coterie keystore status; then start its agent again, or coterie keystore place'
        FROM coterie.certificates c JOIN alive a ON a.name = c.node WHERE c.state IN ('drifted', 'failed')
        UNION ALL
        SELECT 'COT-924', 'warning', r.name, r.moved_at,
               left(format('version %s of %s is on its way back: %s', r.version, r.name, r.failure), 500), 'coterie keystore status'
        FROM coterie.keystore_rollouts r WHERE r.phase = 'back' AND r.overdue;
    END IF;
END $$;
COMMENT ON FUNCTION coterie.findings_of_keystores() IS 'Open problems of certificates: of the cluster''s keystores, and of other files that jobs look at.';
REVOKE ALL ON FUNCTION coterie.findings_of_keystores() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.findings_of_keystores() TO coterie_reader;
