CREATE OR REPLACE FUNCTION coterie.findings_of_licenses() RETURNS SETOF coterie.finding
LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 10 SET search_path = pg_catalog, coterie, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM coterie.license_pool) THEN
        RETURN QUERY
        WITH alive AS (
            SELECT s.node AS name, n.state, s.started_at
            FROM coterie.session s JOIN coterie.node n ON n.name = s.node WHERE s.expires_at > coterie.clock()
        ), license AS (
            SELECT v.pool, v.entitled, v.in_use, v.overdraft, v.excess, v.kind, v.shared_by, v.enforced, v.warn_at, v.used_pct, v.by_node
            FROM coterie.license_pools v
        )
        SELECT 'COT-811', 'warning', l.pool, NULL::timestamptz,
               format('%s: %s of %s seats are held (%s %%)', l.pool, l.in_use + l.overdraft + l.excess, l.entitled, l.used_pct),
               format('coterie license seats %s', l.pool)
        FROM license l
        -- Where each server or named user has a seat, all of them are held when all is well.
        WHERE l.enforced AND l.used_pct >= l.warn_at AND l.kind NOT IN ('servers', 'nodes', 'named')
        UNION ALL
        SELECT 'COT-812', 'warning', l.pool, NULL::timestamptz,
               format('%s: %s more at work than there are seats', l.pool, l.excess), format('coterie license seats %s', l.pool)
        FROM license l WHERE l.excess > 0
        UNION ALL
        SELECT 'COT-813', 'warning', a.name, a.started_at,
               format('%s has no seat of %s', a.name, l.pool), format('coterie license seats %s; coterie license denials %s says why', l.pool, l.pool)
        FROM license l CROSS JOIN alive a
        WHERE l.kind IN ('servers', 'nodes') AND l.shared_by = 'node' AND a.state = 'ready' AND NOT coalesce(l.by_node ? a.name, false)
        UNION ALL
        SELECT 'COT-815', 'warning', e.pool, e.ends_at,
               format('%s: %s seats%s end on %s', e.pool, e.seats, CASE WHEN e.serial <> 'plain' THEN ' of ' || e.serial ELSE '' END, to_char(e.ends_at AT TIME ZONE 'UTC', 'YYYY-MM-DD')),
               'load the next licence file before then'
        FROM coterie.license_entitlement e
        WHERE e.ends_at > coterie.clock() AND e.ends_at < coterie.clock() + interval '30 days'
        UNION ALL
        SELECT 'COT-816', 'note', d.pool, min(d.first_at),
               format('%s: %s refusals within the last hour', d.pool, sum(d.times)), 'coterie license denials'
        FROM coterie.license_denial d WHERE d.hour >= coterie.clock() - interval '2 hours' AND d.last_at > coterie.clock() - interval '1 hour' GROUP BY d.pool
        UNION ALL
        SELECT 'COT-817', 'warning', l.pool, NULL::timestamptz,
               format('%s: %s held, and at least %s should be', l.pool, l.in_use + l.overdraft + l.excess, r.least),
               CASE WHEN r.per_node THEN 'start more nodes, or find out why they are not ready: coterie nodes' ELSE format('coterie license seats %s', l.pool) END
        FROM license l JOIN coterie.license_rules r ON r.name = l.pool
        WHERE l.in_use + l.overdraft + l.excess < r.least;
    END IF;
    IF EXISTS (SELECT FROM coterie.license_server) THEN
        RETURN QUERY
        SELECT 'COT-814', 'error', 'licence servers', max(s.since),
               format('%s of %s licence servers answer', max(s.servers_up), max(s.servers)), 'coterie license servers'
        FROM coterie.license_servers s WHERE s.nodes > 0 HAVING NOT bool_or(s.quorum);
    END IF;
END $$;
COMMENT ON FUNCTION coterie.findings_of_licenses() IS 'Open problems of licences: of pools, and of licence servers.';
REVOKE ALL ON FUNCTION coterie.findings_of_licenses() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.findings_of_licenses() TO coterie_reader;
