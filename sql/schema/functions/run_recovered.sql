CREATE OR REPLACE FUNCTION coterie.run_recovered(p_jobs text[], p_due_ats timestamptz[], p_outcomes coterie.run_outcome[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp SET enable_seqscan = off AS $$
BEGIN
    -- Most often nothing is in trouble, and this is one look at an empty table.
    WITH over AS (
        DELETE FROM coterie.trouble t
        USING unnest(p_jobs, p_due_ats, p_outcomes) AS e (job, due_at, outcome)
        WHERE e.outcome = 'succeeded' AND t.job = e.job
        RETURNING t.job, e.due_at, t.since, t.times
    )
    INSERT INTO coterie.notice (job, due_at, kind, node, times, text)
    SELECT o.job, o.due_at, 'recovered', r.node, o.times,
           format('it succeeds again, after %s in trouble since %s', o.times, to_char(o.since AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS "UTC"'))
    FROM over o JOIN coterie.run r ON r.job = o.job AND r.due_at = o.due_at
    ON CONFLICT DO NOTHING;
END $$;
COMMENT ON FUNCTION coterie.run_recovered(text[], timestamptz[], coterie.run_outcome[]) IS
    'Ends the trouble of jobs of which a run has succeeded, and has hooks tell so.';
REVOKE ALL ON FUNCTION coterie.run_recovered(text[], timestamptz[], coterie.run_outcome[]) FROM PUBLIC;
