CREATE OR REPLACE VIEW coterie.trust_renderings WITH (security_barrier) AS
SELECT t.node, t.version, s.version AS newest,
       CASE WHEN t.state IN ('rendered', 'none') AND t.digest <> s.digest THEN 'behind' ELSE t.state::text END AS state,
       t.digest = s.digest AND t.state IN ('rendered', 'none') AS ok,
       nullif(t.address, '') AS address, t.error,
       CASE WHEN t.state IN ('rendered', 'none') THEN greatest(s.made_at, t.reported_at) ELSE t.reported_at END AS since,
       t.reported_at
FROM coterie.trust_node t
JOIN coterie.node n ON n.name = t.node AND n.state NOT IN ('left', 'evicted')
CROSS JOIN LATERAL (SELECT o.version, o.digest, o.made_at FROM coterie.trust_store o ORDER BY o.version DESC LIMIT 1) s;
COMMENT ON VIEW coterie.trust_renderings IS 'A row per node that takes part in trust: which version of the trust store it has.';
COMMENT ON COLUMN coterie.trust_renderings.node IS 'Name of the node.';
COMMENT ON COLUMN coterie.trust_renderings.version IS 'Version that it has.';
COMMENT ON COLUMN coterie.trust_renderings.newest IS 'Version that it should have.';
COMMENT ON COLUMN coterie.trust_renderings.state IS 'rendered, none (no file is wanted there), behind, failed, or foreign: a file of somebody else is in the way.';
COMMENT ON COLUMN coterie.trust_renderings.ok IS 'Whether it has what it should have.';
COMMENT ON COLUMN coterie.trust_renderings.address IS 'host:port at which the others call its server; null when it has none.';
COMMENT ON COLUMN coterie.trust_renderings.error IS 'What went wrong.';
COMMENT ON COLUMN coterie.trust_renderings.since IS 'Since when it is so.';
COMMENT ON COLUMN coterie.trust_renderings.reported_at IS 'When the node reported last.';
