CREATE OR REPLACE FUNCTION coterie.run_resume(p_job text, p_token bigint)
RETURNS TABLE (accounted_at timestamptz, from_node text, freed_at timestamptz, freed_by text, acquired_at timestamptz,
               ran_due_at timestamptz, ran_attempt integer, ran_outcome coterie.run_outcome, ran_finished_at timestamptz, ran_asked boolean,
               checkpoint text, checkpoint_due_at timestamptz)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp SET enable_seqscan = off AS $$
DECLARE
    open coterie.run;
    ran coterie.run;
BEGIN
    -- Sequential scans are off because a plan lives as long as its session: one that was made while the
    -- tables were empty would read them whole ever after.
    SELECT r.* INTO open FROM coterie.run r WHERE r.job = p_job AND r.outcome = 'running' AND r.token < p_token;
    IF FOUND THEN
        PERFORM coterie.run_close_lost(open, coterie.run_fence(p_job, p_token));
    END IF;
    SELECT r.* INTO ran FROM coterie.run r WHERE r.job = p_job AND r.started_at IS NOT NULL ORDER BY r.due_at DESC LIMIT 1;
    RETURN QUERY
    SELECT nullif(coterie.run_accounted(p_job), '-infinity'), l.from_node, l.freed_at, l.freed_by, l.acquired_at,
           ran.due_at, ran.attempt::integer, ran.outcome, ran.finished_at, ran.requested_by IS NOT NULL,
           left_off.checkpoint, left_off.due_at
    FROM coterie.lease l
    LEFT JOIN LATERAL (SELECT g.checkpoint, g.due_at FROM coterie.progress g
                       WHERE g.job = p_job AND g.checkpoint IS NOT NULL ORDER BY g.due_at DESC LIMIT 1) AS left_off ON true
    WHERE l.name = 'job/' || p_job AND l.token = p_token;
END $$;
COMMENT ON FUNCTION coterie.run_resume(text, bigint) IS
    'What a new holder of a job''s lease starts from: the last slot that is accounted for, who held the lease before, the last run that there was, and the checkpoint of one that did not succeed. Closes the run that a former holder left open. No row when the token is not the lease''s.';
REVOKE ALL ON FUNCTION coterie.run_resume(text, bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.run_resume(text, bigint) TO coterie_agent;
