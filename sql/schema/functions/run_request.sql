CREATE OR REPLACE FUNCTION coterie.run_request(p_job text, p_by text, p_reason text) RETURNS timestamptz
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
DECLARE
    asked timestamptz := coterie.clock();
    works boolean;
BEGIN
    SELECT enabled INTO works FROM coterie.job WHERE name = p_job;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no job %', quote_literal(left(p_job, 80)) USING ERRCODE = 'CT022';
    ELSIF NOT works THEN
        RAISE EXCEPTION 'job % is disabled', quote_literal(p_job) USING ERRCODE = 'CT023', HINT = 'Enable it first.';
    END IF;

    -- Slots fall on whole milliseconds, so an instant between two of them is no slot's.
    IF extract(microseconds FROM asked)::bigint % 1000 = 0 THEN
        asked := asked + interval '1us';
    END IF;
    WHILE EXISTS (SELECT FROM coterie.run WHERE job = p_job AND due_at = asked) LOOP
        asked := asked + interval '1us';
    END LOOP;

    INSERT INTO coterie.request (job, due_at, requested_by, reason)
    VALUES (p_job, asked, coalesce(nullif(p_by, ''), session_user), nullif(p_reason, ''))
    ON CONFLICT (job) DO NOTHING;
    IF NOT FOUND THEN
        -- One waits already; it will do for both.
        SELECT due_at INTO asked FROM coterie.request WHERE job = p_job;
        RETURN asked;
    END IF;
    UPDATE coterie.job_change SET generation = generation + 1;
    INSERT INTO coterie.event (kind, subject, reason, detail)
    VALUES ('job.requested', 'job/' || p_job, nullif(p_reason, ''), jsonb_build_object('due_at', asked, 'by', p_by));
    RETURN asked;
END $$;
COMMENT ON FUNCTION coterie.run_request(text, text, text) IS
    'Asks for a run of a job now, or as soon as a node can; returns the due_at that the run will have. While one request waits, asking again returns the same.';
REVOKE ALL ON FUNCTION coterie.run_request(text, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.run_request(text, text, text) TO coterie_operator;
