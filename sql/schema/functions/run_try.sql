CREATE OR REPLACE FUNCTION coterie.run_try(
    p_job text, p_due_at timestamptz, p_token bigint, p_nonce bigint,
    p_generation bigint, p_next_due_at timestamptz, p_reason text)
RETURNS coterie.run_answer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp SET enable_seqscan = off AS $$
DECLARE
    may record;
    asked coterie.request;
BEGIN
    SELECT * INTO may FROM coterie.run_ready(p_job, p_due_at, p_token, p_nonce, p_generation);
    IF may.answer IS NOT NULL THEN
        RETURN may.answer;
    END IF;
    IF p_due_at > coterie.clock() + interval '2s' THEN
        RETURN 'early';
    END IF;

    -- Locked, because it may be withdrawn at this moment.
    SELECT q.* INTO asked FROM coterie.request q WHERE q.job = p_job AND q.due_at = p_due_at FOR UPDATE;
    IF asked.job IS NULL AND (p_due_at < (may.j).since OR p_due_at <= coterie.run_accounted(p_job)
                              OR EXISTS (SELECT FROM coterie.run r WHERE r.job = p_job AND r.due_at = p_due_at)) THEN
        RETURN 'accounted';
    END IF;

    IF coterie.run_full(may.j) THEN
        RETURN 'full';
    END IF;
    IF asked.job IS NOT NULL THEN
        DELETE FROM coterie.request q WHERE q.job = p_job AND q.due_at = p_due_at;
        -- The holder looks for the next one.
        UPDATE coterie.job_change SET generation = generation + 1 WHERE EXISTS (SELECT FROM coterie.request q WHERE q.job = p_job);
    END IF;

    -- Called a moment early, so that the action can start exactly when it is due.
    INSERT INTO coterie.run (job, due_at, token, nonce, node, started_at, next_due_at, outcome, requested_by, params, reason)
    VALUES (p_job, p_due_at, p_token, p_nonce, (may.held).node, greatest(p_due_at, coterie.clock()),
            p_next_due_at, 'running', asked.requested_by, nullif(asked.params, '{}'), coalesce(asked.reason, nullif(p_reason, '')));
    PERFORM nextval('coterie.run_seq');
    RETURN 'begun';
END $$;
COMMENT ON FUNCTION coterie.run_try(text, timestamptz, bigint, bigint, bigint, timestamptz, text) IS
    'Begins the run of a slot as run_begin says, but answers lost instead of raising an error.';
REVOKE ALL ON FUNCTION coterie.run_try(text, timestamptz, bigint, bigint, bigint, timestamptz, text) FROM PUBLIC;
