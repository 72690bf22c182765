CREATE OR REPLACE FUNCTION coterie.request_end(
    p_id bigint, p_job text, p_due_at timestamptz, p_token bigint, p_nonce bigint,
    p_outcome coterie.run_outcome, p_exit_code integer, p_log_tail text, p_reason text)
RETURNS coterie.run_outcome
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
DECLARE
    stands coterie.run_outcome := coterie.run_end(p_job, p_due_at, p_token, p_nonce, p_outcome, p_exit_code, p_log_tail, p_reason);
BEGIN
    -- What was lost or moved with its node may be for another; the rest is done.
    DELETE FROM coterie.request q
    WHERE q.id = p_id AND q.job = p_job AND q.due_at = p_due_at
      AND (stands NOT IN ('lost', 'running') OR stands = 'lost' AND EXISTS (SELECT FROM coterie.job j WHERE j.name = p_job AND j.on_lost = 'record'))
      AND EXISTS (SELECT FROM coterie.run r WHERE r.job = p_job AND r.due_at = p_due_at AND r.token = p_token AND r.nonce = p_nonce);
    UPDATE coterie.request q SET node = NULL, incarnation = NULL
    WHERE q.id = p_id AND stands = 'lost'
      AND EXISTS (SELECT FROM coterie.run r WHERE r.job = p_job AND r.due_at = p_due_at AND r.token = p_token AND r.nonce = p_nonce);
    IF FOUND THEN
        UPDATE coterie.job_change SET generation = generation + 1;
    END IF;
    RETURN stands;
END $$;
COMMENT ON FUNCTION coterie.request_end(bigint, text, timestamptz, bigint, bigint, coterie.run_outcome, integer, text, text) IS
    'Ends the run of a request as run_end does, and with it the request, unless it is to be run once more elsewhere.';
REVOKE ALL ON FUNCTION coterie.request_end(bigint, text, timestamptz, bigint, bigint, coterie.run_outcome, integer, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.request_end(bigint, text, timestamptz, bigint, bigint, coterie.run_outcome, integer, text, text) TO coterie_agent;
