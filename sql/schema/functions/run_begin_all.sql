CREATE OR REPLACE FUNCTION coterie.run_begin_all(
    p_jobs text[], p_due_ats timestamptz[], p_tokens bigint[], p_nonces bigint[],
    p_generations bigint[], p_next_due_ats timestamptz[], p_reasons text[])
RETURNS coterie.run_answer[]
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp SET enable_seqscan = off AS $$
DECLARE
    answers coterie.run_answer[] := array_fill(NULL::coterie.run_answer, ARRAY[cardinality(p_jobs)]);
    begun bigint[];
BEGIN
    -- Sequential scans are off because a plan lives as long as its session: one that was made while the
    -- tables were empty would read them whole ever after.
    -- What is plain begins in one statement: the lease is held, the definition stands, the slot comes
    -- after all rows of its job, nothing is open and nothing paused, and nobody has to count.
    WITH want AS MATERIALIZED (
        SELECT w.* FROM unnest(p_jobs, p_due_ats, p_tokens, p_nonces, p_generations, p_next_due_ats, p_reasons)
            WITH ORDINALITY AS w (job, due_at, token, nonce, generation, next_due_at, reason, n)
    ), held AS MATERIALIZED (
        SELECT w.n, s.node
        FROM want w
        JOIN coterie.lease l ON l.name = 'job/' || w.job AND l.token = w.token
        JOIN coterie.session s ON s.node = l.node AND s.incarnation = l.incarnation
        JOIN coterie.cluster c ON coterie.era_here(c)
        WHERE s.expires_at > coterie.clock() AND s.login = session_user
        FOR SHARE OF l
    ), plain AS MATERIALIZED (
        SELECT w.*, h.node
        FROM held h
        JOIN want w ON w.n = h.n
        JOIN coterie.job j ON j.name = w.job AND j.enabled AND j.generation = w.generation AND j.since <= w.due_at
                          AND j.group_name IS NULL AND (j.paused_at IS NULL OR j.unpaused_at IS NOT NULL)
        JOIN coterie.job_change c ON c.paused_at IS NULL OR c.unpaused_at IS NOT NULL
        LEFT JOIN LATERAL (SELECT r.due_at FROM coterie.run r WHERE r.job = w.job ORDER BY r.due_at DESC LIMIT 1) AS newest ON true
        WHERE w.due_at <= coterie.clock() + interval '2s'
          AND (newest.due_at < w.due_at) IS NOT FALSE
          AND NOT EXISTS (SELECT FROM coterie.run r WHERE r.job = w.job AND r.outcome = 'running')
          AND NOT EXISTS (SELECT FROM coterie.request q WHERE q.job = w.job AND q.due_at = w.due_at)
    ), made AS (
        INSERT INTO coterie.run (job, due_at, token, nonce, node, started_at, next_due_at, outcome, reason)
        SELECT job, due_at, token, nonce, node, greatest(due_at, coterie.clock()), next_due_at, 'running', nullif(reason, '')
        FROM plain
    )
    SELECT array_agg(n) INTO begun FROM plain;
    IF begun IS NOT NULL THEN
        PERFORM nextval('coterie.run_seq');
    END IF;

    -- Groups are locked in the order of their names, before any of them is counted.
    IF cardinality(p_jobs) > coalesce(cardinality(begun), 0) THEN
        PERFORM FROM coterie.job_group g
        WHERE g.name IN (SELECT j.group_name FROM coterie.job j WHERE j.name = ANY (p_jobs))
        ORDER BY g.name FOR NO KEY UPDATE;
    END IF;

    -- The caller sorts by job, so that two that say the same never wait for each other.
    FOR i IN 1 .. cardinality(p_jobs) LOOP
        answers[i] := CASE WHEN i = ANY (begun) THEN 'begun'
            ELSE coterie.run_try(p_jobs[i], p_due_ats[i], p_tokens[i], p_nonces[i], p_generations[i], p_next_due_ats[i], p_reasons[i]) END;
    END LOOP;
    RETURN answers;
END $$;
COMMENT ON FUNCTION coterie.run_begin_all(text[], timestamptz[], bigint[], bigint[], bigint[], timestamptz[], text[]) IS
    'Begins runs of many jobs that fall due together, each as run_begin does, in one commit; answers lost for those whose lease is not held.';
REVOKE ALL ON FUNCTION coterie.run_begin_all(text[], timestamptz[], bigint[], bigint[], bigint[], timestamptz[], text[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.run_begin_all(text[], timestamptz[], bigint[], bigint[], bigint[], timestamptz[], text[]) TO coterie_agent;
