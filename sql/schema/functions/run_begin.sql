CREATE OR REPLACE FUNCTION coterie.run_begin(
    p_job text, p_due_at timestamptz, p_token bigint, p_nonce bigint,
    p_generation bigint, p_next_due_at timestamptz, p_reason text)
RETURNS coterie.run_answer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
DECLARE
    answer coterie.run_answer := coterie.run_try(p_job, p_due_at, p_token, p_nonce, p_generation, p_next_due_at, p_reason);
BEGIN
    IF answer = 'lost' THEN
        PERFORM coterie.run_fence(p_job, p_token);
    END IF;
    RETURN answer;
END $$;
COMMENT ON FUNCTION coterie.run_begin(text, timestamptz, bigint, bigint, bigint, timestamptz, text) IS
    'Begins the run of a slot under the live token of lease job/NAME, closing a former holder''s open run as lost. Only the answer begun permits to act: running says a run is open, accounted that the slot has its row or is not owed, changed that the definition is another by now or the job is paused, early that the slot is not due, full that its group has all the runs it may have. Raises CT001 without the lease.';
REVOKE ALL ON FUNCTION coterie.run_begin(text, timestamptz, bigint, bigint, bigint, timestamptz, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.run_begin(text, timestamptz, bigint, bigint, bigint, timestamptz, text) TO coterie_agent;
