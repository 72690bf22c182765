CREATE OR REPLACE FUNCTION coterie.job_unpause(p_job text, p_by text, p_reason text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
BEGIN
    UPDATE coterie.job_change SET generation = generation + 1;
    IF p_job IS NULL THEN
        UPDATE coterie.job_change c SET unpaused_at = greatest(c.paused_at, coterie.clock())
        WHERE c.paused_at IS NOT NULL AND c.unpaused_at IS NULL;
    ELSE
        UPDATE coterie.job j SET unpaused_at = greatest(j.paused_at, coterie.clock())
        WHERE j.name = p_job AND j.paused_at IS NOT NULL AND j.unpaused_at IS NULL;
        IF NOT FOUND AND NOT EXISTS (SELECT FROM coterie.job j WHERE j.name = p_job) THEN
            RAISE EXCEPTION 'there is no job %', quote_literal(left(p_job, 80)) USING ERRCODE = 'CT022';
        END IF;
    END IF;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    INSERT INTO coterie.event (kind, subject, reason, detail)
    VALUES ('job.unpaused', coalesce('job/' || p_job, 'jobs'), nullif(p_reason, ''), jsonb_build_object('by', coalesce(nullif(p_by, ''), session_user)));
    RETURN true;
END $$;
COMMENT ON FUNCTION coterie.job_unpause(text, text, text) IS
    'Ends what job_pause began for a job, or for all when none is named; false when it was not paused. A job that was paused alone as well stays so. Raises CT022 for an unknown job.';
REVOKE ALL ON FUNCTION coterie.job_unpause(text, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.job_unpause(text, text, text) TO coterie_operator;
