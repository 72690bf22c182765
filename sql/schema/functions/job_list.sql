CREATE OR REPLACE FUNCTION coterie.job_list() RETURNS TABLE (definition jsonb, requested_at timestamptz, requested_params jsonb)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT jsonb_strip_nulls(jsonb_build_object(
               'name', j.name, 'schedule', j.schedule, 'time_zone', j.time_zone, 'gap', j.gap, 'fold', j.fold,
               'starts_at', j.starts_at, 'ends_at', j.ends_at, 'jitter_ms', (extract(epoch FROM j.jitter) * 1000)::bigint,
               'exceptions', nullif(j.exceptions, '{}'), 'action', j.action,
               'timeout_ms', (extract(epoch FROM j.timeout) * 1000)::bigint,
               'stop_grace_ms', (extract(epoch FROM j.stop_grace) * 1000)::bigint,
               'overlap', j.overlap, 'misfire', j.misfire, 'misfire_limit', j.misfire_limit,
               'catch_up_ms', (extract(epoch FROM j.catch_up) * 1000)::bigint, 'retries', nullif(j.retries, 0),
               'retry_after_ms', (extract(epoch FROM j.retry_after) * 1000)::bigint,
               'retry_max_ms', (extract(epoch FROM j.retry_max) * 1000)::bigint, 'on_lost', j.on_lost, 'while_away', nullif(j.while_away, 'stop'),
               'priority', nullif(j.priority, 0), 'group_name', j.group_name, 'group_limit', g.runs_at_once,
               'requires', nullif(j.requires, '{}'), 'prefers', nullif(j.prefers, '{}'), 'apart', j.apart,
               'params', nullif(j.params, '{}'), 'keep_ms', (extract(epoch FROM j.keep) * 1000)::bigint,
               'long_after_ms', (extract(epoch FROM j.long_after) * 1000)::bigint, 'queue', nullif(j.queue, false),
               'enabled', j.enabled, 'since', j.since, 'generation', j.generation, 'pauses', p.pauses)),
           q.due_at, nullif(q.params, '{}')
    FROM coterie.job j
    LEFT JOIN LATERAL (SELECT w.due_at, w.params FROM coterie.request w
                       WHERE w.job = j.name AND NOT j.queue ORDER BY w.due_at LIMIT 1) AS q ON true
    LEFT JOIN coterie.job_group g ON g.name = j.group_name
    LEFT JOIN LATERAL (
        -- Pauses in which slots may have fallen due that have no row yet.
        SELECT jsonb_agg(jsonb_build_object('from', v.from_at, 'until', v.until_at, 'by', v.who, 'reason', coalesce(v.reason, '')) ORDER BY v.from_at) AS pauses
        FROM (SELECT j.paused_at, j.unpaused_at, j.paused_by, j.paused_reason WHERE j.paused_at IS NOT NULL
              UNION ALL
              SELECT c.paused_at, c.unpaused_at, c.paused_by, c.paused_reason FROM coterie.job_change c WHERE c.paused_at IS NOT NULL)
             AS v (from_at, until_at, who, reason)
        WHERE v.until_at IS NULL OR v.until_at > greatest(coterie.run_accounted(j.name), j.since)) AS p ON true
    ORDER BY j.name;
END $$;
COMMENT ON FUNCTION coterie.job_list() IS 'All definitions as job_apply reads them, each with the first run that was asked for and waits, and with the pauses that matter still.';
REVOKE ALL ON FUNCTION coterie.job_list() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.job_list() TO coterie_reader;
