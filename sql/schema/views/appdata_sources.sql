CREATE OR REPLACE VIEW coterie.appdata_sources WITH (security_barrier) AS
SELECT t.name AS tree,
       c.source,
       count(*) AS changes,
       count(*) FILTER (WHERE c.at > coterie.clock() - interval '1 day') AS changes_today,
       percentile_disc(0.5) WITHIN GROUP (ORDER BY c.latency) AS latency_p50,
       percentile_disc(0.99) WITHIN GROUP (ORDER BY c.latency) AS latency_p99,
       max(c.latency) AS latency_most,
       max(c.at) AS last_at
FROM coterie.appdata_change c
JOIN coterie.appdata_tree t ON t.id = c.tree
GROUP BY t.name, c.source;
COMMENT ON VIEW coterie.appdata_sources IS 'How complete the journal is: a row per tree and source. What a scan found is what no watch had told of: it came from elsewhere, or was missed.';
COMMENT ON COLUMN coterie.appdata_sources.tree IS 'share, or node/NAME.';
COMMENT ON COLUMN coterie.appdata_sources.source IS 'How changes were noticed: watch or scan.';
COMMENT ON COLUMN coterie.appdata_sources.changes IS 'Changes in the journal, which keeps thirty days.';
COMMENT ON COLUMN coterie.appdata_sources.changes_today IS 'Those of the last day.';
COMMENT ON COLUMN coterie.appdata_sources.latency_p50 IS 'How long after a change it was noticed, by the clock of the share: median.';
COMMENT ON COLUMN coterie.appdata_sources.latency_p99 IS 'The same, 99th percentile.';
COMMENT ON COLUMN coterie.appdata_sources.latency_most IS 'The same, at most.';
COMMENT ON COLUMN coterie.appdata_sources.last_at IS 'When the last one was written.';
