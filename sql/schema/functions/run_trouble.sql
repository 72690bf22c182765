CREATE OR REPLACE FUNCTION coterie.run_trouble(
    p_job text, p_due_at timestamptz, p_attempt integer, p_kind text, p_node text, p_text text, p_times integer)
RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
DECLARE
    t coterie.trouble;
BEGIN
    -- What will be tried again is not told yet.
    IF p_kind = 'failed' AND p_attempt <= (SELECT j.retries FROM coterie.job j WHERE j.name = p_job) THEN
        RETURN;
    END IF;
    INSERT INTO coterie.trouble AS o (job, times) VALUES (p_job, p_times)
    ON CONFLICT (job) DO UPDATE SET times = o.times + p_times
    RETURNING * INTO t;
    -- Told when it begins, and once an hour while it lasts: a job of each second must not ring each second.
    IF t.told_at > coterie.clock() - interval '1h' AND p_kind = 'failed' THEN
        RETURN;
    END IF;
    UPDATE coterie.trouble SET told_at = coterie.clock() WHERE job = p_job;
    INSERT INTO coterie.notice (job, due_at, attempt, kind, node, times, text)
    VALUES (p_job, p_due_at, p_attempt, p_kind, p_node, t.times, coalesce(nullif(left(p_text, 500), ''), p_kind))
    ON CONFLICT DO NOTHING;
END $$;
COMMENT ON FUNCTION coterie.run_trouble(text, timestamptz, integer, text, text, text, integer) IS
    'Notes that slots of a job were not run well, and what hooks are to tell of it.';
REVOKE ALL ON FUNCTION coterie.run_trouble(text, timestamptz, integer, text, text, text, integer) FROM PUBLIC;
