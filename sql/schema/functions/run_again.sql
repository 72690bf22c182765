CREATE OR REPLACE FUNCTION coterie.run_again(
    p_job text, p_due_at timestamptz, p_token bigint, p_nonce bigint,
    p_generation bigint, p_attempt integer, p_reason text)
RETURNS coterie.run_answer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp SET enable_seqscan = off AS $$
DECLARE
    may record;
    was coterie.run;
BEGIN
    SELECT * INTO may FROM coterie.run_ready(p_job, p_due_at, p_token, p_nonce, p_generation);
    IF may.answer IS NOT NULL THEN
        RETURN may.answer;
    END IF;

    -- The attempt before has ended without success, and no later slot has run since: attempts never go back in time.
    SELECT r.* INTO was FROM coterie.run r
    WHERE r.job = p_job AND r.due_at = p_due_at AND r.attempt = p_attempt - 1 AND r.token <= p_token
      AND r.outcome IN ('failed', 'timed_out', 'lost')
      AND NOT EXISTS (SELECT FROM coterie.run later
                      WHERE later.job = p_job AND later.due_at > p_due_at AND later.started_at IS NOT NULL);
    IF NOT FOUND THEN
        RETURN 'accounted';
    END IF;
    IF coterie.run_full(may.j) THEN
        RETURN 'full';
    END IF;
    UPDATE coterie.run r
    SET outcome = 'running', token = p_token, nonce = p_nonce, node = (may.held).node, attempt = p_attempt,
        started_at = greatest(was.finished_at, coterie.clock()), finished_at = NULL, exit_code = NULL, log_tail = NULL,
        reason = nullif(p_reason, '')
    WHERE r.job = p_job AND r.due_at = p_due_at;
    -- The row tells of the last attempt, the ledger of those before.
    INSERT INTO coterie.event (node, kind, subject, token, peer, since, reason, detail)
    VALUES ((may.held).node, 'run.retried', 'job/' || p_job, p_token, was.node, was.started_at, was.reason,
            jsonb_strip_nulls(jsonb_build_object('due_at', p_due_at, 'attempt', p_attempt, 'outcome', was.outcome, 'exit_code', was.exit_code,
                'token', was.token, 'finished_at', was.finished_at, 'log_tail', right(was.log_tail, 1000))));
    PERFORM nextval('coterie.run_seq');
    RETURN 'begun';
END $$;
COMMENT ON FUNCTION coterie.run_again(text, timestamptz, bigint, bigint, bigint, integer, text) IS
    'Begins a further attempt of a slot whose last one failed, timed out or was lost, as run_begin does its first. The answer accounted says that there is nothing to try again: another attempt was made, or a later slot has run.';
REVOKE ALL ON FUNCTION coterie.run_again(text, timestamptz, bigint, bigint, bigint, integer, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.run_again(text, timestamptz, bigint, bigint, bigint, integer, text) TO coterie_agent;
