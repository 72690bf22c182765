CREATE OR REPLACE FUNCTION coterie.job_pause(p_job text, p_by text, p_reason text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
DECLARE
    who text := coalesce(nullif(p_by, ''), session_user);
BEGIN
    -- One change at a time; nodes read again when the number moved.
    UPDATE coterie.job_change SET generation = generation + 1;
    IF p_job IS NULL THEN
        UPDATE coterie.job_change c
        SET paused_at = coterie.clock(), unpaused_at = NULL, paused_by = who, paused_reason = nullif(p_reason, '')
        WHERE c.paused_at IS NULL OR c.unpaused_at IS NOT NULL;
    ELSE
        -- A pause that ended a moment ago, of which nothing is recorded yet, goes on.
        UPDATE coterie.job j
        SET paused_at = CASE WHEN j.unpaused_at > greatest(coterie.run_accounted(j.name), j.since) THEN j.paused_at ELSE coterie.clock() END,
            unpaused_at = NULL, paused_by = who, paused_reason = nullif(p_reason, '')
        WHERE j.name = p_job AND (j.paused_at IS NULL OR j.unpaused_at IS NOT NULL);
        IF NOT FOUND AND NOT EXISTS (SELECT FROM coterie.job j WHERE j.name = p_job) THEN
            RAISE EXCEPTION 'there is no job %', quote_literal(left(p_job, 80)) USING ERRCODE = 'CT022';
        END IF;
    END IF;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    INSERT INTO coterie.event (kind, subject, reason, detail)
    VALUES ('job.paused', coalesce('job/' || p_job, 'jobs'), nullif(p_reason, ''), jsonb_build_object('by', who));
    RETURN true;
END $$;
COMMENT ON FUNCTION coterie.job_pause(text, text, text) IS
    'An operator pauses a job, or all of them when none is named: nothing is begun until job_unpause; what runs goes on. Slots of that time are recorded as skipped when it ends. False when it was paused already; raises CT022 for an unknown job.';
REVOKE ALL ON FUNCTION coterie.job_pause(text, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.job_pause(text, text, text) TO coterie_operator;
