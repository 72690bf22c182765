CREATE OR REPLACE FUNCTION coterie.run_full(p_job coterie.job) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp SET enable_seqscan = off AS $$
DECLARE
    most integer;
BEGIN
    -- Sequential scans are off because a plan lives as long as its session: one that was made while the
    -- tables were empty would read them whole ever after.
    IF p_job.group_name IS NULL THEN
        RETURN false;
    END IF;
    -- Locked first, counted afterwards: whoever began a run meanwhile is seen.
    SELECT g.runs_at_once INTO most FROM coterie.job_group g WHERE g.name = p_job.group_name FOR NO KEY UPDATE;
    -- Room is kept for whoever waits with a higher priority, as long as he goes on asking.
    IF most > (SELECT count(*) FROM coterie.job j JOIN coterie.run r ON r.job = j.name AND r.outcome = 'running'
               WHERE j.group_name = p_job.group_name AND j.name <> p_job.name)
              + (SELECT count(*) FROM coterie.job j JOIN coterie.group_wait w ON w.job = j.name
                 WHERE j.group_name = p_job.group_name AND j.priority > p_job.priority AND w.asked_at > coterie.clock() - interval '3s') THEN
        DELETE FROM coterie.group_wait w WHERE w.job = p_job.name;
        RETURN false;
    END IF;
    INSERT INTO coterie.group_wait AS w (job, asked_at) VALUES (p_job.name, coterie.clock())
    ON CONFLICT (job) DO UPDATE SET asked_at = excluded.asked_at;
    RETURN true;
END $$;
COMMENT ON FUNCTION coterie.run_full(coterie.job) IS
    'Whether the group of a job has no room for a run of it: as many are open as may be, or a job of higher priority waits for the room. Writes down who waits. Locks the group until the transaction ends.';
REVOKE ALL ON FUNCTION coterie.run_full(coterie.job) FROM PUBLIC;
