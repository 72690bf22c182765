CREATE OR REPLACE VIEW coterie.status WITH (security_barrier) AS
WITH node AS (
    SELECT n.name, n.state, n.goal, n.app_version
    FROM coterie.nodes n
    WHERE n.state NOT IN ('left', 'evicted')
), sums AS (
    SELECT count(*) AS total,
           count(*) FILTER (WHERE state = 'ready') AS ready,
           count(*) FILTER (WHERE state = 'joining') AS joining,
           count(*) FILTER (WHERE state IN ('dead', 'suspect')) AS silent,
           count(*) FILTER (WHERE state <> 'ready' AND goal = 'ready') AS amiss,
           -- Few are told by name, many by number.
           CASE WHEN count(*) FILTER (WHERE state <> 'ready') <= 3
                THEN string_agg(name || ' is ' || state, ', ' ORDER BY name) FILTER (WHERE state <> 'ready')
                ELSE (SELECT string_agg(n || ' ' || state, ', ' ORDER BY state)
                      FROM (SELECT state, count(*) AS n FROM node WHERE state <> 'ready' GROUP BY state) AS s) END AS others,
           string_agg(DISTINCT app_version, ', ' ORDER BY app_version) FILTER (WHERE app_version <> '') AS app_version
    FROM node
), open AS (
    SELECT count(*) AS findings FROM coterie.findings f WHERE f.severity <> 'note'
)
SELECT c.name,
       c.id,
       CASE WHEN s.total = 0 THEN 'Initializing'
            WHEN s.silent = s.total THEN 'Down'
            WHEN s.ready = 0 AND s.joining > 0 THEN 'Initializing'
            WHEN s.ready = 0 OR s.amiss > 0 OR o.findings > 0 THEN 'Degraded'
            ELSE 'Up' END AS status,
       s.ready AS nodes_ready,
       s.total AS nodes_total,
       s.app_version,
       c.era,
       (SELECT max(v.version) FROM coterie.schema_version v) AS schema_version,
       o.findings AS findings_open,
       CASE WHEN s.total = 0 THEN 'No node has joined yet.'
            WHEN s.ready = s.total AND s.total = 1 THEN 'The only node is ready.'
            WHEN s.ready = s.total THEN format('All %s nodes are ready.', s.total)
            WHEN s.ready = 0 THEN format('No node is ready: %s.', s.others)
            ELSE format('%s of %s nodes %s ready; %s.', s.ready, s.total, CASE s.ready WHEN 1 THEN 'is' ELSE 'are' END, s.others) END
       || CASE o.findings WHEN 0 THEN '' WHEN 1 THEN ' 1 thing needs attention.'
          ELSE format(' %s things need attention.', o.findings) END AS sentence
FROM coterie.cluster c, sums s, open o;
COMMENT ON VIEW coterie.status IS 'How the cluster is: one row, or none before it is initialised.';
COMMENT ON COLUMN coterie.status.name IS 'Name of the cluster.';
COMMENT ON COLUMN coterie.status.id IS 'Identity of the cluster, made once.';
COMMENT ON COLUMN coterie.status.status IS 'Up (every node is as it should be), Initializing (no node is ready yet), Degraded (somebody should look) or Down (no node is alive).';
COMMENT ON COLUMN coterie.status.nodes_ready IS 'Nodes that are ready.';
COMMENT ON COLUMN coterie.status.nodes_total IS 'Nodes that belong to the cluster: all that did not leave.';
COMMENT ON COLUMN coterie.status.app_version IS 'Version of the application; several while they differ.';
COMMENT ON COLUMN coterie.status.era IS 'High part of every token.';
COMMENT ON COLUMN coterie.status.schema_version IS 'Version of this schema.';
COMMENT ON COLUMN coterie.status.findings_open IS 'Open findings, without mere notes.';
COMMENT ON COLUMN coterie.status.sentence IS 'All of it in words.';
