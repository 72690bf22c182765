CREATE OR REPLACE FUNCTION coterie.run_ready(
    p_job text, p_due_at timestamptz, p_token bigint, p_nonce bigint, p_generation bigint,
    OUT held coterie.session, OUT j coterie.job, OUT answer coterie.run_answer)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp SET enable_seqscan = off AS $$
DECLARE
    open coterie.run;
BEGIN
    -- Sequential scans are off because a plan lives as long as its session: one that was made while the
    -- tables were empty would read them whole ever after.
    held := coterie.run_holder(p_job, p_token);
    IF held.node IS NULL THEN
        answer := 'lost';
        RETURN;
    END IF;
    SELECT r.* INTO open FROM coterie.run r WHERE r.job = p_job AND r.outcome = 'running';
    IF FOUND AND open.token < p_token THEN
        PERFORM coterie.run_close_lost(open, held);
    ELSIF FOUND THEN
        -- The same nonce: its first answer was lost on the way.
        answer := CASE WHEN (open.due_at, open.token, open.nonce) = (p_due_at, p_token, p_nonce)
                  THEN 'begun' ELSE 'running' END;
        RETURN;
    END IF;
    SELECT d.* INTO j FROM coterie.job d WHERE d.name = p_job AND d.enabled AND d.generation = p_generation;
    IF NOT FOUND OR coterie.job_paused(p_job) THEN
        answer := 'changed';
    END IF;
END $$;
COMMENT ON FUNCTION coterie.run_ready(text, timestamptz, bigint, bigint, bigint) IS
    'What must be settled before any attempt of a slot begins: who holds the lease, that no run is open, and that the definition stands. Answers null when it may go on; closes a former holder''s open run as lost.';
REVOKE ALL ON FUNCTION coterie.run_ready(text, timestamptz, bigint, bigint, bigint) FROM PUBLIC;
