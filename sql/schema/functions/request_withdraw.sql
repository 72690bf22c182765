CREATE OR REPLACE FUNCTION coterie.request_withdraw(p_id bigint, p_by text, p_reason text) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
DECLARE
    asked coterie.request;
    was coterie.run;
    who text := coalesce(nullif(p_by, ''), session_user);
BEGIN
    -- Whoever begins its run locks the same row first.
    SELECT q.* INTO asked FROM coterie.request q WHERE q.id = p_id FOR UPDATE;
    IF NOT FOUND THEN
        RETURN 'gone';
    END IF;
    SELECT r.* INTO was FROM coterie.run r WHERE r.job = asked.job AND r.due_at = asked.due_at;
    IF was.outcome = 'running' THEN
        RETURN 'running';
    END IF;
    DELETE FROM coterie.request q WHERE q.id = p_id;
    -- What was asked for has a row in history, run or not. One that waited for another attempt has its own already.
    IF was.job IS NULL THEN
        INSERT INTO coterie.run (job, due_at, token, finished_at, outcome, requested_by, request, params, reason)
        VALUES (asked.job, asked.due_at, coalesce((SELECT l.token FROM coterie.lease l WHERE l.name = 'job/' || asked.job AND l.token > 0), 1),
                greatest(asked.due_at, coterie.clock()), 'skipped', asked.requested_by,
                (SELECT asked.id FROM coterie.job j WHERE j.name = asked.job AND j.queue), nullif(asked.params, '{}'),
                left(format('withdrawn by %s%s', who, coalesce(': ' || nullif(p_reason, ''), '')), 250));
    END IF;
    UPDATE coterie.job_change SET generation = generation + 1;
    INSERT INTO coterie.event (kind, subject, reason, detail)
    VALUES ('job.withdrawn', 'job/' || asked.job, nullif(p_reason, ''), jsonb_build_object('due_at', asked.due_at, 'by', who, 'request', asked.id));
    PERFORM nextval('coterie.run_seq');
    RETURN 'withdrawn';
END $$;
COMMENT ON FUNCTION coterie.request_withdraw(bigint, text, text) IS
    'Takes a request back that no run has begun, or that waits for another attempt, and answers withdrawn; running when it is too late, gone when there is none of that number. It has a row in history, skipped.';
REVOKE ALL ON FUNCTION coterie.request_withdraw(bigint, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.request_withdraw(bigint, text, text) TO coterie_operator;
