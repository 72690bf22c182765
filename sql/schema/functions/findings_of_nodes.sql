CREATE OR REPLACE FUNCTION coterie.findings_of_nodes() RETURNS SETOF coterie.finding
LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 10 SET search_path = pg_catalog, coterie, pg_temp AS $$
BEGIN
    RETURN QUERY
    WITH node AS (
        SELECT n.name, n.state, n.version, n.app_version, n.host, n.address, n.started_at, n.last_seen_at, n.joined_at, n.db_rtt_ms
        FROM coterie.nodes n
        WHERE n.state NOT IN ('left', 'evicted')
    ), alive AS (
        SELECT * FROM node WHERE state NOT IN ('dead', 'suspect')
    ), versions AS (
        SELECT 'coterie' AS program, version, min(started_at) AS since, string_agg(name, ' ' ORDER BY name) AS names
        FROM alive WHERE version <> '' GROUP BY version
        UNION ALL
        SELECT 'the application', app_version, min(started_at), string_agg(name, ' ' ORDER BY name)
        FROM alive WHERE app_version <> '' GROUP BY app_version
    )
    SELECT 'COT-611', 'error', name, coalesce(last_seen_at, joined_at),
           format('%s is dead: its session has ended and it has not begun a new one', name),
           'look at the machine, and at systemctl status coterie on it'
    FROM node WHERE state = 'dead'
    UNION ALL
    SELECT 'COT-612', 'warning', name, last_seen_at,
           format('%s is late: its session has expired and nobody has ended it', name),
           'look at the machine, and at its way to the database'
    FROM node WHERE state = 'suspect'
    UNION ALL
    SELECT 'COT-613', 'warning', program, max(since),
           format('nodes run different versions of %s: %s', program, string_agg(format('%s (%s)', version, names), ', ' ORDER BY version)),
           'finish the upgrade'
    FROM versions GROUP BY program HAVING count(*) > 1
    UNION ALL
    SELECT 'COT-614', 'note', host, max(started_at),
           format('%s run on one host, %s', string_agg(name, ' ' ORDER BY name), host),
           'move one of them to another machine'
    FROM alive WHERE host <> '' GROUP BY host HAVING count(*) > 1
    UNION ALL
    SELECT 'COT-615', 'warning', a.name, a.started_at,
           format('%s says that it is reached at %s, which leads each other host to itself', a.name, a.address),
           'set node.address to a name or an address that other hosts reach'
    FROM alive a
    WHERE a.address ~* '^(localhost|127\.[0-9.]+|::1|0:0:0:0:0:0:0:1|0\.0\.0\.0|::)$' AND EXISTS (SELECT FROM alive b WHERE b.host <> a.host)
    UNION ALL
    SELECT 'COT-215', 'warning', name, last_seen_at,
           format('a heartbeat of %s takes %s ms', name, round(db_rtt_ms)),
           'look at the load of the database and the way to it'
    FROM alive WHERE db_rtt_ms > 20
    UNION ALL
    SELECT 'COT-107', 'warning', 'hand-overs', s.paused_at,
           format('hand-overs are paused by %s%s', coalesce(s.paused_by, 'somebody'), coalesce(': ' || s.paused_reason, '')),
           'coterie unpause'
    FROM coterie.setting s WHERE s.paused;
END $$;
COMMENT ON FUNCTION coterie.findings_of_nodes() IS 'Open problems of nodes, and of their hand-overs.';
REVOKE ALL ON FUNCTION coterie.findings_of_nodes() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.findings_of_nodes() TO coterie_reader;
