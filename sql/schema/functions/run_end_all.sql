CREATE OR REPLACE FUNCTION coterie.run_end_all(
    p_jobs text[], p_due_ats timestamptz[], p_tokens bigint[], p_nonces bigint[],
    p_outcomes coterie.run_outcome[], p_exit_codes integer[], p_log_tails text[], p_reasons text[])
RETURNS coterie.run_outcome[]
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp SET enable_seqscan = off AS $$
DECLARE
    stand coterie.run_outcome[] := array_fill(NULL::coterie.run_outcome, ARRAY[cardinality(p_jobs)]);
    ended bigint[];
BEGIN
    -- Sequential scans are off because a plan lives as long as its session: one that was made while the
    -- tables were empty would read them whole ever after.
    WITH done AS (
        UPDATE coterie.run r
        SET outcome = e.outcome, finished_at = greatest(r.started_at, coterie.clock()), exit_code = e.exit_code,
            log_tail = nullif(e.log_tail, ''), reason = coalesce(nullif(e.reason, ''), r.reason)
        FROM unnest(p_jobs, p_due_ats, p_tokens, p_nonces, p_outcomes, p_exit_codes, p_log_tails, p_reasons)
            WITH ORDINALITY AS e (job, due_at, token, nonce, outcome, exit_code, log_tail, reason, n)
        WHERE r.job = e.job AND r.due_at = e.due_at AND r.token = e.token AND r.nonce = e.nonce AND r.outcome = 'running'
        RETURNING e.n, r.job, r.due_at, r.outcome
    ), unneeded AS (
        -- After a success nobody needs to go on from a checkpoint.
        DELETE FROM coterie.progress g USING done
        WHERE done.outcome = 'succeeded' AND g.job = done.job AND g.due_at <= done.due_at
    )
    SELECT array_agg(n) INTO ended FROM done;
    IF ended IS NOT NULL THEN
        PERFORM nextval('coterie.run_seq');
        PERFORM coterie.run_recovered(p_jobs, p_due_ats, p_outcomes);
        IF p_outcomes && ARRAY['failed', 'timed_out', 'lost']::coterie.run_outcome[] THEN
            PERFORM coterie.run_trouble(r.job, r.due_at, r.attempt, CASE r.outcome WHEN 'lost' THEN 'lost' ELSE 'failed' END, r.node, r.reason, 1)
            FROM unnest(p_jobs, p_due_ats, p_outcomes) WITH ORDINALITY AS e (job, due_at, outcome, n)
            JOIN coterie.run r ON r.job = e.job AND r.due_at = e.due_at
            WHERE e.n = ANY (ended) AND e.outcome IN ('failed', 'timed_out', 'lost');
        END IF;
    END IF;

    -- What had ended before is looked up.
    FOR i IN 1 .. cardinality(p_jobs) LOOP
        stand[i] := CASE WHEN i = ANY (ended) THEN p_outcomes[i]
            ELSE coterie.run_end(p_jobs[i], p_due_ats[i], p_tokens[i], p_nonces[i], p_outcomes[i], p_exit_codes[i], p_log_tails[i], p_reasons[i]) END;
    END LOOP;
    RETURN stand;
END $$;
COMMENT ON FUNCTION coterie.run_end_all(text[], timestamptz[], bigint[], bigint[], coterie.run_outcome[], integer[], text[], text[]) IS
    'Ends many runs, each as run_end does, in one commit; answers the outcomes that stand.';
REVOKE ALL ON FUNCTION coterie.run_end_all(text[], timestamptz[], bigint[], bigint[], coterie.run_outcome[], integer[], text[], text[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.run_end_all(text[], timestamptz[], bigint[], bigint[], coterie.run_outcome[], integer[], text[], text[]) TO coterie_agent;
