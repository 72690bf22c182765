CREATE OR REPLACE FUNCTION coterie.request_begin(p_id bigint, p_token bigint, p_nonce bigint)
RETURNS TABLE (answer coterie.run_answer, job text, due_at timestamptz, attempt integer, params jsonb,
               checkpoint text, checkpoint_due_at timestamptz)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
#variable_conflict use_column
DECLARE
    held coterie.session;
    asked coterie.request;
    was coterie.run;
    j coterie.job;
    tries integer := 1;
BEGIN
    -- Fenced by the lease of this request, as other runs are by that of their job.
    SELECT s.* INTO held
    FROM coterie.lease l JOIN coterie.session s ON s.node = l.node AND s.incarnation = l.incarnation
    WHERE l.name = 'request/' || p_id AND l.token = p_token AND s.expires_at > coterie.clock() AND s.login = session_user
    FOR SHARE OF l;
    IF NOT FOUND THEN
        RETURN QUERY SELECT 'lost'::coterie.run_answer, NULL, NULL::timestamptz, NULL::integer, NULL::jsonb, NULL, NULL::timestamptz;
        RETURN;
    END IF;
    SELECT q.* INTO asked FROM coterie.request q WHERE q.id = p_id FOR UPDATE;
    SELECT d.* INTO j FROM coterie.job d WHERE d.name = asked.job AND d.queue AND d.enabled;
    IF NOT FOUND THEN
        UPDATE coterie.request q SET node = NULL, incarnation = NULL WHERE q.id = p_id; -- it waits again
        RETURN QUERY SELECT 'accounted'::coterie.run_answer, NULL, NULL::timestamptz, NULL::integer, NULL::jsonb, NULL, NULL::timestamptz;
        RETURN;
    END IF;
    SELECT r.* INTO was FROM coterie.run r WHERE r.job = asked.job AND r.due_at = asked.due_at;
    IF was.outcome = 'running' AND (was.token, was.nonce) = (p_token, p_nonce) THEN
        tries := was.attempt; -- the same nonce: its first answer was lost on the way
    ELSIF was.job IS NULL THEN
        INSERT INTO coterie.run (job, due_at, token, nonce, node, started_at, outcome, requested_by, request, params, reason)
        VALUES (asked.job, asked.due_at, p_token, p_nonce, held.node, greatest(asked.due_at, coterie.clock()), 'running',
                asked.requested_by, asked.id, nullif(asked.params, '{}'), asked.reason);
    ELSE
        IF was.outcome = 'running' THEN
            PERFORM coterie.run_close_lost(was, held);
            was.outcome := 'lost';
        END IF;
        IF was.token >= p_token
           OR NOT (was.outcome = 'lost' AND j.on_lost <> 'record' AND was.attempt <= greatest(j.retries, 3)
                   OR was.outcome IN ('failed', 'timed_out') AND was.attempt <= j.retries) THEN
            DELETE FROM coterie.request q WHERE q.id = p_id;
            RETURN QUERY SELECT 'accounted'::coterie.run_answer, NULL, NULL::timestamptz, NULL::integer, NULL::jsonb, NULL, NULL::timestamptz;
            RETURN;
        END IF;
        IF asked.again_at > coterie.clock() THEN
            UPDATE coterie.request q SET node = NULL, incarnation = NULL WHERE q.id = p_id;
            RETURN QUERY SELECT 'early'::coterie.run_answer, NULL, NULL::timestamptz, NULL::integer, NULL::jsonb, NULL, NULL::timestamptz;
            RETURN;
        END IF;
        tries := was.attempt + 1;
        UPDATE coterie.run r
        SET outcome = 'running', token = p_token, nonce = p_nonce, node = held.node, attempt = tries,
            started_at = greatest(was.finished_at, coterie.clock()), finished_at = NULL, exit_code = NULL, log_tail = NULL,
            reason = asked.reason
        WHERE r.job = asked.job AND r.due_at = asked.due_at;
        -- The row tells of the last attempt, the ledger of those before.
        INSERT INTO coterie.event (node, kind, subject, token, peer, since, reason, detail)
        VALUES (held.node, 'run.retried', 'job/' || asked.job, p_token, was.node, was.started_at, was.reason,
                jsonb_strip_nulls(jsonb_build_object('due_at', asked.due_at, 'attempt', tries, 'outcome', was.outcome, 'exit_code', was.exit_code,
                    'token', was.token, 'finished_at', was.finished_at, 'log_tail', right(was.log_tail, 1000))));
    END IF;
    PERFORM nextval('coterie.run_seq');
    RETURN QUERY SELECT 'begun'::coterie.run_answer, asked.job, asked.due_at, tries, asked.params, g.checkpoint, g.due_at
                 FROM (SELECT 1) AS one LEFT JOIN coterie.progress g ON g.job = asked.job AND g.due_at = asked.due_at;
END $$;
COMMENT ON FUNCTION coterie.request_begin(bigint, bigint, bigint) IS
    'Begins the run of a request under the live token of lease request/ID, or, when its last run failed or was lost with its node, a further attempt as far as the job has retries or says restart or resume. Only the answer begun permits to act.';
REVOKE ALL ON FUNCTION coterie.request_begin(bigint, bigint, bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.request_begin(bigint, bigint, bigint) TO coterie_agent;
