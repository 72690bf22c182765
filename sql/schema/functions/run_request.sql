CREATE OR REPLACE FUNCTION coterie.run_request(p_job text, p_by text, p_reason text, p_params jsonb DEFAULT '{}') RETURNS timestamptz
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
DECLARE
    asked timestamptz := coterie.clock();
    works boolean;
    queued boolean;
    waits integer;
    before timestamptz;
BEGIN
    SELECT enabled, queue INTO works, queued FROM coterie.job WHERE name = p_job;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no job %', quote_literal(left(p_job, 80)) USING ERRCODE = 'CT022';
    ELSIF NOT works THEN
        RAISE EXCEPTION 'job % is disabled', quote_literal(p_job) USING ERRCODE = 'CT023', HINT = 'Enable it first.';
    END IF;

    -- What waits with the same parameters will do for both, unless each request of the job is a run of its own.
    SELECT count(*), min(q.due_at) FILTER (WHERE q.params = p_params AND NOT queued) INTO waits, before
    FROM coterie.request q WHERE q.job = p_job;
    IF before IS NOT NULL THEN
        RETURN before;
    ELSIF waits >= 10000 THEN
        RAISE EXCEPTION '% requests of job % wait already', waits, quote_literal(p_job) USING ERRCODE = 'CT024', HINT = 'Find out why nobody runs them: coterie why ' || p_job;
    END IF;

    -- Slots fall on whole milliseconds, so an instant between two of them is no slot's.
    IF extract(microseconds FROM asked)::bigint % 1000 = 0 THEN
        asked := asked + interval '1us';
    END IF;
    WHILE EXISTS (SELECT FROM coterie.run WHERE job = p_job AND due_at = asked)
       OR EXISTS (SELECT FROM coterie.request WHERE job = p_job AND due_at = asked) LOOP
        asked := asked + interval '1us';
    END LOOP;

    INSERT INTO coterie.request (job, due_at, requested_by, reason, params)
    VALUES (p_job, asked, coalesce(nullif(p_by, ''), session_user), nullif(p_reason, ''), p_params);
    UPDATE coterie.job_change SET generation = generation + 1;
    INSERT INTO coterie.event (kind, subject, reason, detail)
    VALUES ('job.requested', 'job/' || p_job, nullif(p_reason, ''), jsonb_strip_nulls(jsonb_build_object('due_at', asked, 'by', p_by, 'params', nullif(p_params, '{}'))));
    RETURN asked;
END $$;
COMMENT ON FUNCTION coterie.run_request(text, text, text, jsonb) IS
    'Asks for a run of a job now, or as soon as a node can; returns the due_at that the run will have. While one with the same parameters waits, asking again returns that, unless it is a queue job.';
REVOKE ALL ON FUNCTION coterie.run_request(text, text, text, jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.run_request(text, text, text, jsonb) TO coterie_operator;
