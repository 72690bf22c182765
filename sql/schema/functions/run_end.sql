CREATE OR REPLACE FUNCTION coterie.run_end(
    p_job text, p_due_at timestamptz, p_token bigint, p_nonce bigint,
    p_outcome coterie.run_outcome, p_exit_code integer, p_log_tail text, p_reason text)
RETURNS coterie.run_outcome
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp SET enable_seqscan = off AS $$
DECLARE
    stands coterie.run_outcome;
BEGIN
    -- Sequential scans are off because a plan lives as long as its session: one that was made while the
    -- tables were empty would read them whole ever after.
    -- Fenced by token and nonce: whoever began the run may end it, until a later holder has closed it.
    UPDATE coterie.run r
    SET outcome = p_outcome, finished_at = greatest(r.started_at, coterie.clock()), exit_code = p_exit_code,
        log_tail = nullif(p_log_tail, ''), reason = coalesce(nullif(p_reason, ''), r.reason)
    WHERE r.job = p_job AND r.due_at = p_due_at AND r.token = p_token AND r.nonce = p_nonce AND r.outcome = 'running'
    RETURNING r.outcome INTO stands;
    IF FOUND THEN
        IF p_outcome = 'succeeded' THEN
            DELETE FROM coterie.progress g WHERE g.job = p_job AND g.due_at <= p_due_at; -- nobody needs to go on from there
        END IF;
        PERFORM coterie.run_recovered(ARRAY[p_job], ARRAY[p_due_at], ARRAY[p_outcome]);
        IF p_outcome IN ('failed', 'timed_out', 'lost') THEN
            PERFORM coterie.run_trouble(r.job, r.due_at, r.attempt, CASE r.outcome WHEN 'lost' THEN 'lost' ELSE 'failed' END, r.node, r.reason, 1)
            FROM coterie.run r WHERE r.job = p_job AND r.due_at = p_due_at;
        END IF;
        PERFORM nextval('coterie.run_seq');
        RETURN stands;
    END IF;
    -- It had ended: by this call, whose answer was lost, or otherwise.
    SELECT r.outcome INTO stands FROM coterie.run r
    WHERE r.job = p_job AND r.due_at = p_due_at AND r.token = p_token AND r.nonce = p_nonce;
    IF stands IS DISTINCT FROM p_outcome AND p_outcome <> 'lost' THEN
        -- It comes too late to count: what was closed as lost stays so. What its node says of it is kept, once.
        INSERT INTO coterie.event (node, kind, subject, token, peer, reason, detail)
        SELECT e.peer, 'run.refused', e.subject, e.token, e.node,
               left(format('%s ended it as %s when %s had closed it as lost%s', e.peer, p_outcome, e.node, ': ' || nullif(p_reason, '')), 500),
               jsonb_strip_nulls(jsonb_build_object('due_at', p_due_at, 'outcome', p_outcome, 'exit_code', p_exit_code, 'log_tail', right(p_log_tail, 1000)))
        FROM coterie.event e
        WHERE e.subject = 'job/' || p_job AND e.kind = 'run.lost' AND e.token = p_token AND (e.detail->>'due_at')::timestamptz = p_due_at
          AND NOT EXISTS (SELECT FROM coterie.event said
                          WHERE said.subject = e.subject AND said.kind = 'run.refused' AND said.token = e.token AND said.detail->'due_at' = e.detail->'due_at')
        LIMIT 1;
    END IF;
    RETURN stands;
END $$;
COMMENT ON FUNCTION coterie.run_end(text, timestamptz, bigint, bigint, coterie.run_outcome, integer, text, text) IS
    'Ends a run on behalf of whoever began it. Answers the outcome that stands: another than the one given when the run had been closed before, which the ledger then tells (run.refused), null when there is no such run.';
REVOKE ALL ON FUNCTION coterie.run_end(text, timestamptz, bigint, bigint, coterie.run_outcome, integer, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.run_end(text, timestamptz, bigint, bigint, coterie.run_outcome, integer, text, text) TO coterie_agent;
