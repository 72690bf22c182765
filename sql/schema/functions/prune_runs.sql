CREATE OR REPLACE FUNCTION coterie.prune_runs(p_from text, p_most integer) RETURNS TABLE (pruned bigint, next_job text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp SET enable_seqscan = off AS $$
DECLARE
    begun timestamptz := coterie.clock();
    which text;
    until timestamptz;
    gone bigint;
BEGIN
    -- A little at a time, so that nobody waits for it: what is locked is left for the next time, and after 25 ms
    -- the caller is told where to go on.
    pruned := 0;
    SELECT r.job INTO which FROM coterie.run r WHERE r.job >= coalesce(p_from, '') ORDER BY r.job LIMIT 1;
    WHILE which IS NOT NULL LOOP
        SELECT coterie.clock() - coalesce(j.keep, s.keep_runs) INTO until
        FROM coterie.setting s LEFT JOIN coterie.job j ON j.name = which;
        -- The last slot of the schedule tells the next one, and stays.
        IF EXISTS (SELECT FROM coterie.job j WHERE j.name = which AND NOT j.queue) THEN
            until := least(until, coterie.run_accounted(which));
        END IF;
        WITH old AS (
            SELECT r.due_at FROM coterie.run r
            WHERE r.job = which AND r.due_at < until AND r.outcome <> 'running'
            ORDER BY r.due_at LIMIT p_most - pruned FOR UPDATE SKIP LOCKED
        ), said AS (
            DELETE FROM coterie.output o USING old WHERE o.job = which AND o.due_at = old.due_at
        ), reached AS (
            DELETE FROM coterie.progress g USING old WHERE g.job = which AND g.due_at = old.due_at
        )
        DELETE FROM coterie.run r USING old WHERE r.job = which AND r.due_at = old.due_at;
        GET DIAGNOSTICS gone = ROW_COUNT;
        pruned := pruned + gone;
        EXIT WHEN pruned >= p_most; -- there may be more of this job
        SELECT r.job INTO which FROM coterie.run r WHERE r.job > which ORDER BY r.job LIMIT 1;
        EXIT WHEN coterie.clock() > begun + interval '25ms';
    END LOOP;
    next_job := which;
    RETURN NEXT;
END $$;
COMMENT ON FUNCTION coterie.prune_runs(text, integer) IS
    'Deletes some of the runs that are older than their job, or the setting keep_runs, says they are kept, of jobs from a name on; returns how many, and the job to go on with, null when all were looked at.';
REVOKE ALL ON FUNCTION coterie.prune_runs(text, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.prune_runs(text, integer) TO coterie_agent;
