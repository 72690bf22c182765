CREATE OR REPLACE FUNCTION coterie.job_from(p_said jsonb, p_old coterie.job, p_number bigint) RETURNS coterie.job
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
DECLARE
    new coterie.job;
BEGIN
    new.name := p_said->>'name';
    new.schedule := p_said->>'schedule';
    new.time_zone := coalesce(p_said->>'time_zone', 'UTC');
    new.action := p_said->>'action';
    new.timeout := (p_said->>'timeout_ms')::bigint * interval '1ms';
    new.overlap := coalesce(p_said->>'overlap', 'skip');
    new.misfire := coalesce(p_said->>'misfire', 'once');
    new.enabled := coalesce((p_said->>'enabled')::boolean, true);
    new.every := (p_said->>'every_ms')::bigint * interval '1ms';
    IF (new.schedule, new.time_zone, new.action, new.timeout, new.overlap, new.misfire, new.enabled)
       IS NOT DISTINCT FROM
       (p_old.schedule, p_old.time_zone, p_old.action, p_old.timeout, p_old.overlap, p_old.misfire, p_old.enabled) THEN
        RETURN p_old;
    END IF;

    new.generation := p_number;
    new.changed_by := session_user;
    new.changed_at := coterie.clock();
    -- Another schedule, or the same after a rest, owes nothing of the time before.
    IF p_old.name IS NULL OR (new.enabled AND NOT p_old.enabled)
       OR (new.schedule, new.time_zone) IS DISTINCT FROM (p_old.schedule, p_old.time_zone) THEN
        new.since := least(coalesce((p_said->>'since')::timestamptz, coterie.clock()), coterie.clock());
        IF new.since < coterie.clock() - interval '1min' THEN
            RAISE EXCEPTION 'job % cannot owe slots since %: that is over', new.name, new.since
                USING ERRCODE = 'CT021', HINT = 'Read coterie.clock() and apply again.';
        END IF;
        new.first_due_at := (p_said->>'first_due_at')::timestamptz;
    ELSE
        new.since := p_old.since;
        new.first_due_at := p_old.first_due_at;
    END IF;
    RETURN new;
END $$;
COMMENT ON FUNCTION coterie.job_from(jsonb, coterie.job, bigint) IS
    'The row that a definition asks for; the old row itself when it says the same.';
REVOKE ALL ON FUNCTION coterie.job_from(jsonb, coterie.job, bigint) FROM PUBLIC;
