CREATE OR REPLACE FUNCTION coterie.request_end(
    p_id bigint, p_job text, p_due_at timestamptz, p_token bigint, p_nonce bigint,
    p_outcome coterie.run_outcome, p_exit_code integer, p_log_tail text, p_reason text)
RETURNS coterie.run_outcome
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
DECLARE
    stands coterie.run_outcome := coterie.run_end(p_job, p_due_at, p_token, p_nonce, p_outcome, p_exit_code, p_log_tail, p_reason);
    ran coterie.run;
    j coterie.job;
BEGIN
    SELECT r.* INTO ran FROM coterie.run r WHERE r.job = p_job AND r.due_at = p_due_at AND r.token = p_token AND r.nonce = p_nonce;
    SELECT d.* INTO j FROM coterie.job d WHERE d.name = p_job;
    IF ran.job IS NULL OR stands = 'running' THEN
        RETURN stands; -- another holder has it
    END IF;
    CASE
        WHEN stands = 'lost' AND j.on_lost <> 'record' THEN
            -- What was lost or moved with its node is for another.
            UPDATE coterie.request q SET node = NULL, incarnation = NULL WHERE q.id = p_id;
            UPDATE coterie.job_change SET generation = generation + 1;
        WHEN stands IN ('failed', 'timed_out') AND ran.attempt <= j.retries THEN
            -- Whoever has room when the pause is over takes it. Said twice it is the same pause.
            UPDATE coterie.request q
            SET node = NULL, incarnation = NULL, again_at = ran.finished_at + coterie.retry_pause(j, p_due_at, ran.attempt + 1)
            WHERE q.id = p_id AND (q.again_at IS NULL OR q.again_at < ran.finished_at);
        ELSE
            DELETE FROM coterie.request q WHERE q.id = p_id AND q.job = p_job AND q.due_at = p_due_at;
    END CASE;
    RETURN stands;
END $$;
COMMENT ON FUNCTION coterie.request_end(bigint, text, timestamptz, bigint, bigint, coterie.run_outcome, integer, text, text) IS
    'Ends the run of a request as run_end does, and with it the request, unless it is to be run once more: elsewhere, or after a pause.';
REVOKE ALL ON FUNCTION coterie.request_end(bigint, text, timestamptz, bigint, bigint, coterie.run_outcome, integer, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.request_end(bigint, text, timestamptz, bigint, bigint, coterie.run_outcome, integer, text, text) TO coterie_agent;
