CREATE OR REPLACE VIEW coterie.license_servers WITH (security_barrier) AS
WITH seen AS (
    SELECT g.host, g.port, count(*) AS nodes, count(*) FILTER (WHERE g.answers) AS answered, max(g.checked_at) AS checked_at, min(g.latency_ms) AS latency_ms,
           max(g.since) AS since, min(g.reason) FILTER (WHERE NOT g.answers) AS reason
    FROM coterie.license_sight g
    JOIN coterie.session n ON n.node = g.node AND n.expires_at > coterie.clock()
    GROUP BY g.host, g.port
), each AS (
    SELECT s.place, s.host, s.port, coalesce(e.nodes, 0) AS nodes, coalesce(e.answered, 0) AS answered, e.checked_at, e.latency_ms, e.since, e.reason,
           coalesce(e.answered > 0 AND e.answered = e.nodes, false) AS up
    FROM coterie.license_server s
    LEFT JOIN seen e ON e.host = s.host AND e.port = s.port
)
SELECT e.place,
       e.port || '@' || e.host AS server,
       CASE WHEN e.nodes = 0 THEN 'unknown' WHEN e.up THEN 'up' WHEN e.answered > 0 THEN 'partly' ELSE 'down' END AS state,
       e.nodes,
       e.answered,
       e.latency_ms,
       e.since,
       e.checked_at,
       e.reason,
       count(*) FILTER (WHERE e.up) OVER () AS servers_up,
       count(*) OVER () AS servers,
       -- A triad works while two of its three do; a server by itself, or either of a list, is enough.
       CASE WHEN sum(e.nodes) OVER () > 0 THEN count(*) FILTER (WHERE e.up) OVER () >= CASE WHEN count(*) OVER () = 3 THEN 2 ELSE 1 END END AS quorum
FROM each e;
COMMENT ON VIEW coterie.license_servers IS 'A row per external licence server: whether it answers, seen from the nodes that live.';
COMMENT ON COLUMN coterie.license_servers.place IS 'Its place in the list.';
COMMENT ON COLUMN coterie.license_servers.server IS 'port@host.';
COMMENT ON COLUMN coterie.license_servers.state IS 'up (every node reaches it), partly, down, or unknown (no node has looked).';
COMMENT ON COLUMN coterie.license_servers.nodes IS 'Nodes that looked.';
COMMENT ON COLUMN coterie.license_servers.answered IS 'Nodes that it answered.';
COMMENT ON COLUMN coterie.license_servers.latency_ms IS 'Shortest time that a connection took, in milliseconds.';
COMMENT ON COLUMN coterie.license_servers.since IS 'When a node last saw it change.';
COMMENT ON COLUMN coterie.license_servers.checked_at IS 'When a node looked last.';
COMMENT ON COLUMN coterie.license_servers.reason IS 'Why it does not answer, as one node says.';
COMMENT ON COLUMN coterie.license_servers.servers_up IS 'Servers that are up.';
COMMENT ON COLUMN coterie.license_servers.servers IS 'Servers of the list.';
COMMENT ON COLUMN coterie.license_servers.quorum IS 'Whether enough are up: two of three, or one of another number; null while nobody has looked.';
